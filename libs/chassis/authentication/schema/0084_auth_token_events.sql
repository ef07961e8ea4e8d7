-- Service tokens are recorded in the log, and each row is authenticated.
--
-- `mac` is an HMAC under the key file over every other column (chassis.authentication.token_row). A row without a valid one
-- authenticates nobody. `version` is the version of the token's stream to which the row belongs, so that an earlier row that
-- was put back is found. Tokens of 0.9.0 have no stream: their version is 0. `regcred migrate` authenticates their rows.
ALTER TABLE auth.tokens ADD COLUMN version bigint NOT NULL DEFAULT 0, ADD COLUMN mac bytea;

-- The id of the stream of a token: the first half of a SHA-256, as a UUID of version 5 (chassis.authentication.token_row).
CREATE FUNCTION auth.token_stream(p_token text) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT overlay(overlay(left(encode(sha256(convert_to('service_token:' || p_token, 'UTF8')), 'hex'), 32)
                           PLACING '5' FROM 13) PLACING '8' FROM 17)::uuid
$$;

-- The version of the stream of a token; 0 if it has none.
CREATE FUNCTION auth.token_version(p_token text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT e.version FROM es.events e WHERE e.stream_id = auth.token_stream(p_token)
                     ORDER BY e.version DESC LIMIT 1), 0)
$$;

-- Append one event to a `service_token` stream, and write the row of the token in the same transaction; nothing else writes
-- one. The columns of `p_row` other than `revoked_at`, `version` and `mac` are only used for a new token.
--   ES426 the token is of one account, whose key is being erased or was erased
--   ES433 the token is the last valid one that may do everything; nothing is written
CREATE FUNCTION auth.append(p_request es.append_request, p_row jsonb) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event es.new_event := p_request.events[1];
    new   auth.tokens := jsonb_populate_record(NULL::auth.tokens, p_row);
    done  es.appended;
BEGIN
    IF (cardinality(p_request.events) = 1
        AND event.type = CASE WHEN new.revoked_at IS NULL THEN 'service_token.created' ELSE 'service_token.revoked' END
        AND event.data->>'token_id' = new.token_id AND p_request.stream_id = auth.token_stream(new.token_id)
        AND event.meta->>'account_id' = p_request.account_id
        AND p_request.account_id = CASE cardinality(new.accounts) WHEN 1 THEN new.accounts[1] ELSE '*' END
        AND new.version = p_request.expected_version + 1 AND p_request.idempotency_key IS NULL) IS NOT TRUE THEN
        RAISE EXCEPTION 'auth.append accepts only one event of the token in its row' USING ERRCODE = '42501';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('account:' || p_request.account_id, 0));
    IF EXISTS (SELECT FROM personal.keys k
               WHERE k.account_id = p_request.account_id AND k.wrapped IS NULL
                 AND k.number = (event.meta#>>'{personal,key}')::integer) THEN
        RAISE EXCEPTION 'the key of the account is erased' USING ERRCODE = 'ES426';
    END IF;
    IF event.type = 'service_token.revoked' THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('service_token.revoked', 0));  -- each sees the former one
        IF EXISTS (SELECT FROM auth.administrators() a WHERE a = new.token_id)
            AND NOT EXISTS (SELECT FROM auth.administrators() a WHERE a <> new.token_id) THEN
            RAISE EXCEPTION 'this is the last administrator' USING ERRCODE = 'ES433';
        END IF;
    END IF;
    done := es.append('service_token', p_request);
    IF done.replayed THEN
        RETURN done;
    END IF;
    IF event.type = 'service_token.created' THEN
        INSERT INTO auth.tokens SELECT new.*;
    ELSE
        UPDATE auth.tokens t SET revoked_at = new.revoked_at, version = new.version, mac = new.mac
            WHERE t.token_id = new.token_id AND t.revoked_at IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the token is revoked, or there is no such token' USING ERRCODE = '42501';
        END IF;
    END IF;
    RETURN done;
END $$;

-- The tokens that may do everything and do not expire or are not expired.
CREATE FUNCTION auth.administrators() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.token_id FROM auth.tokens t
    WHERE 'admin' = ANY (t.scopes) AND t.accounts IS NULL AND t.projects IS NULL AND t.mac IS NOT NULL
      AND t.revoked_at IS NULL AND coalesce(t.expires_at > clock_timestamp(), true)
$$;


-- Whether an account has data that was not erased. Refusals are recorded in its audit trail only then.
CREATE FUNCTION auth.has_account(p_account text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM personal.keys k WHERE k.account_id = p_account AND k.wrapped IS NOT NULL)
$$;

-- Append the event `access.denied` to a stream of its own, of an account with data or of the installation. Nothing else
-- writes `refusal` streams. Each service with an API records what it refuses.
CREATE FUNCTION auth.append_denied(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event es.new_event := p_request.events[1];
BEGIN
    IF (cardinality(p_request.events) = 1 AND event.type = 'access.denied' AND p_request.expected_version = 0
        AND event.data->>'refusal_id' = p_request.stream_id::text AND substr(p_request.stream_id::text, 15, 1) <> '5'
        AND event.meta->>'account_id' = p_request.account_id AND p_request.idempotency_key IS NULL
        AND (p_request.account_id = '*' OR auth.has_account(p_request.account_id))) IS NOT TRUE THEN
        RAISE EXCEPTION 'auth.append_denied accepts only one new event access.denied' USING ERRCODE = '42501';
    END IF;
    RETURN es.append('refusal', p_request);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.token_version, auth.has_account, auth.append_denied
    TO regcred_credentials, regcred_query, regcred_verifier;
GRANT EXECUTE ON FUNCTION auth.append TO regcred_credentials;
-- A process of 0.9.0 that runs beside this version, or again after it, may revoke, and not create. At its start it inserts the
-- first tokens, also those that exist, for which nothing happens.
REVOKE INSERT, UPDATE ON auth.tokens FROM regcred_credentials;
GRANT UPDATE (revoked_at) ON auth.tokens TO regcred_credentials;
GRANT INSERT (token_id, name, hash, scopes, accounts, projects, created_at, created_by, expires_at) ON auth.tokens
    TO regcred_credentials;

CREATE FUNCTION auth.refuse_new_token() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM auth.tokens t WHERE t.token_id = NEW.token_id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'only auth.append creates a token' USING ERRCODE = '42501';
END $$;
REVOKE ALL ON FUNCTION auth.refuse_new_token FROM PUBLIC;

CREATE TRIGGER refuse_new_token BEFORE INSERT ON auth.tokens FOR EACH ROW
    WHEN (NOT has_column_privilege('auth.tokens', 'mac', 'INSERT')) EXECUTE FUNCTION auth.refuse_new_token();
