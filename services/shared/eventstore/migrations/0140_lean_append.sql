-- What an append costs the database, nearly halved (docs/benchmarks.md). It does what it did before; what is gone is work
-- that told nothing new:
--  * CHECKs are parsed from text again for each statement that writes their table. These columns are written by es.append
--    alone, which now looks itself, by expressions that are kept.
--  * es.events referred to es.streams: es.append has just written that very row, and to look it up for the constraint
--    locked it once more.
--  * Functions called as tables, and events unnested from arrays and sorted, where a plain call and a plain insert do.
--  * A changed row of credentials.current was deleted and inserted, in three indexes; now it is updated in place.
ALTER TABLE es.streams
    DROP CONSTRAINT streams_account_id_check, DROP CONSTRAINT streams_category_check, DROP CONSTRAINT streams_version_check;
ALTER TABLE es.events
    DROP CONSTRAINT events_type_check, DROP CONSTRAINT events_version_check, DROP CONSTRAINT events_stream_id_fkey;
ALTER TABLE es.idempotency DROP CONSTRAINT idempotency_key_check;
ALTER TABLE credentials.current SET (fillfactor = 70);
ALTER TABLE credentials.verified SET (fillfactor = 70);

-- Append in one round trip: idempotency key, compare-and-swap, events, stored answer. Only services' own functions call
-- it; they set the search path.
--   ES409 the key is in flight · ES422 the key was used for something else · ES412 another version (DETAIL: which)
--   ES423 an event id belongs to another event (where the version is right, events_event_id_key says so)
CREATE OR REPLACE FUNCTION es.append(
    p_stream uuid, p_category text, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql AS $$
DECLARE
    stored record;
BEGIN
    -- The stream's lock must come before the transaction id, or (xid, seq) could invert one stream's versions.
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an append must be the first write of its transaction' USING ERRCODE = '25001';
    END IF;
    -- es.link tells its fields apart by lines.
    IF strpos(concat(p_account, p_category, array_to_string(p_types, '')), E'\n') > 0 THEN
        RAISE EXCEPTION 'an account, a category or a type with a line feed' USING ERRCODE = '23514';
    END IF;
    IF p_key IS NOT NULL THEN
        IF length(p_key) NOT BETWEEN 1 AND 255 THEN
            RAISE EXCEPTION 'an idempotency key has 1 to 255 characters' USING ERRCODE = '23514';
        END IF;
        IF NOT pg_try_advisory_xact_lock(hashtextextended('key:' || p_account || ':' || p_key, 0)) THEN
            RAISE EXCEPTION 'this idempotency key is in flight' USING ERRCODE = 'ES409';
        END IF;
        SELECT i.fingerprint, i.version, i.response INTO stored
            FROM es.idempotency i WHERE i.account_id = p_account AND i.key = p_key;
        IF FOUND THEN
            IF stored.fingerprint <> p_fingerprint THEN
                RAISE EXCEPTION 'this idempotency key was used for another request' USING ERRCODE = 'ES422';
            END IF;
            version := stored.version; replayed := true; response := stored.response;
            RETURN;
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('stream:' || p_stream, 0));

    IF p_expected = 0 THEN
        INSERT INTO es.streams AS s (stream_id, account_id, category, version)
            VALUES (p_stream, p_account, p_category, cardinality(p_ids))
            ON CONFLICT DO NOTHING RETURNING s.version INTO version;
    ELSE
        UPDATE es.streams s SET version = s.version + cardinality(p_ids)
            WHERE s.stream_id = p_stream AND s.account_id = p_account AND s.category = p_category
              AND s.version = p_expected RETURNING s.version INTO version;
    END IF;
    IF version IS NULL THEN
        version := es.repeated(p_stream, p_ids, p_types, p_schema_versions, p_data, p_meta);
        IF version IS NOT NULL THEN
            replayed := true; response := p_response;
            RETURN;
        END IF;
        RAISE EXCEPTION 'the stream has another version' USING ERRCODE = 'ES412',
            DETAIL = coalesce((SELECT s.version FROM es.streams s WHERE s.stream_id = p_stream), 0)::text;
    END IF;

    FOR n IN 1 .. cardinality(p_ids) LOOP
        INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)
            VALUES (p_ids[n], p_stream, p_expected + n, p_types[n], p_schema_versions[n], p_data[n], p_meta[n]);
    END LOOP;
    IF p_key IS NOT NULL THEN
        INSERT INTO es.idempotency (account_id, key, fingerprint, version, response)
            VALUES (p_account, p_key, p_fingerprint, version, p_response);
    END IF;
    replayed := false; response := p_response;
END $$;

-- A credential is not added with a key that is being erased, or was: ES426.
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

CREATE OR REPLACE FUNCTION verifier.append(
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
        INSERT INTO credentials.verified AS v (credential_id, secret_version, code, checked_at)
            SELECT s.stream_id, (p_data[n]->>'secret_version')::integer, p_data[n]->>'code',
                   (p_data[n]->>'checked_at')::timestamptz
            FROM es.streams s
            WHERE s.stream_id = (p_data[n]->>'credential_id')::uuid
              AND s.account_id = p_account AND s.category = 'credential'
            ON CONFLICT (credential_id) DO UPDATE
                SET secret_version = excluded.secret_version, code = excluded.code, checked_at = excluded.checked_at
                WHERE v.secret_version <= excluded.secret_version;
        EXIT;
    END LOOP;
END $$;
