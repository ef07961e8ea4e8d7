-- What a consumer could not handle waits in the order of its stream: with the event that failed wait all later ones.
--   stream_id  which redrive it waits for: its own stream, or (projector) the stream of the credential it is about
--   attempts   how often it was taken up: parking is the first time, each redrive that fails on it is one more
ALTER TABLE es.parked ADD COLUMN stream_id uuid, ADD COLUMN attempts integer NOT NULL DEFAULT 1 CHECK (attempts > 0);
UPDATE es.parked p SET stream_id = l.stream_id FROM es.log l WHERE l.position = p.position;
ALTER TABLE es.parked ALTER COLUMN stream_id SET NOT NULL;
CREATE INDEX parked_in_order ON es.parked (consumer, stream_id, position);

GRANT UPDATE (stream_id, attempts, reason), DELETE ON es.parked TO regcred_verifier, regcred_projector, regcred_relay;
GRANT SELECT ON es.parked TO regcred_query;

-- The trail has a row for a parked event from the beginning, as far as it could be read. A redrive replaces it: only
-- rows of parked events can be taken back, the projector itself may not delete from the trail.
CREATE FUNCTION rm.retract_parked(n integer, positions bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.audit_images i USING es.parked p WHERE i.position = ANY ($1)'
                   ' AND p.position = i.position AND p.consumer = $2', 'rm_g' || n)
        USING positions, 'projector:' || n;
    EXECUTE format('DELETE FROM %I.audit_events a USING es.parked p WHERE a.position = ANY ($1)'
                   ' AND p.position = a.position AND p.consumer = $2', 'rm_g' || n)
        USING positions, 'projector:' || n;
END $$;
REVOKE ALL ON FUNCTION rm.retract_parked FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rm.retract_parked TO regcred_projector;
