-- Logins with the secrets of requested rotations.
CREATE FUNCTION verifier.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['verification.succeeded', 'verification.failed', 'verification.recovered',
                 'verification.expiry_discovered', 'verification.expiry_approached', 'verification.expiry_passed',
                 'verification.rotation_tested']
$$;
REVOKE ALL ON FUNCTION verifier.event_types FROM PUBLIC;

-- As before, with the types of that function.
CREATE OR REPLACE FUNCTION verifier.append(
    p_request es.append_request, p_lease text DEFAULT NULL, p_epoch bigint DEFAULT NULL) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
BEGIN
    PERFORM es.require_events(p_request, verifier.event_types(), NULL);
    credential := (p_request.events[1]).data->>'credential_id';
    IF (SELECT bool_and((e.data->>'credential_id')::uuid = credential AND e.meta#>>'{actor,type}' = 'system')
        FROM unnest(p_request.events) AS e) IS NOT TRUE
       OR NOT EXISTS (SELECT FROM es.streams s WHERE s.stream_id = credential AND s.category = 'credential'
                        AND s.account_id = p_request.account_id)
       -- The first event of a stream was checked when it was appended.
       OR credential IS DISTINCT FROM (SELECT (e.data->>'credential_id')::uuid FROM es.events e
                                       WHERE e.stream_id = p_request.stream_id AND e.version = 1)
          AND p_request.stream_id <> verifier.stream_of(credential)
       OR p_lease NOT IN ('verifier', 'verifier-schedule')
       OR p_request.idempotency_key NOT LIKE 'verification:%' AND p_request.idempotency_key NOT LIKE 'expiry:%' THEN
        RAISE EXCEPTION 'the stream, lease or key is not one of the verifier' USING ERRCODE = '42501';
    END IF;
    RETURN verifier.append_verification(p_request, p_lease, p_epoch);
END $$;
