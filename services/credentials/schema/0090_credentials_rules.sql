-- The credentials service writes events of its own types to its own streams. Its relay uses its own leases and consumers, and
-- destroys no secret that the log needs.

ALTER FUNCTION credentials.append RENAME TO append_credential;
ALTER FUNCTION credentials.issue RENAME TO append_issuance;
REVOKE ALL ON FUNCTION credentials.append_credential, credentials.append_issuance FROM regcred_credentials;

-- The types that `credentials.append` accepts. A migration that adds one replaces this function.
CREATE FUNCTION credentials.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['credential.added', 'credential.details_changed', 'credential.secret_rotated',
                 'credential.restrictions_changed', 'credential.removed', 'verification.requested']
$$;

-- `credentials.append_credential`, for events and streams of credentials only (SQLSTATE 42501).
CREATE FUNCTION credentials.append(p_request es.append_request, p_current jsonb) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM es.require_events(p_request, credentials.event_types(), 'credential_id');
    RETURN credentials.append_credential(p_request, p_current);
END $$;

-- `credentials.append_issuance`, for events of issuances only, each in a new stream. A secret is issued only of credentials that
-- were decided on (SQLSTATE 42501).
CREATE FUNCTION credentials.issue(p_request es.append_request, p_credentials uuid[], p_versions bigint[])
RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM es.require_events(p_request, ARRAY['secret.issued', 'secret.refused'], 'issuance_id');
    IF p_request.expected_version <> 0 OR EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        WHERE e.type = 'secret.issued' AND ((e.data->>'credential_id')::uuid = ANY (p_credentials)) IS NOT TRUE) THEN
        RAISE EXCEPTION 'an issuance is one new stream, of credentials that were decided on' USING ERRCODE = '42501';
    END IF;
    RETURN credentials.append_issuance(p_request, p_credentials, p_versions);
END $$;

-- Whether a version of a secret must be kept: the sweep has not decided to discard it, its credential is not removed, and it was
-- not replaced, or the grace of its replacement lasts (as `credentials.relay.sweep_paths`).
CREATE FUNCTION credentials.needs_secret(credential uuid, secret_version integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM es.events e WHERE e.stream_id = credential AND e.type = 'credential.removed')
       AND (secret_version = (SELECT (e.data#>>'{secret,version}')::integer FROM es.events e
                              WHERE e.stream_id = credential AND e.type IN ('credential.added', 'credential.secret_rotated')
                              ORDER BY e.version DESC LIMIT 1)
            OR (SELECT max(e.recorded_at + ((e.data->>'previous_valid_until')::timestamptz
                                            - (e.meta->>'occurred_at')::timestamptz)) > clock_timestamp()
                FROM es.events e
                WHERE e.stream_id = credential AND e.type = 'credential.secret_rotated'
                  AND (e.data#>>'{previous_secret,version}')::integer = secret_version)
            OR NOT EXISTS (SELECT FROM es.events e
                           WHERE e.stream_id = credential AND e.type = 'credential.secret_rotated'
                             AND (e.data#>>'{previous_secret,version}')::integer = secret_version)
               AND NOT EXISTS (SELECT FROM credentials.unreferenced_secrets u
                               WHERE u.credential_id = credential AND u.version = secret_version
                                 AND u.discarded_at IS NOT NULL)) IS TRUE
$$;

REVOKE ALL ON FUNCTION credentials.append, credentials.issue, credentials.event_types, credentials.needs_secret FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.append, credentials.issue TO regcred_credentials;
ALTER TABLE encrypted.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY credentials ON encrypted.secrets TO regcred_credentials USING (true);

-- The relay
GRANT SELECT, INSERT, UPDATE ON es.leases TO regcred_relay;
GRANT EXECUTE ON FUNCTION es.lasts, es.log_end, credentials.needs_secret TO regcred_relay;
CREATE POLICY relay ON es.leases TO regcred_relay USING (name IN ('relay', 'housekeeping'));
CREATE POLICY relay ON es.checkpoints TO regcred_relay
    USING (consumer = 'housekeeping') WITH CHECK (consumer = 'housekeeping' AND position <= es.log_end());
CREATE POLICY relay ON es.dead_letters TO regcred_relay USING (consumer IN ('housekeeping', 'publishing'));
CREATE POLICY relay ON es.retries TO regcred_relay USING (consumer IN ('housekeeping', 'publishing'));
-- It deletes idempotency keys after 24 hours, and reads no response.
REVOKE SELECT ON es.idempotency FROM regcred_relay;
GRANT SELECT (created_at) ON es.idempotency TO regcred_relay;
CREATE POLICY relay ON es.idempotency TO regcred_relay USING (created_at < now() - interval '24 hours');
CREATE POLICY relay_sees ON encrypted.secrets FOR SELECT TO regcred_relay USING (true);
CREATE POLICY relay_destroys ON encrypted.secrets FOR UPDATE TO regcred_relay
    USING (NOT credentials.needs_secret(credential_id, version)) WITH CHECK (ciphertext IS NULL);
CREATE POLICY relay_deletes ON encrypted.secrets FOR DELETE TO regcred_relay
    USING (NOT credentials.needs_secret(credential_id, version));
