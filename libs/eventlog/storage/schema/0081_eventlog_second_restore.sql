-- One rule for es.append, the relay and `regcred doctor` finds a log that was restored into a cluster with lower transaction
-- ids, also after an adoption (ADR 8).

-- The highest transaction id that the log has: of an event, or of the newest adoption.
CREATE FUNCTION es.highest_id() RETURNS xid8 LANGUAGE sql STABLE
RETURN greatest((SELECT e.xid FROM es.events e ORDER BY e.xid DESC, e.seq DESC LIMIT 1),
                (SELECT a.xid FROM es.adoptions a ORDER BY a.number DESC LIMIT 1));
REVOKE ALL ON FUNCTION es.highest_id FROM PUBLIC;

-- Whether the log has transaction ids that this cluster has not assigned yet, because it was restored into another cluster
-- (dump and restore). New events would sort before old ones and get no position (ADR 8). After an adoption in this cluster,
-- restored events may have such ids: all of them have a position. A row that was restored has another xmin than the id of the
-- transaction that adopted the log. A physical copy (a standby, pg_upgrade) preserves both xmin and the ids of the cluster.
-- A later migration that rewrites the rows of es.adoptions would let each log count as restored.
CREATE OR REPLACE FUNCTION es.has_lower_ids() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT es.highest_id() >= pg_snapshot_xmax(pg_current_snapshot())
       AND coalesce((SELECT a.xmin <> a.xid::xid FROM es.adoptions a ORDER BY a.number DESC LIMIT 1), true)
$$;

-- As before, except for the check of transaction ids.
CREATE OR REPLACE FUNCTION es.append(p_category text, p_request es.append_request) RETURNS es.appended
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
    -- The first look-up is all that an append pays, unless ids are ahead of this cluster. A visible event of this cluster is
    -- below the upper bound of the snapshot, so that concurrent appends refuse nothing.
    IF es.highest_id() >= pg_snapshot_xmax(pg_current_snapshot()) AND es.has_lower_ids() THEN
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
