-- The only way in which a `verification` stream is written.
CREATE SCHEMA verifier;

CREATE FUNCTION verifier.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM es.append(p_stream, 'verification', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data,
                            p_meta, p_key, p_fingerprint, p_response)
$$;

REVOKE ALL ON FUNCTION verifier.append FROM PUBLIC;
GRANT USAGE ON SCHEMA verifier TO regcred_verifier;
GRANT EXECUTE ON FUNCTION verifier.append TO regcred_verifier;
