-- Personal data of an account is erased with the key that it is sealed with (0135, ADR 14).

-- Erase an account's personal data: the key, what was answered to requests, and that it was done, in one transaction. Only
-- the owner of the schema calls it.
--   ES427 it still has credentials (DETAIL: how many) · ES428 it has no key
CREATE FUNCTION personal.erase(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    has  bigint;
    done record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('account:' || p_account, 0));  -- shared by who adds a credential
    SELECT count(*) INTO has FROM credentials.current c WHERE c.account_id = p_account;
    IF has > 0 THEN
        RAISE EXCEPTION 'the account has credentials' USING ERRCODE = 'ES427', DETAIL = has::text;
    END IF;
    IF NOT EXISTS (SELECT FROM personal.keys k WHERE k.account_id = p_account AND k.wrapped IS NOT NULL) THEN
        RAISE EXCEPTION 'the account has no key' USING ERRCODE = 'ES428';
    END IF;
    done := es.append(p_stream, 'account', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version;
    UPDATE personal.keys k SET wrapped = NULL, erased_at = clock_timestamp()
        WHERE k.account_id = p_account AND k.wrapped IS NOT NULL;
    DELETE FROM es.idempotency i WHERE i.account_id = p_account;
END $$;

-- What a row of the trail shows of an event, as it is shown of an erased one: the texts of personal fields are `erased`.
CREATE FUNCTION rm.erased(shown jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path text[];
BEGIN
    FOREACH path SLICE 1 IN ARRAY ARRAY[['', 'username'], ['', 'name'], ['', 'description'], ['details', 'name'],
                                        ['details', 'description'], ['filters', 'actor']] LOOP
        path := array_remove(path, '');
        IF jsonb_typeof(shown #> path) = 'string' THEN
            shown := jsonb_set(shown, path, '"erased"');
        END IF;
    END LOOP;
    RETURN shown;
END $$;

-- The rows of a generation's trail as a rebuild would make them now, of an account whose key was erased at `p_before`.
CREATE FUNCTION rm.forget(n integer, p_account text, p_before bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    EXECUTE format($$
        UPDATE %I.audit_events SET
            actor_id = CASE actor_type WHEN 'system' THEN actor_id ELSE 'erased' END,
            actor_name = CASE actor_type WHEN 'system' THEN actor_name ELSE 'erased' END,
            on_behalf_of = CASE WHEN on_behalf_of IS NOT NULL THEN 'erased' END,
            source_ip = CASE WHEN source_ip IS NOT NULL THEN 'erased' END,
            credential_name = CASE WHEN credential_name IS NOT NULL THEN 'erased' END,
            reason = CASE WHEN action = 'credential.removed' AND reason IS NOT NULL THEN 'erased' ELSE reason END,
            before = rm.erased(before),
            after = rm.erased(after)
        WHERE account_id = $1 AND position < $2 AND action <> 'account.erased' $$, 'rm_g' || n)
        USING p_account, p_before;
END $function$;

REVOKE ALL ON FUNCTION personal.erase, rm.erased, rm.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rm.forget TO regcred_projector;
