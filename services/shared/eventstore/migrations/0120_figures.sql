-- What operators watch, for whoever is scraped: numbers only, so that every service may ask and none needs to read more
-- than its role lets it. Both are a handful of index look-ups, whatever the log's size.
--
-- The oldest write transaction of the whole cluster holds positions up (es.sequence). Others' times are shown to a
-- superuser and to members of pg_read_all_stats: an owner of this schema that is neither gets NULL, not a wrong 0.
CREATE FUNCTION es.figures(
    OUT log_position bigint, OUT published_position bigint,
    OUT horizon_lag_seconds float8, OUT oldest_write_xact_seconds float8
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.place,
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

-- Every consumer with a checkpoint. The projector is what readers see; a generation that is being built is shown apart.
CREATE FUNCTION es.consumer_figures()
RETURNS TABLE (consumer text, place bigint, lag_events bigint, lag_seconds float8, parked bigint, retrying bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH checkpoints (consumer, parked_as, place) AS (
        SELECT c.consumer, c.consumer, c.position FROM es.checkpoints c
        UNION ALL
        SELECT CASE g.status WHEN 'live' THEN 'projector' ELSE 'projector:building' END,
               'projector:' || g.generation, g.position
        FROM rm.generations g WHERE g.status <> 'retired'
    )
    SELECT c.consumer, c.place, greatest(t.place - c.place, 0),
           coalesce((SELECT greatest(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)
                     FROM es.log l JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
                     WHERE l.position = c.place + 1), 0)::float8,
           (SELECT count(*) FROM es.parked p WHERE p.consumer = c.parked_as),
           (SELECT count(*) FROM es.retries r WHERE r.consumer = c.consumer)
    FROM checkpoints c, es.tail() t
$$;

REVOKE ALL ON FUNCTION es.figures, es.consumer_figures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION es.figures, es.consumer_figures
    TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay, regcred_query;
