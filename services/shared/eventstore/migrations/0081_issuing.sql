-- The only way in which an `issuance` stream is written: what is given out is recorded, if the credentials are still
-- at the versions (`p_versions`) on which that was decided, else ES424 and nothing is written.
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
    SELECT a.version, a.replayed, a.response INTO version, replayed, response
        FROM es.append(p_stream, 'issuance', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data,
                       p_meta, p_key, p_fingerprint, p_response) a;
END $$;

REVOKE ALL ON FUNCTION credentials.issue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.issue TO regcred_credentials;
