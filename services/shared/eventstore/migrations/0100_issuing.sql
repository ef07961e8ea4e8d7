-- Which workloads were given each credential's secret, and when last: written in the transaction that records it, so that
-- a removal is decided on what is certain (ADR 11). It follows from the log, and is forgotten with its credential.
CREATE TABLE credentials.usages (
    credential_id  uuid NOT NULL REFERENCES es.streams,
    project_id     text NOT NULL,
    workload_kind  text NOT NULL,
    workload_name  text NOT NULL,
    last_issued_at timestamptz NOT NULL,
    secret_version integer NOT NULL,
    PRIMARY KEY (credential_id, project_id, workload_kind, workload_name)
) WITH (fillfactor = 70);

-- The only way in which an `issuance` stream is written: what is given out is recorded, if the credentials are still
-- at the versions (`p_versions`) on which that was decided, else ES424 and nothing is written. It is noted as a usage.
--
-- A credential's appends hold the lock of its stream alone, from before their transaction id until they commit
-- (es.append). Sharing it here therefore orders the two for good: a restriction, rotation or removal comes either
-- wholly before this, and is seen, or wholly after, by commit and by position in the log. Issuances share, and do not
-- wait for one another. Row locks on credentials.current would not do: they take a transaction id, which must not be
-- there before the append's.
CREATE FUNCTION credentials.issue(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb, p_credentials uuid[], p_versions bigint[],
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       record;
BEGIN
    FOR credential IN SELECT c FROM unnest(p_credentials) AS c ORDER BY c LOOP  -- in one order, so that none lock each other out
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('stream:' || credential, 0));
    END LOOP;
    IF EXISTS (
        SELECT FROM unnest(p_credentials, p_versions) AS d (id, version)
        LEFT JOIN credentials.current c
            ON c.credential_id = d.id AND c.account_id = p_account AND c.version = d.version
        WHERE c.credential_id IS NULL
    ) THEN
        RAISE EXCEPTION 'a credential has changed since it was decided on' USING ERRCODE = 'ES424';
    END IF;
    done := es.append(p_stream, 'issuance', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version; replayed := done.replayed; response := done.response;
    IF replayed THEN
        RETURN;
    END IF;
    -- Only of what was decided on: those are locked, and this account's. Each once, in one order for all issuances.
    INSERT INTO credentials.usages AS u
        SELECT i.credential_id, i.project_id, i.kind, i.name, i.moment, i.secret_version
        FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
                     e.data#>>'{workload,kind}' AS kind, e.data#>>'{workload,name}' AS name,
                     (e.meta->>'occurred_at')::timestamptz AS moment, (e.data->>'secret_version')::integer AS secret_version
              FROM unnest(p_types, p_data, p_meta) AS e (type, data, meta) WHERE e.type = 'secret.issued') AS i
        WHERE i.credential_id = ANY (p_credentials)
        ORDER BY i.credential_id
        ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
            SET last_issued_at = greatest(u.last_issued_at, excluded.last_issued_at),
                secret_version = excluded.secret_version;
END $$;

REVOKE ALL ON FUNCTION credentials.issue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.issue TO regcred_credentials;

-- A credential's last append: refused with ES425, and nothing written, where a workload was given its secret at
-- `p_unused_since` or later (NULL: it is not asked). The lock of the stream comes first (es.append takes it again): an
-- issuance shares it until it has committed, so that it is either seen here or finds the credential gone.
CREATE FUNCTION credentials.remove(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb, p_unused_since timestamptz,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stream:' || p_stream, 0));
    IF EXISTS (SELECT FROM credentials.usages u WHERE u.credential_id = p_stream AND u.last_issued_at >= p_unused_since) THEN
        RAISE EXCEPTION 'the credential is in use' USING ERRCODE = 'ES425';
    END IF;
    done := credentials.append(p_stream, p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                               p_key, p_fingerprint, p_response, NULL);
    version := done.version; replayed := done.replayed; response := done.response;
    DELETE FROM credentials.usages WHERE credential_id = p_stream;
END $$;

REVOKE ALL ON FUNCTION credentials.remove FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.remove TO regcred_credentials;
GRANT SELECT ON credentials.usages TO regcred_credentials;
