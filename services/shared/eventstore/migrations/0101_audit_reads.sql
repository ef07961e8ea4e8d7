-- The only way in which an `audit` stream is written, and the only thing that the query API may write: that somebody has
-- read the audit trail.
CREATE SCHEMA audit;

CREATE FUNCTION audit.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
BEGIN
    IF p_types <> ARRAY['audit.read'] OR p_expected <> 0 THEN
        RAISE EXCEPTION 'readings are recorded here, and nothing else' USING ERRCODE = '42501';
    END IF;
    done := es.append(p_stream, 'audit', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version; replayed := done.replayed; response := done.response;
END $$;

REVOKE ALL ON FUNCTION audit.append FROM PUBLIC;
GRANT USAGE ON SCHEMA audit TO regcred_query;
GRANT EXECUTE ON FUNCTION audit.append TO regcred_query;
