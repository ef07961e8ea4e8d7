-- The projector: the generations of the read models, the archived segments of the audit trail, the records of reads of the
-- audit trail, and the rights of two roles, the projector's own and the query API's.
--
-- A rebuild creates new read models from the log while queries read the current ones (ADR 9). A generation is one complete
-- set of read models in a schema of its own, `rm_g<N>`. Queries read the live generation through the views `rm.*`. The other
-- generations are being built, or are stored so that an operator can switch back. The tables of a generation are defined in
-- `projector/generation/`: each rebuild creates them, and they may change from release to release.
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

-- `position` is the checkpoint. The transaction that changes the tables of a generation locks this row first, and updates
-- the checkpoint.
CREATE TABLE rm.generations (
    generation integer PRIMARY KEY CHECK (generation > 0),
    status     text NOT NULL DEFAULT 'building' CHECK (status IN ('building', 'live', 'retired')),
    position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX one_live_one_building ON rm.generations (status) WHERE status <> 'retired';

-- Operators see the live generation as the consumer `projector`, and a generation that is being built as
-- `projector:building`.
CREATE OR REPLACE VIEW es.consumer_positions AS
    SELECT consumer, consumer AS dead_letter_name, position FROM es.checkpoints
    UNION ALL
    SELECT 'publishing', 'publishing', r.published FROM es.relay r
    WHERE EXISTS (SELECT FROM es.retries WHERE consumer = 'publishing')
       OR EXISTS (SELECT FROM es.dead_letters WHERE consumer = 'publishing')
    UNION ALL
    SELECT CASE g.status WHEN 'live' THEN 'projector' ELSE 'projector:building' END, 'projector:' || g.generation, g.position
    FROM rm.generations g WHERE g.status <> 'retired';

-- Make generation `n` the live one. The caller has locked the rows of both generations and applied the events that were
-- missing.
--   RM409 the checkpoint of generation `n` is before that of the live one
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

-- Remove a generation that is not live.
--   RM409 the generation is live, or does not exist
CREATE FUNCTION rm.drop_generation(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    DELETE FROM rm.generations WHERE generation = n AND status <> 'live';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'generation % is live, or does not exist', n USING ERRCODE = 'RM409';
    END IF;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'rm_g' || n LOOP
        EXECUTE format('DROP TABLE %I.%I', 'rm_g' || n, name);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', 'rm_g' || n);
    DELETE FROM es.dead_letters WHERE consumer = 'projector:' || n;
END $$;

-- Delete the rows of dead letters from the audit trail of generation `n`. A dead letter has a row there as far as its event
-- could be read; a redrive replaces this row. The projector has no right to delete other rows of the audit trail.
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

-- A JSON document of the audit trail in which the texts at these paths (arrays of names) are replaced by `erased`.
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

-- Change the rows of an erased account in the audit trail of a generation to what a rebuild would write. These are the rows
-- before the last `account.erased` of the account in the log; without such an event, nothing changes. `p_paths` has the paths
-- of personal data by action (`projector.write.projections.audit.personal_paths`). They come from the classes of the events,
-- because a stored event of an old version has other names than its row.
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

-- The archived segments of the audit trail (ADR 15). Rows up to the highest `last_position` are in segments and no longer in
-- the read models. The log still has their events.
--
-- `regcred audit seal` writes one row per segment as the owner of the database, after it has verified the segment's files. No
-- role of a service may write to this table or delete from the audit trail.
CREATE TABLE rm.audit_segments (
    last_position  bigint PRIMARY KEY,
    first_position bigint NOT NULL UNIQUE CHECK (first_position > 0),
    row_count      bigint NOT NULL CHECK (row_count >= 0),
    earliest       timestamptz,             -- time of the earliest row; NULL if the segment has no rows
    latest         timestamptz,
    manifest       bytea NOT NULL CHECK (octet_length(manifest) = 32),  -- SHA-256 of `manifest.json`
    archived_at    timestamptz NOT NULL,
    finished       boolean NOT NULL DEFAULT false,  -- its events are recorded, its rows are deleted
    CHECK (first_position <= last_position)
);


-- Reads of the audit trail ------------------------------------------------------------------------------------------

-- Append the event `audit.read`. No service writes to `audit` streams in another way, and the query API writes nothing else.
CREATE FUNCTION audit.append(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_request.expected_version <> 0 OR cardinality(p_request.events) <> 1
        OR (p_request.events[1]).type IS DISTINCT FROM 'audit.read' THEN
        RAISE EXCEPTION 'audit.append accepts only one new event audit.read' USING ERRCODE = '42501';
    END IF;
    RETURN es.append('audit', p_request);
END $$;


-- The projector
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rm FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT USAGE ON SCHEMA es, rm, personal, installation TO regcred_projector;
GRANT SELECT ON installation.identity, installation.key_checks TO regcred_projector;
GRANT SELECT ON es.streams, es.events, es.log, es.adoptions TO regcred_projector;
GRANT SELECT, INSERT, UPDATE ON es.checkpoints TO regcred_projector;
GRANT SELECT, INSERT, UPDATE (stream_id, attempts, reason), DELETE ON es.dead_letters TO regcred_projector;
GRANT EXECUTE ON FUNCTION es.tail, es.log_metrics, es.consumer_metrics TO regcred_projector;
GRANT SELECT ON personal.keys TO regcred_projector;
GRANT SELECT, UPDATE (position, updated_at) ON rm.generations TO regcred_projector;
GRANT SELECT ON rm.audit_segments TO regcred_projector;
GRANT EXECUTE ON FUNCTION rm.go_live, rm.drop_generation, rm.retract_dead_letters, rm.erase_account TO regcred_projector;

-- The query API
GRANT USAGE ON SCHEMA es, rm, audit, personal, installation, auth TO regcred_query;
GRANT SELECT ON installation.identity, installation.key_checks TO regcred_query;
GRANT SELECT ON es.log, es.checkpoints, es.relay, es.dead_letters, es.retries TO regcred_query;
GRANT EXECUTE ON FUNCTION es.log_metrics, es.consumer_metrics TO regcred_query;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_query;
GRANT SELECT ON rm.generations, rm.audit_segments TO regcred_query;
GRANT SELECT ON auth.tokens TO regcred_query;
GRANT EXECUTE ON FUNCTION audit.append TO regcred_query;
