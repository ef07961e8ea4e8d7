-- The credentials service writes events of its own types to its own streams. Its relay uses its own leases and consumers, and
-- destroys no secret that the log needs.

ALTER FUNCTION credentials.append RENAME TO append_credential;
REVOKE ALL ON FUNCTION credentials.append_credential FROM regcred_credentials;

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

-- As `credentials.issue` before, for events of issuances only, each in a new stream. A secret is issued only of credentials that
-- were decided on (SQLSTATE 42501): these are locked and belong to this account. The workload is an argument, because in the
-- events it is encrypted (ADR 14). In credentials.usages it is in plain text; the removal of the credential deletes it.
CREATE FUNCTION credentials.issue(
    p_request es.append_request, p_credentials uuid[], p_versions bigint[], p_workload_kind text, p_workload_name text
) RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       es.appended;
BEGIN
    PERFORM es.require_events(p_request, ARRAY['secret.issued', 'secret.refused'], 'issuance_id');
    IF p_request.expected_version <> 0 OR EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        WHERE e.type = 'secret.issued' AND ((e.data->>'credential_id')::uuid = ANY (p_credentials)) IS NOT TRUE) THEN
        RAISE EXCEPTION 'an issuance is one new stream, of credentials that were decided on' USING ERRCODE = '42501';
    END IF;
    FOR credential IN SELECT c FROM unnest(p_credentials) AS c ORDER BY c LOOP  -- sorted, to avoid deadlocks
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('stream:' || credential, 0));
    END LOOP;
    IF EXISTS (
        SELECT FROM unnest(p_credentials, p_versions) AS d (id, version)
        LEFT JOIN credentials.current c
            ON c.credential_id = d.id AND c.account_id = p_request.account_id AND c.version = d.version
        WHERE c.credential_id IS NULL
    ) THEN
        RAISE EXCEPTION 'a credential has changed since the decision' USING ERRCODE = 'ES424';
    END IF;
    -- A row of an earlier version was put back by hand: its `mac` is valid.
    SELECT d.id INTO credential FROM unnest(p_credentials, p_versions) AS d (id, version)
        WHERE d.version IS DISTINCT FROM
              (SELECT e.version FROM es.events e WHERE e.stream_id = d.id ORDER BY e.version DESC LIMIT 1);
    IF FOUND THEN
        RAISE EXCEPTION 'the state of a credential is not that of its stream' USING ERRCODE = 'ES432', DETAIL = credential::text;
    END IF;
    done := es.append('issuance', p_request);
    IF done.replayed THEN
        RETURN done;
    END IF;
    -- Sorted, to avoid deadlocks.
    INSERT INTO credentials.usages AS u
        SELECT i.credential_id, i.project_id, p_workload_kind, p_workload_name, i.moment, i.secret_version
        FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
                     (e.meta->>'occurred_at')::timestamptz AS moment, (e.data->>'secret_version')::integer AS secret_version
              FROM unnest(p_request.events) AS e WHERE e.type = 'secret.issued') AS i
        ORDER BY i.credential_id
        ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
            SET last_issued_at = greatest(u.last_issued_at, excluded.last_issued_at),
                secret_version = excluded.secret_version;
    RETURN done;
END $$;

-- 0.9.0 calls it while both versions run. It does not encrypt the workload, which is the same in all events of an issuance.
CREATE OR REPLACE FUNCTION credentials.issue(p_request es.append_request, p_credentials uuid[], p_versions bigint[])
RETURNS es.appended LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT credentials.issue(p_request, p_credentials, p_versions,
                             (p_request.events[1]).data#>>'{workload,kind}', (p_request.events[1]).data#>>'{workload,name}')
$$;

-- Whether a version of a secret must remain: the sweep has not decided to discard it, its credential is not removed, and it was
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

REVOKE ALL ON FUNCTION credentials.append, credentials.issue(es.append_request, uuid[], bigint[], text, text),
    credentials.event_types, credentials.needs_secret FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.append, credentials.issue(es.append_request, uuid[], bigint[], text, text)
    TO regcred_credentials;
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
