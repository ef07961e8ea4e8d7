-- Personal data of an account is sealed in its events with a key of the account's. Where that is gone, they cannot be read
-- any more, and the chain over them still holds (ADR 14).
CREATE SCHEMA personal;

-- `wrapped` is the key under the installation's key file; NULL once it is erased. Numbers are never given out again.
-- Outside of es, so that a backup of the log has no keys.
CREATE TABLE personal.keys (
    account_id text NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    wrapped    bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at  timestamptz,
    PRIMARY KEY (account_id, number),
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_in_use ON personal.keys (account_id) WHERE wrapped IS NOT NULL;

-- The key in use of an account; the one that is offered becomes it where there is none. Of two at once one waits for the
-- other's, and takes that. Numbers are random: counted ones begin anew where the log is restored without this table, and an
-- event of the first key would be opened with another one, in vain, and be parked.
CREATE FUNCTION personal.key(p_account text, p_offered bytea, OUT number integer, OUT wrapped bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOOP
        SELECT k.number, k.wrapped INTO number, wrapped
            FROM personal.keys k WHERE k.account_id = p_account AND k.wrapped IS NOT NULL;
        IF FOUND THEN
            RETURN;
        END IF;
        INSERT INTO personal.keys (account_id, number, wrapped)
            VALUES (p_account, 1 + floor(random() * 2147483646)::integer, p_offered) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

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

-- As in 0140; a credential is not added with a key that is being erased, or was (ES426).
CREATE OR REPLACE FUNCTION credentials.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb, p_current jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
    new  credentials.current;
BEGIN
    IF p_expected = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('account:' || p_account, 0));
        IF EXISTS (SELECT FROM personal.keys k
                   WHERE k.account_id = p_account AND k.number = (p_meta[1]#>>'{personal,key}')::integer
                     AND k.wrapped IS NULL) THEN
            RAISE EXCEPTION 'the key of the account is erased' USING ERRCODE = 'ES426';
        END IF;
    END IF;
    done := es.append(p_stream, 'credential', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version; replayed := done.replayed; response := done.response;
    IF replayed THEN
        RETURN;
    END IF;
    IF p_current IS NULL THEN
        DELETE FROM credentials.current WHERE credential_id = p_stream;
        RETURN;
    END IF;
    new := jsonb_populate_record(NULL::credentials.current, p_current);
    new.credential_id := p_stream; new.account_id := p_account; new.version := version;
    IF p_expected = 0 THEN
        INSERT INTO credentials.current SELECT new.*;
    ELSE
        UPDATE credentials.current c
            SET name = new.name, provider = new.provider, registry_host = new.registry_host,
                repository_prefixes = new.repository_prefixes, pull = new.pull, push = new.push,
                restricted = new.restricted, projects = new.projects, secret_version = new.secret_version,
                expires_at = new.expires_at, version = new.version
            WHERE c.credential_id = p_stream;
    END IF;
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA personal FROM PUBLIC;
REVOKE ALL ON FUNCTION rm.erased, rm.forget FROM PUBLIC;
GRANT USAGE ON SCHEMA personal TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay, regcred_query;
GRANT SELECT ON personal.keys TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_credentials, regcred_verifier, regcred_query;
GRANT EXECUTE ON FUNCTION rm.forget TO regcred_projector;
