CREATE SCHEMA verifier;

-- The only way in which a `verification` stream is written. How the last login with a credential ended stands in its row of
-- credentials.current by the same transaction: matching prefers what is verified, and asks no lagging read model.
CREATE FUNCTION verifier.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
BEGIN
    done := es.append(p_stream, 'verification', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version; replayed := done.replayed; response := done.response;
    IF replayed THEN
        RETURN;
    END IF;
    -- The outcome of an older secret, come late, says nothing about the newer one. The last outcome of the append counts.
    FOR n IN REVERSE cardinality(p_types) .. 1 LOOP
        CONTINUE WHEN p_types[n] NOT IN ('verification.succeeded', 'verification.failed');
        UPDATE credentials.current c
            SET verified_version = (p_data[n]->>'secret_version')::integer, verification_code = p_data[n]->>'code'
            WHERE c.credential_id = (p_data[n]->>'credential_id')::uuid AND c.account_id = p_account
              AND c.verified_version <= (p_data[n]->>'secret_version')::integer;
        EXIT;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION verifier.append FROM PUBLIC;
GRANT USAGE ON SCHEMA verifier TO regcred_verifier;
GRANT EXECUTE ON FUNCTION verifier.append TO regcred_verifier;
