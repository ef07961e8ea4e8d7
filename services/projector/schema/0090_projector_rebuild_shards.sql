-- A generation that several processes build at once: each applies the events of its own accounts up to `until`, and has its
-- checkpoint here (ADR 16). The rows go in the transaction that moves the generation's own checkpoint to `until`; while there
-- are any, nobody may apply events to the generation by that.
--
-- `position` moves in the transaction that changes the generation's tables, whoever does that locks the row first; `applied`
-- counts the shard's events. Rows that are only added are there up to `position`, those that change up to `complete`: a
-- process keeps them for a while instead of writing them for each event. What it leaves when it dies is undone by `rm.go_back`.
CREATE TABLE rm.rebuild_shards (
    generation       integer NOT NULL REFERENCES rm.generations ON DELETE CASCADE,
    shard            integer NOT NULL CHECK (shard > 0),
    accounts         text[] NOT NULL,
    until            bigint NOT NULL,
    position         bigint NOT NULL DEFAULT 0 CHECK (position BETWEEN complete AND until),
    applied          bigint NOT NULL DEFAULT 0 CHECK (applied BETWEEN complete_applied AND until),
    complete         bigint NOT NULL DEFAULT 0 CHECK (complete >= 0),
    complete_applied bigint NOT NULL DEFAULT 0 CHECK (complete_applied >= 0),
    PRIMARY KEY (generation, shard)
);
GRANT SELECT, INSERT, UPDATE (position, applied, complete, complete_applied), DELETE ON rm.rebuild_shards TO regcred_projector;

-- Remove what is added to a shard's tables beyond the position up to which they are complete, and go on from there. Spans of
-- the trail stay: they would come to the same again.
CREATE FUNCTION rm.go_back(n integer, p_shard integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at   rm.rebuild_shards;
    name text;
BEGIN
    SELECT * INTO at FROM rm.rebuild_shards s
        WHERE s.generation = n AND s.shard = p_shard AND s.position > s.complete FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOREACH name IN ARRAY ARRAY['verifications', 'audit_events', 'audit_images'] LOOP
        EXECUTE format('DELETE FROM %I.%I WHERE position > $1 AND position <= $2 AND account_id = ANY ($3)', 'rm_g' || n, name)
            USING at.complete, at.position, at.accounts;
    END LOOP;
    DELETE FROM es.parked p USING es.log l, es.streams s
        WHERE p.consumer = 'projector:' || n AND p.position > at.complete AND p.position <= at.position
          AND l.position = p.position AND s.stream_id = l.stream_id AND s.account_id = ANY (at.accounts);
    UPDATE rm.rebuild_shards s SET position = complete, applied = complete_applied
        WHERE s.generation = n AND s.shard = p_shard;
END $$;
REVOKE ALL ON FUNCTION rm.go_back FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rm.go_back TO regcred_projector;
