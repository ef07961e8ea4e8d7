-- After a restore into a cluster whose transaction ids are younger than the log (ADR 8). Nothing that happened is changed:
-- what has no position yet is given one, and a row of es.adoptions says from where on this cluster's own order counts.
-- No service may call it; the owner of the schema does, by `regcred log adopt`.
CREATE FUNCTION es.adopt(OUT log_end bigint, OUT placed bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
    next record;
    newest bigint;
BEGIN
    -- An append takes es.streams before it takes its transaction id: whoever waits here will have one above ours.
    LOCK TABLE es.streams, es.events, es.log, es.adoptions IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO last FROM es.tail();
    SELECT coalesce(max(seq), 0) INTO newest FROM es.events;
    placed := 0;
    -- Nothing is running, so any order will do that keeps each stream's, and `seq` does.
    FOR next IN
        SELECT e AS event, s AS stream FROM es.events e JOIN es.streams s USING (stream_id)
        WHERE NOT EXISTS (SELECT FROM es.log l WHERE l.stream_id = e.stream_id AND l.version = e.version)
        ORDER BY e.seq
    LOOP
        placed := placed + 1;
        last.place := last.place + 1;
        last.hash := es.link(last.hash, last.place, next.event, next.stream);
        INSERT INTO es.log VALUES (last.place, (next.event).xid, (next.event).seq, (next.event).stream_id,
                                   (next.event).version, last.hash);
    END LOOP;
    -- A copy that left the sequence behind would number new events below old ones.
    PERFORM setval('es.events_seq_seq', greatest(newest, nextval('es.events_seq_seq')));
    INSERT INTO es.adoptions (position, xid, seq) VALUES (last.place, pg_current_xact_id(), newest);
    log_end := last.place;
END $$;

REVOKE ALL ON FUNCTION es.adopt FROM PUBLIC;
