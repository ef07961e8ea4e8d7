-- The log: streams with compare-and-swap, events, and their dense order (ADR 2).
--
-- This file grants no rights. The file of each service grants its role the rights that it needs: a writer calls its own
-- function around es.append, a consumer reads tables, the relay calls the functions that order the log.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA es;


-- Tables ------------------------------------------------------------------------------------------------------------

CREATE TABLE es.streams (
    stream_id  uuid PRIMARY KEY,
    account_id text NOT NULL,
    category   text NOT NULL,
    version    bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);  -- the version is updated in place, on the same page

CREATE TABLE es.events (
    seq            bigint GENERATED ALWAYS AS IDENTITY,        -- order within one transaction, not a position
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(), -- what es.sequence compares with the xid horizon
    event_id       uuid NOT NULL UNIQUE,
    stream_id      uuid NOT NULL,  -- no foreign key: es.append has just written the row of es.streams and holds its lock
    version        bigint NOT NULL,
    type           text NOT NULL,
    schema_version smallint NOT NULL,
    data           jsonb NOT NULL,
    meta           jsonb NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream_id, version)
);
CREATE INDEX events_tail ON es.events (xid, seq);
-- Finds the newest event of each type of a stream, at any length of the stream (eventlog.storage.load_newest). The first
-- event is found by the primary key. Most streams have only that one, and their appends do not write to this index.
CREATE INDEX events_by_type ON es.events (stream_id, type, version) WHERE version > 1;

-- Positions. Only es.sequence and es.adopt write here. `hash` chains every row to the one before it.
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

-- The log was restored into a cluster with lower transaction ids (dump and restore). After `position`, a new order begins
-- with transactions after `xid` and events after `seq`. Only es.adopt writes here (ADR 8).
CREATE TABLE es.adoptions (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position   bigint NOT NULL,
    xid        xid8 NOT NULL,
    seq        bigint NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The leader of each loop that only one process may run: the relay, the consumers of the log and the schedule. `epoch` counts
-- leaders: a former leader has an old epoch and is refused. A lease ends with the session that began it (`pid`), or if it is not
-- renewed.
CREATE TABLE es.leases (
    name       text PRIMARY KEY,
    epoch      bigint NOT NULL,
    pid        integer NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- One row. `published` is the position up to which the broker has confirmed every event.
CREATE TABLE es.relay (
    name       text PRIMARY KEY,
    published  bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO es.relay (name) VALUES ('log');

-- The first response to each idempotency key of an account.
CREATE TABLE es.idempotency (
    account_id  text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    version     bigint NOT NULL,
    response    jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, key)
);
-- Old keys are deleted once an hour by a range of times, and rows are stored in the order of their times. A block range
-- index is enough for that, and adds no index entry to an append.
CREATE INDEX idempotency_age ON es.idempotency USING brin (created_at);

-- Makes a table append-only.
CREATE FUNCTION es.deny() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden: the log is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.events FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.log FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.adoptions FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
-- ALWAYS: also in sessions in which session_replication_role disables triggers.
ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE es.log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE es.adoptions ENABLE ALWAYS TRIGGER append_only;


-- Append ------------------------------------------------------------------------------------------------------------

CREATE TYPE es.new_event AS (
    event_id       uuid,
    type           text,
    schema_version smallint,
    data           jsonb,
    meta           jsonb
);

-- New events of one stream after `expected_version` (0: the stream must be new). With an `idempotency_key`, `response` is
-- stored and returned for each repeated request; `fingerprint` distinguishes the request from others with the same key.
-- `eventlog.storage.append_request` writes this type.
CREATE TYPE es.append_request AS (
    stream_id        uuid,
    account_id       text,
    expected_version bigint,
    events           es.new_event[],
    idempotency_key  text,
    fingerprint      bytea,
    response         jsonb
);

-- The version of the stream after the append. `replayed`: this request or these events were appended before, and
-- `response` is the stored response. Otherwise `response` is NULL, because the caller has it.
CREATE TYPE es.appended AS (
    version  bigint,
    replayed boolean,
    response jsonb
);

-- The version that a stream had after exactly these events, if it has them already. Callers repeat an append whose outcome
-- is unknown. NULL if none of the ids exists; ES423 if one belongs to another event. Only called after a failed append, so
-- that successful appends do not pay for the look-up.
CREATE FUNCTION es.repeated(p_request es.append_request) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known  bigint;
    same   bigint;
    before bigint[];
BEGIN
    SELECT count(*),
           count(*) FILTER (WHERE (e.stream_id, e.type, e.schema_version, e.data, e.meta)
                                = (p_request.stream_id, n.type, n.schema_version, n.data, n.meta)),
           array_agg(DISTINCT e.version - n.number)
        INTO known, same, before
        FROM unnest(p_request.events) WITH ORDINALITY AS n (event_id, type, schema_version, data, meta, number)
        JOIN es.events e ON e.event_id = n.event_id;
    IF known = 0 THEN
        RETURN NULL;
    END IF;
    IF same < cardinality(p_request.events) OR cardinality(before) > 1 THEN
        RAISE EXCEPTION 'an event id belongs to another event' USING ERRCODE = 'ES423';
    END IF;
    RETURN before[1] + cardinality(p_request.events);
END $$;

-- Append in one round trip: idempotency key, compare-and-swap, events, stored response. Only the functions of services
-- call it; they set the search path. Its input is checked by expressions because their plans are cached. A CHECK
-- constraint would be parsed again by each statement that writes to its table.
--   ES409 the key is in flight · ES422 the key was used for another request · ES412 another version (DETAIL: which)
--   ES423 an event id belongs to another event (a violation of events_event_id_key if the version is right)
--   ES431 the log has transaction ids that this cluster has not assigned yet; nothing is written (es.has_lower_ids)
CREATE FUNCTION es.append(p_category text, p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql AS $$
DECLARE
    stored  record;
    event   es.new_event;
    current bigint;
    next    bigint := p_request.expected_version;
BEGIN
    -- The lock on the stream must precede the transaction id. Otherwise (xid, seq) could reverse versions of a stream.
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an append must be the first write of its transaction' USING ERRCODE = '25001';
    END IF;
    -- es.link separates its fields by line feeds.
    IF strpos(concat(p_request.account_id, p_category), E'\n') > 0 THEN
        RAISE EXCEPTION 'an account or a category has a line feed' USING ERRCODE = '23514';
    END IF;
    IF p_request.idempotency_key IS NOT NULL THEN
        IF length(p_request.idempotency_key) NOT BETWEEN 1 AND 255 THEN
            RAISE EXCEPTION 'an idempotency key has 1 to 255 characters' USING ERRCODE = '23514';
        END IF;
        IF NOT pg_try_advisory_xact_lock(
                hashtextextended('key:' || p_request.account_id || ':' || p_request.idempotency_key, 0)) THEN
            RAISE EXCEPTION 'this idempotency key is in flight' USING ERRCODE = 'ES409';
        END IF;
        SELECT i.fingerprint, i.version, i.response INTO stored
            FROM es.idempotency i WHERE i.account_id = p_request.account_id AND i.key = p_request.idempotency_key;
        IF FOUND THEN
            IF stored.fingerprint <> p_request.fingerprint THEN
                RAISE EXCEPTION 'this idempotency key was used for another request' USING ERRCODE = 'ES422';
            END IF;
            RETURN (stored.version, true, stored.response);
        END IF;
    END IF;
    -- es.has_lower_ids, for the cost of one look-up: the highest id of all events comes first. Only after an adoption it can
    -- be that of an adopted event, and then the end of the log decides. A visible event of this cluster is below the upper
    -- bound of the snapshot, so that concurrent appends refuse nothing.
    IF (SELECT e.xid FROM es.events e ORDER BY e.xid DESC, e.seq DESC LIMIT 1) >= pg_snapshot_xmax(pg_current_snapshot())
       AND (NOT EXISTS (SELECT FROM es.adoptions)
            OR (SELECT t.xid FROM es.tail() t) >= pg_snapshot_xmax(pg_current_snapshot())) THEN
        RAISE EXCEPTION 'the log was restored into a cluster with lower transaction ids' USING ERRCODE = 'ES431';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('stream:' || p_request.stream_id, 0));

    IF p_request.expected_version = 0 THEN
        INSERT INTO es.streams AS s (stream_id, account_id, category, version)
            VALUES (p_request.stream_id, p_request.account_id, p_category, cardinality(p_request.events))
            ON CONFLICT DO NOTHING RETURNING s.version INTO current;
    ELSE
        UPDATE es.streams s SET version = s.version + cardinality(p_request.events)
            WHERE s.stream_id = p_request.stream_id AND s.account_id = p_request.account_id
              AND s.category = p_category AND s.version = p_request.expected_version
            RETURNING s.version INTO current;
    END IF;
    IF current IS NULL THEN
        current := es.repeated(p_request);
        IF current IS NOT NULL THEN
            RETURN (current, true, p_request.response);
        END IF;
        RAISE EXCEPTION 'the stream has another version' USING ERRCODE = 'ES412',
            DETAIL = coalesce((SELECT s.version FROM es.streams s WHERE s.stream_id = p_request.stream_id), 0)::text;
    END IF;

    FOREACH event IN ARRAY p_request.events LOOP
        IF strpos(event.type, E'\n') > 0 THEN
            RAISE EXCEPTION 'a type has a line feed' USING ERRCODE = '23514';
        END IF;
        next := next + 1;
        INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)
            VALUES (event.event_id, p_request.stream_id, next, event.type, event.schema_version, event.data, event.meta);
    END LOOP;
    IF p_request.idempotency_key IS NOT NULL THEN
        INSERT INTO es.idempotency (account_id, key, fingerprint, version, response)
            VALUES (p_request.account_id, p_request.idempotency_key, p_request.fingerprint, current, p_request.response);
    END IF;
    RETURN (current, false, NULL::jsonb);
END $$;

-- The stored response to a key, so that a repeated request is answered before anything is written for it.
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


-- Leaders -----------------------------------------------------------------------------------------------------------

-- Whether a lease lasts. An expiry after more than a minute was written before the clock of the database was set back. A process id
-- that another session has now only delays the next leader until the expiry.
CREATE FUNCTION es.lasts(l es.leases) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.expires_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 minute'
       AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)
$$;

CREATE FUNCTION es.has_leader(p_name text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM es.leases l WHERE l.name = p_name AND es.lasts(l))
$$;

-- Begin the next epoch, if nobody leads. NULL if another process does: a standby calls it every second, so it writes nothing
-- then.
CREATE FUNCTION es.lead(p_name text, p_lease interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begun bigint;
BEGIN
    IF es.has_leader(p_name) THEN
        RETURN NULL;
    END IF;
    INSERT INTO es.leases AS l (name, epoch, pid, expires_at)
        VALUES (p_name, 1, pg_backend_pid(), clock_timestamp() + p_lease)
        ON CONFLICT (name) DO UPDATE
            SET epoch = l.epoch + 1, pid = excluded.pid, expires_at = clock_timestamp() + p_lease
            WHERE NOT es.lasts(l)
        RETURNING l.epoch INTO begun;
    RETURN begun;
END $$;

-- Check the epoch of a leader until the end of the transaction: ES410 if another process leads.
CREATE FUNCTION es.fence(p_name text, p_epoch bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM es.leases WHERE name = p_name AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another % leads', p_name USING ERRCODE = 'ES410';
    END IF;
END $$;

-- Whether this epoch still lasts, without a lock; true without a lease. For statements that claim rows.
CREATE FUNCTION es.leads(p_name text, p_epoch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_name IS NULL OR EXISTS (SELECT FROM es.leases WHERE name = p_name AND epoch = p_epoch)
$$;

-- Renew a lease. It may have expired, if nobody else leads. ES410 for a former leader.
CREATE FUNCTION es.renew(p_name text, p_epoch bigint, p_lease interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE es.leases SET expires_at = clock_timestamp() + p_lease WHERE name = p_name AND epoch = p_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another % leads', p_name USING ERRCODE = 'ES410';
    END IF;
END $$;


-- Order -------------------------------------------------------------------------------------------------------------

-- The hash of one row of the log: SHA-256 of these thirteen lines in UTF-8, the last without a line feed (ADR 8).
-- JSON text of PostgreSQL has no raw line feed, and es.append refuses line feeds in the other fields.
CREATE FUNCTION es.link(previous bytea, log_position bigint, e es.events, s es.streams) RETURNS bytea LANGUAGE sql STABLE
RETURN sha256(convert_to(concat_ws(E'\n',
    'regcred-log-1', encode(previous, 'hex'), log_position,
    to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    e.event_id, e.stream_id, s.category, s.account_id, e.version, e.type, e.schema_version, e.data, e.meta), 'UTF8'));

-- The end of the log, and the (xid, seq) after which the next events follow. All events with a `seq` up to `adopted` have
-- a position.
CREATE FUNCTION es.tail(OUT log_position bigint, OUT hash bytea, OUT xid xid8, OUT seq bigint, OUT adopted bigint)
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

-- Whether the log has transaction ids that this cluster has not assigned yet, because it was restored into another cluster
-- (dump and restore). New events would sort before old ones and get no position (ADR 8).
CREATE FUNCTION es.has_lower_ids() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT greatest(t.xid, (SELECT e.xid FROM es.events e WHERE e.seq > t.adopted ORDER BY e.xid DESC, e.seq DESC LIMIT 1))
           >= pg_snapshot_xmax(pg_current_snapshot())
    FROM es.tail() t
$$;

-- Assign positions to committed events that have none. Events at or above the xid horizon (the oldest running transaction)
-- wait, because a transaction with a lower id may still commit. Only the leader calls it; ES410 for a former leader.
CREATE FUNCTION es.sequence(p_epoch bigint, p_limit int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
    next record;
BEGIN
    IF NOT es.leads('relay', p_epoch) THEN
        RAISE EXCEPTION 'another relay leads' USING ERRCODE = 'ES410';
    END IF;
    SELECT * INTO last FROM es.tail();
    -- A call without new events writes nothing, because the lock below costs a transaction id and a flush.
    PERFORM 1 FROM es.events e
        WHERE (e.xid, e.seq) > (last.xid, last.seq) AND e.seq > last.adopted
          AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.seq LIMIT 1;
    IF NOT FOUND THEN
        RETURN last.log_position;
    END IF;
    PERFORM es.fence('relay', p_epoch);
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
        last.log_position := last.log_position + 1;
        last.hash := es.link(last.hash, last.log_position, next.event, next.stream);
        INSERT INTO es.log VALUES (last.log_position, (next.event).xid, (next.event).seq, (next.event).stream_id,
                                   (next.event).version, last.hash);
    END LOOP;
    RETURN last.log_position;
END $$;

-- Record that the broker has confirmed every event up to a position. False for a former leader.
CREATE FUNCTION es.published(p_epoch bigint, p_position bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH lease AS (SELECT FROM es.leases WHERE name = 'relay' AND epoch = p_epoch FOR SHARE),
    moved AS (
        UPDATE es.relay SET published = greatest(published, p_position), updated_at = clock_timestamp()
        WHERE name = 'log' AND EXISTS (SELECT FROM lease) RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Adopt a log that was restored into a cluster with lower transaction ids (ADR 8), or that has events before its end without
-- a position. Events without a position get one, and a row of es.adoptions records where the order of this cluster begins. No
-- event is changed. No service may call this function; the owner of the schema calls it with `regcred log adopt`.
CREATE FUNCTION es.adopt(OUT log_end bigint, OUT assigned bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
    next record;
    newest bigint;
BEGIN
    -- An append locks es.streams before it gets its transaction id, so an append that waits here gets a higher id.
    LOCK TABLE es.streams, es.events, es.log, es.adoptions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO last FROM es.tail();
    SELECT coalesce(max(seq), 0) INTO newest FROM es.events;
    assigned := 0;
    -- No append is running, so any order that preserves the order within each stream is valid; `seq` is such an order.
    FOR next IN
        SELECT e AS event, s AS stream FROM es.events e JOIN es.streams s USING (stream_id)
        WHERE NOT EXISTS (SELECT FROM es.log l WHERE l.stream_id = e.stream_id AND l.version = e.version)
        ORDER BY e.seq
    LOOP
        assigned := assigned + 1;
        last.log_position := last.log_position + 1;
        last.hash := es.link(last.hash, last.log_position, next.event, next.stream);
        INSERT INTO es.log VALUES (last.log_position, (next.event).xid, (next.event).seq, (next.event).stream_id,
                                   (next.event).version, last.hash);
    END LOOP;
    -- If the copy did not include the sequence, new events would get lower numbers than existing ones.
    PERFORM setval('es.events_seq_seq', greatest(newest, nextval('es.events_seq_seq')));
    INSERT INTO es.adoptions (position, xid, seq) VALUES (last.log_position, pg_current_xact_id(), newest);
    log_end := last.log_position;
END $$;


-- Metrics -----------------------------------------------------------------------------------------------------------

-- Metrics for operators. The function returns numbers only, so every service may call it without a right to read tables.
-- It costs a few index look-ups at any size of the log.
--
-- The oldest write transaction of the cluster delays positions (es.sequence). PostgreSQL shows the times of other users'
-- transactions to superusers and to members of pg_read_all_stats. For other owners of this schema the value is NULL.
CREATE FUNCTION es.log_metrics(
    OUT log_position bigint, OUT published_position bigint,
    OUT horizon_lag_seconds float8, OUT oldest_write_xact_seconds float8
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.log_position,
           (SELECT r.published FROM es.relay r WHERE r.name = 'log'),
           coalesce((SELECT greatest(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)
                     FROM es.events e
                     WHERE (e.xid, e.seq) > (t.xid, t.seq) AND e.seq > t.adopted
                     ORDER BY e.xid, e.seq LIMIT 1), 0)::float8,
           (SELECT CASE WHEN bool_or(w.since IS NULL) THEN NULL
                        ELSE coalesce(greatest(extract(epoch FROM clock_timestamp() - min(w.since)), 0), 0) END
            FROM (SELECT a.xact_start FROM pg_stat_activity a WHERE a.backend_xid IS NOT NULL
                  UNION ALL
                  SELECT p.prepared FROM pg_prepared_xacts p) AS w (since))::float8
    FROM es.tail() t
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA es FROM PUBLIC;
