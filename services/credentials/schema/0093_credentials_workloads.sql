-- The workload of an issuance is an argument of credentials.issue: in the events it is encrypted (ADR 14). In credentials.usages
-- it is in plain text; the removal of the credential deletes it.
DROP FUNCTION credentials.append_issuance(es.append_request, uuid[], bigint[]);
CREATE FUNCTION credentials.append_issuance(
    p_request es.append_request, p_credentials uuid[], p_versions bigint[], p_workload_kind text, p_workload_name text
) RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       es.appended;
BEGIN
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
    -- Only of credentials that were decided on: these are locked and belong to this account. Sorted, to avoid deadlocks.
    INSERT INTO credentials.usages AS u
        SELECT i.credential_id, i.project_id, p_workload_kind, p_workload_name, i.moment, i.secret_version
        FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
                     (e.meta->>'occurred_at')::timestamptz AS moment, (e.data->>'secret_version')::integer AS secret_version
              FROM unnest(p_request.events) AS e WHERE e.type = 'secret.issued') AS i
        WHERE i.credential_id = ANY (p_credentials)
        ORDER BY i.credential_id
        ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
            SET last_issued_at = greatest(u.last_issued_at, excluded.last_issued_at),
                secret_version = excluded.secret_version;
    RETURN done;
END $$;

-- As before, with the workload.
CREATE FUNCTION credentials.issue(
    p_request es.append_request, p_credentials uuid[], p_versions bigint[], p_workload_kind text, p_workload_name text
) RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM es.require_events(p_request, ARRAY['secret.issued', 'secret.refused'], 'issuance_id');
    IF p_request.expected_version <> 0 OR EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        WHERE e.type = 'secret.issued' AND ((e.data->>'credential_id')::uuid = ANY (p_credentials)) IS NOT TRUE) THEN
        RAISE EXCEPTION 'an issuance is one new stream, of credentials that were decided on' USING ERRCODE = '42501';
    END IF;
    RETURN credentials.append_issuance(p_request, p_credentials, p_versions, p_workload_kind, p_workload_name);
END $$;

-- 0.9.0 calls it while both versions run. It does not encrypt the workload, which is the same in all events of an issuance.
CREATE OR REPLACE FUNCTION credentials.issue(p_request es.append_request, p_credentials uuid[], p_versions bigint[])
RETURNS es.appended LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT credentials.issue(p_request, p_credentials, p_versions,
                             (p_request.events[1]).data#>>'{workload,kind}', (p_request.events[1]).data#>>'{workload,name}')
$$;

REVOKE ALL ON FUNCTION credentials.append_issuance, credentials.issue(es.append_request, uuid[], bigint[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.issue(es.append_request, uuid[], bigint[], text, text) TO regcred_credentials;
