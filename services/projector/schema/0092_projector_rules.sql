-- The projector adds rows to the audit trail in the order of the log, and cannot remove one that belongs to an event of the log. It decides
-- neither which generation is live nor when a complete one is dropped: the owner does. The query API records reads only.


-- Generations -------------------------------------------------------------------------------------------------------

ALTER TABLE rm.generations ENABLE ROW LEVEL SECURITY;
CREATE POLICY query ON rm.generations FOR SELECT TO regcred_query USING (true);
CREATE POLICY projector ON rm.generations TO regcred_projector USING (true) WITH CHECK (position <= es.log_end());

-- The checkpoint of a generation only increases, because a dead letter is accepted only after it. The time at which a generation
-- was retired decides when it may be dropped. Only the owner may set either back.
CREATE FUNCTION rm.keep_checkpoint() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF row_security_active('rm.generations') THEN
        RAISE EXCEPTION 'generation % cannot be set back', OLD.generation USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_checkpoint BEFORE UPDATE ON rm.generations FOR EACH ROW
    WHEN (NEW.position < OLD.position OR OLD.status = 'retired' AND NEW.updated_at < OLD.updated_at)
    EXECUTE FUNCTION rm.keep_checkpoint();

REVOKE ALL ON FUNCTION rm.go_live FROM regcred_projector;

-- As before, except that a service drops only what was retired 7 days ago (`projector.write.generations.RETIRED_GRACE`).
CREATE OR REPLACE FUNCTION rm.drop_generation(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    DELETE FROM rm.generations WHERE generation = n AND status <> 'live'
        AND (pg_has_role(es.caller(), current_user, 'MEMBER')
             OR status = 'retired' AND updated_at < clock_timestamp() - interval '7 days');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'generation % is live, does not exist, or was not retired 7 days ago', n USING ERRCODE = 'RM409';
    END IF;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'rm_g' || n LOOP
        EXECUTE format('DROP TABLE %I.%I', 'rm_g' || n, name);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', 'rm_g' || n);
    DELETE FROM es.dead_letters WHERE consumer = 'projector:' || n;
END $$;


-- Dead letters ------------------------------------------------------------------------------------------------------

-- An event becomes a dead letter before the checkpoint passes it, never later.
CREATE POLICY projector ON es.dead_letters TO regcred_projector USING (consumer LIKE 'projector:%')
    WITH CHECK (consumer LIKE 'projector:%');
CREATE POLICY projector_adds ON es.dead_letters AS RESTRICTIVE FOR INSERT TO regcred_projector
    WITH CHECK (position > (SELECT g.position FROM rm.generations g WHERE 'projector:' || g.generation = consumer));

-- Rows of dead letters that a transaction has deleted from the audit trail. It must write each of them again before it ends.
CREATE TABLE rm.retracted (
    generation integer NOT NULL,
    position   bigint NOT NULL
);
CREATE FUNCTION rm.require_replacement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    replaced boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I.audit_events a JOIN es.log l ON l.position = a.position'
        ' JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version JOIN es.streams s ON s.stream_id = l.stream_id'
        ' WHERE a.position = $1 AND a.event_id = e.event_id AND a.account_id = s.account_id AND a.action = e.type)',
        'rm_g' || NEW.generation) INTO replaced USING NEW.position;
    IF NOT replaced THEN
        RAISE EXCEPTION 'the row of position % is not written again', NEW.position USING ERRCODE = '42501';
    END IF;
    DELETE FROM rm.retracted WHERE generation = NEW.generation AND position = NEW.position;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER require_replacement AFTER INSERT ON rm.retracted DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION rm.require_replacement();

-- As before, except that each deleted row must be written again in the same transaction.
CREATE OR REPLACE FUNCTION rm.retract_dead_letters(n integer, positions bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.audit_images i USING es.dead_letters p WHERE i.position = ANY ($1)'
                   ' AND p.position = i.position AND p.consumer = $2', 'rm_g' || n)
        USING positions, 'projector:' || n;
    EXECUTE format('WITH deleted AS (DELETE FROM %I.audit_events a USING es.dead_letters p WHERE a.position = ANY ($1)'
                   ' AND p.position = a.position AND p.consumer = $2 RETURNING a.position)'
                   ' INSERT INTO rm.retracted SELECT $3, position FROM deleted', 'rm_g' || n)
        USING positions, 'projector:' || n, n;
END $$;


-- Reads of the audit trail ------------------------------------------------------------------------------------------

-- As before, except that the stream must be the read's own, and that it uses no idempotency key. Ids of version 5 are derived:
-- they belong to streams of other services.
CREATE OR REPLACE FUNCTION audit.append(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM es.require_events(p_request, ARRAY['audit.read'], 'read_id');
    IF p_request.expected_version <> 0 OR cardinality(p_request.events) <> 1 OR p_request.idempotency_key IS NOT NULL
        OR substr(p_request.stream_id::text, 15, 1) = '5' THEN
        RAISE EXCEPTION 'audit.append accepts only one new event audit.read' USING ERRCODE = '42501';
    END IF;
    RETURN es.append('audit', p_request);
END $$;


REVOKE ALL ON FUNCTION rm.keep_checkpoint, rm.require_replacement FROM PUBLIC;
REVOKE ALL ON es.checkpoints FROM regcred_projector;  -- its checkpoint is in rm.generations
GRANT SELECT, INSERT, UPDATE ON es.leases TO regcred_projector;
GRANT EXECUTE ON FUNCTION es.lasts, es.log_end TO regcred_projector;
CREATE POLICY projector ON es.leases TO regcred_projector USING (name = 'projector');
CREATE POLICY query ON es.checkpoints FOR SELECT TO regcred_query USING (true);
CREATE POLICY query ON es.dead_letters FOR SELECT TO regcred_query USING (true);
CREATE POLICY query ON es.retries FOR SELECT TO regcred_query USING (true);
