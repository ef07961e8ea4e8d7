-- How the last verification of each credential ended, written in the append's own transaction: matching prefers
-- what is verified, and asks no lagging read model. `code` is NULL where the login was taken.
CREATE TABLE credentials.verified (
    credential_id  uuid PRIMARY KEY REFERENCES es.streams,  -- like its stream, a row outlives its credential
    secret_version integer NOT NULL,
    code           text,
    checked_at     timestamptz NOT NULL
);

CREATE OR REPLACE FUNCTION verifier.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT a.version, a.replayed, a.response INTO version, replayed, response
        FROM es.append(p_stream, 'verification', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data,
                       p_meta, p_key, p_fingerprint, p_response) a;
    IF replayed THEN
        RETURN;
    END IF;
    -- The outcome of an older secret, come late, says nothing about the newer one.
    INSERT INTO credentials.verified AS v (credential_id, secret_version, code, checked_at)
        SELECT s.stream_id, (e.data->>'secret_version')::integer, e.data->>'code', (e.data->>'checked_at')::timestamptz
        FROM unnest(p_types, p_data) WITH ORDINALITY AS e (type, data, n)
        JOIN es.streams s ON s.stream_id = (e.data->>'credential_id')::uuid
        WHERE e.type IN ('verification.succeeded', 'verification.failed')
          AND s.account_id = p_account AND s.category = 'credential'
        ORDER BY e.n DESC LIMIT 1
        ON CONFLICT (credential_id) DO UPDATE
            SET secret_version = excluded.secret_version, code = excluded.code, checked_at = excluded.checked_at
            WHERE v.secret_version <= excluded.secret_version;
END $$;

GRANT SELECT ON credentials.verified TO regcred_credentials;
