-- Workloads that are gone no longer count as users of credentials.

-- Append a `release` stream, with an event for each usage that ends, and delete these usages. The workload of the n-th event is
-- the n-th of the arguments, because in the events it is encrypted (ADR 14).
--   ES424 a credential was removed since the decision; nothing is written
--
-- An issuance shares the lock of the stream of its credentials until its commit (credentials.issue). It therefore comes completely
-- before this release, also in the log, or completely after it, and then counts again.
CREATE FUNCTION credentials.release(p_request es.append_request, p_kinds text[], p_names text[])
RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       es.appended;
BEGIN
    PERFORM es.require_events(p_request, ARRAY['workload.released'], 'release_id');
    IF p_request.expected_version <> 0 OR cardinality(p_kinds) IS DISTINCT FROM cardinality(p_request.events)
        OR cardinality(p_names) IS DISTINCT FROM cardinality(p_request.events) THEN
        RAISE EXCEPTION 'a release is one new stream, with a workload for each event' USING ERRCODE = '42501';
    END IF;
    FOR credential IN SELECT DISTINCT (e.data->>'credential_id')::uuid FROM unnest(p_request.events) AS e ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('stream:' || credential, 0));
    END LOOP;
    IF EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        LEFT JOIN credentials.current c
            ON c.credential_id = (e.data->>'credential_id')::uuid AND c.account_id = p_request.account_id
        WHERE c.credential_id IS NULL
    ) THEN
        RAISE EXCEPTION 'a credential was removed since the decision' USING ERRCODE = 'ES424';
    END IF;
    done := es.append('release', p_request);
    IF done.replayed THEN
        RETURN done;
    END IF;
    DELETE FROM credentials.usages u USING generate_subscripts(p_request.events, 1) AS n
        WHERE u.credential_id = ((p_request.events[n]).data->>'credential_id')::uuid
          AND u.project_id = (p_request.events[n]).data->>'project_id'
          AND u.workload_kind = p_kinds[n] AND u.workload_name = p_names[n];
    RETURN done;
END $$;

REVOKE ALL ON FUNCTION credentials.release FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.release TO regcred_credentials;
