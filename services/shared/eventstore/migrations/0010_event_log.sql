-- The log: streams with compare-and-swap, events, and their one dense order (ADR 2).
CREATE SCHEMA es;

CREATE TABLE es.streams (
    stream_id  uuid PRIMARY KEY,
    account_id text NOT NULL,
    category   text NOT NULL,
    version    bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);  -- the version is updated in place, on the same page

CREATE TABLE es.events (
    seq            bigint GENERATED ALWAYS AS IDENTITY,        -- order within one transaction, not a position
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(), -- what the horizon of es.sequence compares
    event_id       uuid NOT NULL UNIQUE,
    stream_id      uuid NOT NULL,  -- es.append has just written its row of es.streams: not to be looked up, and locked, again
    version        bigint NOT NULL,
    type           text NOT NULL,
    schema_version smallint NOT NULL,
    data           jsonb NOT NULL,
    meta           jsonb NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream_id, version)
);
CREATE INDEX events_tail ON es.events (xid, seq);

-- Only es.sequence writes here. `hash` chains every row to the one before it.
CREATE TABLE es.log (
    position  bigint PRIMARY KEY CHECK (position > 0),
    xid       xid8 NOT NULL,
    seq       bigint NOT NULL,
    stream_id uuid NOT NULL,
    version   bigint NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    UNIQUE (stream_id, version),
    FOREIGN KEY (stream_id, version) REFERENCES es.events
);

-- The log came into a cluster whose transaction ids are younger (dump and restore): behind `position` the order begins
-- anew, with transactions after `xid` and events after `seq`. Only es.adopt writes here (ADR 8).
CREATE TABLE es.adoptions (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position   bigint NOT NULL,
    xid        xid8 NOT NULL,
    seq        bigint NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- `epoch` counts leaders: whoever comes back from the dead holds an old one and is refused.
CREATE TABLE es.relay (
    name       text PRIMARY KEY,
    epoch      bigint NOT NULL DEFAULT 0,
    published  bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO es.relay (name) VALUES ('log');

CREATE TABLE es.idempotency (
    account_id  text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    version     bigint NOT NULL,
    response    jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, key)
);
-- Old keys are deleted once an hour, by a range of time, and rows lie in the order of their time: a block range index
-- finds them too, and costs an append no entry of its own.
CREATE INDEX idempotency_age ON es.idempotency USING brin (created_at);

CREATE TABLE es.checkpoints (
    consumer   text PRIMARY KEY,
    position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- An event that a consumer could not handle, and why. It holds up nothing else, and people see it.
CREATE TABLE es.parked (
    consumer  text NOT NULL,
    position  bigint NOT NULL REFERENCES es.log,
    reason    text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, position)
);

CREATE FUNCTION es.deny() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden: the log is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.events FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.log FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.adoptions FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
-- ALWAYS: also where session_replication_role says that triggers rest.
ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE es.log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE es.adoptions ENABLE ALWAYS TRIGGER append_only;

-- The version that a stream had after exactly these events, if it has them already: somebody repeats an append because
-- its outcome was unknown. NULL if none of the ids is known; ES423 if one belongs to something else. Only asked where an
-- append has failed, so that no other append pays for it.
CREATE FUNCTION es.repeated(
    p_stream uuid, p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[]
) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known  bigint;
    same   bigint;
    before bigint[];
BEGIN
    SELECT count(*),
           count(*) FILTER (WHERE (e.stream_id, e.type, e.schema_version, e.data, e.meta)
                                = (p_stream, n.type, n.schema_version, n.data, n.meta)),
           array_agg(DISTINCT e.version - n.n)
        INTO known, same, before
        FROM unnest(p_ids, p_types, p_schema_versions, p_data, p_meta)
            WITH ORDINALITY AS n (id, type, schema_version, data, meta, n)
        JOIN es.events e ON e.event_id = n.id;
    IF known = 0 THEN
        RETURN NULL;
    END IF;
    IF same < cardinality(p_ids) OR cardinality(before) > 1 THEN
        RAISE EXCEPTION 'an event id belongs to another event' USING ERRCODE = 'ES423';
    END IF;
    RETURN before[1] + cardinality(p_ids);
END $$;

-- Append in one round trip: idempotency key, compare-and-swap, events, stored answer. Only services' own functions call
-- it; they set the search path. What it writes it checks itself, by expressions that are kept: CHECKs are parsed from text
-- again for each statement that writes their table.
--   ES409 the key is in flight · ES422 the key was used for something else · ES412 another version (DETAIL: which)
--   ES423 an event id belongs to another event (where the version is right, events_event_id_key says so)
CREATE FUNCTION es.append(
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

-- The first answer to a key, so that a repeated request can be answered before anything is written for it.
CREATE FUNCTION es.replay(p_account text, p_key text, p_fingerprint bytea, OUT version bigint, OUT response jsonb)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stored es.idempotency;
BEGIN
    SELECT * INTO stored FROM es.idempotency i WHERE i.account_id = p_account AND i.key = p_key;
    IF FOUND THEN
        IF stored.fingerprint <> p_fingerprint THEN
            RAISE EXCEPTION 'this idempotency key was used for another request' USING ERRCODE = 'ES422';
        END IF;
        version := stored.version; response := stored.response;
        RETURN NEXT;
    END IF;
END $$;

-- A new leader: every earlier one is fenced from now on.
CREATE FUNCTION es.lead() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE es.relay SET epoch = epoch + 1, updated_at = clock_timestamp() WHERE name = 'log' RETURNING epoch
$$;

-- The hash of one row of the log: SHA-256 of these thirteen lines in UTF-8, the last without a line feed (ADR 8).
-- JSON as PostgreSQL writes it has no raw line feed, and the columns above take none.
CREATE FUNCTION es.link(previous bytea, place bigint, e es.events, s es.streams) RETURNS bytea LANGUAGE sql STABLE
RETURN sha256(convert_to(concat_ws(E'\n',
    'regcred-log-1', encode(previous, 'hex'), place,
    to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    e.event_id, e.stream_id, s.category, s.account_id, e.version, e.type, e.schema_version, e.data, e.meta), 'UTF8'));

-- Where the log ends, and behind which (xid, seq) the next events stand; what has a seq up to `adopted` is done with.
CREATE FUNCTION es.tail(OUT place bigint, OUT hash bytea, OUT xid xid8, OUT seq bigint, OUT adopted bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(l.position, 0), coalesce(l.hash, decode(repeat('00', 32), 'hex')),
           CASE WHEN a.position >= coalesce(l.position, 0) THEN a.xid ELSE coalesce(l.xid, '0'::xid8) END,
           CASE WHEN a.position >= coalesce(l.position, 0) THEN a.seq ELSE coalesce(l.seq, 0) END,
           coalesce(a.seq, 0)
    FROM (SELECT) AS always
    LEFT JOIN (SELECT * FROM es.log ORDER BY position DESC LIMIT 1) AS l ON true
    LEFT JOIN (SELECT * FROM es.adoptions ORDER BY number DESC LIMIT 1) AS a ON true;
END;

-- Give positions to what is committed and has none. Events at or above the horizon (the oldest transaction still
-- running) wait: one below them may yet commit. Run by the one leader; ES410 for one that is no longer it.
CREATE FUNCTION es.sequence(p_epoch bigint, p_limit int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
    next record;
BEGIN
    IF NOT EXISTS (SELECT FROM es.relay WHERE name = 'log' AND epoch = p_epoch) THEN
        RAISE EXCEPTION 'another relay leads' USING ERRCODE = 'ES410';
    END IF;
    SELECT * INTO last FROM es.tail();
    -- A round without work stays read-only: the lock below costs a transaction id and a flush.
    PERFORM 1 FROM es.events e
        WHERE (e.xid, e.seq) > (last.xid, last.seq) AND e.seq > last.adopted
          AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.seq LIMIT 1;
    IF NOT FOUND THEN
        RETURN last.place;
    END IF;
    PERFORM 1 FROM es.relay WHERE name = 'log' AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another relay leads' USING ERRCODE = 'ES410';
    END IF;
    SELECT * INTO last FROM es.tail();
    FOR next IN
        SELECT found.event, s AS stream
        FROM (SELECT e AS event FROM es.events e
              WHERE (e.xid, e.seq) > (last.xid, last.seq) AND e.seq > last.adopted
                AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
              ORDER BY e.xid, e.seq LIMIT p_limit) AS found
        JOIN es.streams s ON s.stream_id = (found.event).stream_id
        ORDER BY (found.event).xid, (found.event).seq
    LOOP
        last.place := last.place + 1;
        last.hash := es.link(last.hash, last.place, next.event, next.stream);
        INSERT INTO es.log VALUES (last.place, (next.event).xid, (next.event).seq, (next.event).stream_id,
                                   (next.event).version, last.hash);
    END LOOP;
    RETURN last.place;
END $$;

CREATE FUNCTION es.published(p_epoch bigint, p_position bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH moved AS (
        UPDATE es.relay SET published = greatest(published, p_position), updated_at = clock_timestamp()
        WHERE name = 'log' AND epoch = p_epoch RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA es FROM PUBLIC;
GRANT USAGE ON SCHEMA es TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay, regcred_query;
GRANT SELECT ON es.streams, es.events, es.log TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay;
GRANT SELECT ON es.adoptions TO regcred_projector, regcred_relay;
GRANT EXECUTE ON FUNCTION es.tail TO regcred_projector, regcred_relay;
GRANT EXECUTE ON FUNCTION es.repeated TO regcred_credentials, regcred_verifier;
GRANT SELECT ON es.log, es.checkpoints TO regcred_query;
GRANT SELECT, INSERT, UPDATE ON es.checkpoints TO regcred_verifier, regcred_projector, regcred_relay;
GRANT SELECT, INSERT ON es.parked TO regcred_verifier, regcred_projector, regcred_relay;
GRANT EXECUTE ON FUNCTION es.replay TO regcred_credentials;
GRANT EXECUTE ON FUNCTION es.lead, es.sequence, es.published TO regcred_relay;
GRANT SELECT ON es.relay TO regcred_relay, regcred_query;
GRANT SELECT, DELETE ON es.idempotency TO regcred_relay;  -- housekeeping drops keys after their day
