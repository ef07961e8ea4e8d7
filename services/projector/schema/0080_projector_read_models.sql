-- The projector: the generations of the read models, archived segments of the audit trail, the record that the trail was
-- read, and the rights of its two roles, the projector's own and the query API's.
--
-- Read models can be built anew from the log, beside those that are being read (ADR 9). A generation is one complete set of
-- them in a schema of its own, `rm_g<N>`. Readers see the live one through the views `rm.*`; the others are being built or
-- are stored for going back. The tables of a generation are not here but in `projector/generation/`: they are created by
-- each rebuild and may change from release to release.
DO $$ BEGIN
    CREATE ROLE regcred_projector NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- as in the credentials service's file
END $$;
DO $$ BEGIN
    CREATE ROLE regcred_query NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

CREATE SCHEMA rm;
CREATE SCHEMA audit;


-- Generations -------------------------------------------------------------------------------------------------------

-- `position` is the checkpoint: it moves in the transaction that changes the generation's tables, which locks this row
-- before it changes them.
CREATE TABLE rm.generations (
    generation integer PRIMARY KEY CHECK (generation > 0),
    status     text NOT NULL DEFAULT 'building' CHECK (status IN ('building', 'live', 'retired')),
    position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX one_live_one_building ON rm.generations (status) WHERE status <> 'retired';

-- Operators see the live generation as the consumer `projector`; one that is being built is shown apart.
CREATE OR REPLACE VIEW es.consumer_positions AS
    SELECT consumer, consumer AS dead_letter_name, position FROM es.checkpoints
    UNION ALL
    SELECT CASE g.status WHEN 'live' THEN 'projector' ELSE 'projector:building' END, 'projector:' || g.generation, g.position
    FROM rm.generations g WHERE g.status <> 'retired';

-- Let readers see generation `n`. The caller has locked both rows and applied the tail.
--   RM409 its state is older than the one that readers have seen
CREATE FUNCTION rm.go_live(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    IF (SELECT position FROM rm.generations WHERE generation = n)
        < (SELECT position FROM rm.generations WHERE status = 'live') THEN
        RAISE EXCEPTION 'generation % is behind the live one', n USING ERRCODE = 'RM409';
    END IF;
    UPDATE rm.generations SET status = 'retired', updated_at = clock_timestamp() WHERE status = 'live';
    UPDATE rm.generations SET status = 'live', updated_at = clock_timestamp() WHERE generation = n;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'rm_g' || n ORDER BY tablename LOOP
        EXECUTE format('CREATE OR REPLACE VIEW rm.%1$I AS SELECT * FROM %2$I.%1$I', name, 'rm_g' || n);
        EXECUTE format('GRANT SELECT ON rm.%I TO regcred_query', name);
    END LOOP;
END $$;

-- Remove a generation that nobody reads.
--   RM409 it is the live one (which the views would hold anyway), or there is none
CREATE FUNCTION rm.drop_generation(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    DELETE FROM rm.generations WHERE generation = n AND status <> 'live';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'generation % is live, or there is none', n USING ERRCODE = 'RM409';
    END IF;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'rm_g' || n LOOP
        EXECUTE format('DROP TABLE %I.%I', 'rm_g' || n, name);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', 'rm_g' || n);
    DELETE FROM es.dead_letters WHERE consumer = 'projector:' || n;
END $$;

-- The trail has a row for a dead letter from the beginning, as far as the event could be read. A redrive replaces it: only
-- rows of dead letters can be deleted, the projector itself has no right to delete from the trail.
CREATE FUNCTION rm.retract_dead_letters(n integer, positions bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.audit_images i USING es.dead_letters p WHERE i.position = ANY ($1)'
                   ' AND p.position = i.position AND p.consumer = $2', 'rm_g' || n)
        USING positions, 'projector:' || n;
    EXECUTE format('DELETE FROM %I.audit_events a USING es.dead_letters p WHERE a.position = ANY ($1)'
                   ' AND p.position = a.position AND p.consumer = $2', 'rm_g' || n)
        USING positions, 'projector:' || n;
END $$;


-- Erasure of personal data (ADR 14) ---------------------------------------------------------------------------------

-- A JSON document of the audit trail in which the texts at these paths (arrays of names) read `erased`.
CREATE FUNCTION rm.erased(document jsonb, paths jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names jsonb;
    path  text[];
BEGIN
    FOR names IN SELECT * FROM jsonb_array_elements(paths) LOOP
        path := ARRAY(SELECT jsonb_array_elements_text(names));
        IF jsonb_typeof(document #> path) = 'string' THEN
            document := jsonb_set(document, path, '"erased"');
        END IF;
    END LOOP;
    RETURN document;
END $$;

-- Write the rows of an erased account in a generation's audit trail as a rebuild would write them now. The log says which
-- rows these are: those before the last `account.erased` of the account. It changes nothing in an account without that event.
-- `p_paths` has, by action, the paths that are personal in its events (`projector.write.projections.audit.personal_paths`).
-- They come from the classes of the events: a stored event of an old version has other names than the row that shows it.
CREATE FUNCTION rm.erase_account(n integer, p_account text, p_paths jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    erased_before bigint;
BEGIN
    -- An erasure without a position yet comes after every row that a generation can have.
    SELECT max(coalesce(l.position, 9223372036854775807)) INTO erased_before
        FROM es.streams s LEFT JOIN es.log l ON l.stream_id = s.stream_id
        WHERE s.account_id = p_account AND s.category = 'account';
    IF erased_before IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($$
        UPDATE %I.audit_events SET
            actor_id = CASE actor_type WHEN 'system' THEN actor_id ELSE 'erased' END,
            actor_name = CASE actor_type WHEN 'system' THEN actor_name ELSE 'erased' END,
            on_behalf_of = CASE WHEN on_behalf_of IS NOT NULL THEN 'erased' END,
            source_ip = CASE WHEN source_ip IS NOT NULL THEN 'erased' END,
            credential_name = CASE WHEN credential_name IS NOT NULL THEN 'erased' END,
            reason = CASE WHEN $3->action @> '[["reason"]]' AND reason IS NOT NULL THEN 'erased' ELSE reason END,
            before = CASE WHEN $3 ? action THEN rm.erased(before, $3->action) ELSE before END,
            after = CASE WHEN $3 ? action THEN rm.erased(after, $3->action) ELSE after END
        WHERE account_id = $1 AND position < $2 AND action <> 'account.erased' $$, 'rm_g' || n)
        USING p_account, erased_before, p_paths;
END $function$;


-- Archive -----------------------------------------------------------------------------------------------------------

-- How much of the audit trail has moved from the read models to archived segments (ADR 15): everything up to the highest
-- `last_position`. The log still has it.
--
-- One row per segment, written by `regcred audit seal` as the owner of the database once its files are verified; no
-- service's role may write here, nor delete from the trail.
CREATE TABLE rm.audit_segments (
    last_position  bigint PRIMARY KEY,
    first_position bigint NOT NULL UNIQUE CHECK (first_position > 0),
    row_count      bigint NOT NULL CHECK (row_count >= 0),
    earliest       timestamptz,             -- of the rows' times; NULL where there are no rows
    latest         timestamptz,
    manifest       bytea NOT NULL CHECK (octet_length(manifest) = 32),  -- SHA-256 of `manifest.json`
    archived_at    timestamptz NOT NULL,
    finished       boolean NOT NULL DEFAULT false,  -- its events are recorded, its rows are deleted
    CHECK (first_position <= last_position)
);


-- Reads of the trail ------------------------------------------------------------------------------------------------

-- The only way in which an `audit` stream is written by a service, and the only thing that the query API may write: that
-- the audit trail was read.
CREATE FUNCTION audit.append(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_request.expected_version <> 0 OR cardinality(p_request.events) <> 1
        OR (p_request.events[1]).type IS DISTINCT FROM 'audit.read' THEN
        RAISE EXCEPTION 'only reads of the trail are recorded here' USING ERRCODE = '42501';
    END IF;
    RETURN es.append('audit', p_request);
END $$;


-- The projector
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rm FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT USAGE ON SCHEMA es, rm, personal TO regcred_projector;
GRANT SELECT ON es.streams, es.events, es.log, es.adoptions TO regcred_projector;
GRANT SELECT, INSERT, UPDATE ON es.checkpoints TO regcred_projector;
GRANT SELECT, INSERT, UPDATE (stream_id, attempts, reason), DELETE ON es.dead_letters TO regcred_projector;
GRANT EXECUTE ON FUNCTION es.tail, es.log_metrics, es.consumer_metrics TO regcred_projector;
GRANT SELECT ON personal.keys TO regcred_projector;
GRANT SELECT, UPDATE (position, updated_at) ON rm.generations TO regcred_projector;
GRANT SELECT ON rm.audit_segments TO regcred_projector;
GRANT EXECUTE ON FUNCTION rm.go_live, rm.drop_generation, rm.retract_dead_letters, rm.erase_account TO regcred_projector;

-- The query API
GRANT USAGE ON SCHEMA es, rm, audit, personal, auth TO regcred_query;
GRANT SELECT ON es.log, es.checkpoints, es.relay, es.dead_letters, es.retries TO regcred_query;
GRANT EXECUTE ON FUNCTION es.log_metrics, es.consumer_metrics TO regcred_query;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_query;
GRANT SELECT ON rm.generations, rm.audit_segments TO regcred_query;
GRANT SELECT ON auth.tokens TO regcred_query;
GRANT EXECUTE ON FUNCTION audit.append TO regcred_query;
