-- Read models of the projector: everything here can be built anew from the log, beside what is being read (ADR 9).
--
-- A generation is one complete set of read models in a schema of its own, `rm_g<N>`. Readers see the live one through
-- the views `rm.*`; the others are being built or are kept for going back.
CREATE SCHEMA rm;

-- `position` is the checkpoint: it moves in the transaction that changes the generation's tables. Whoever changes them
-- locks this row first.
CREATE TABLE rm.generations (
    generation integer PRIMARY KEY CHECK (generation > 0),
    status     text NOT NULL DEFAULT 'building' CHECK (status IN ('building', 'live', 'retired')),
    position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX one_live_one_building ON rm.generations (status) WHERE status <> 'retired';

-- A new, empty generation. A later migration that changes the tables replaces this function: columns are added at the
-- end (views can only grow there), the projector leaves out what an older generation does not have.
CREATE FUNCTION rm.create_generation(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    INSERT INTO rm.generations (generation) VALUES (n);
    EXECUTE format('CREATE SCHEMA %I', 'rm_g' || n);
    EXECUTE replace($tables$
    CREATE TABLE {}.credentials (
        credential_id           uuid PRIMARY KEY,
        account_id              text NOT NULL,
        name                    text NOT NULL,
        provider                text NOT NULL,
        registry_host           text NOT NULL,
        location                text,
        username                text NOT NULL,
        repository_prefixes     text[] NOT NULL,
        description             text NOT NULL,
        pull                    boolean NOT NULL,
        push                    boolean NOT NULL,
        restricted              boolean NOT NULL,
        projects                text[] NOT NULL,
        secret_version          integer NOT NULL,
        expires_at              timestamptz,
        verification_status     text NOT NULL,
        verification_code       text,
        verification_detail     text,
        verification_checked_at timestamptz,
        version                 bigint NOT NULL,
        created_at              timestamptz NOT NULL,
        updated_at              timestamptz NOT NULL
    );

    CREATE TABLE {}.usages (
        usage_id       uuid PRIMARY KEY,  -- follows from credential, project and workload
        account_id     text NOT NULL,
        credential_id  uuid NOT NULL,
        project_id     text NOT NULL,
        workload_kind  text NOT NULL,
        workload_name  text NOT NULL,
        images         text[] NOT NULL,   -- the latest first, 50 at most
        secret_version integer NOT NULL,
        first_used_at  timestamptz NOT NULL,
        last_used_at   timestamptz NOT NULL
    );

    CREATE TABLE {}.verifications (
        verification_id uuid PRIMARY KEY,
        position        bigint NOT NULL,
        credential_id   uuid NOT NULL,
        account_id      text NOT NULL,
        provider        text NOT NULL,
        status          text NOT NULL,
        code            text,
        detail          text NOT NULL,
        trigger         text NOT NULL,
        secret_version  integer NOT NULL,
        checked_at      timestamptz NOT NULL,
        duration_ms     integer NOT NULL
    );

    CREATE TABLE {}.audit_events (
        position        bigint PRIMARY KEY,
        event_id        uuid NOT NULL,  -- the log keeps it unique
        account_id      text NOT NULL,
        time            timestamptz NOT NULL,
        action          text NOT NULL,
        outcome         text NOT NULL,
        reason          text,
        actor_type      text NOT NULL,
        actor_id        text NOT NULL,
        actor_name      text NOT NULL,
        on_behalf_of    text,
        source_ip       text,
        credential_id   uuid,
        credential_name text,
        project_id      text,
        registry_host   text,
        image           text,
        secret_version  integer,
        before          jsonb,
        after           jsonb,
        request_id      text NOT NULL,
        correlation_id  text NOT NULL,
        causation_id    text
    );

    CREATE TABLE {}.audit_images (  -- a row of the trail may be about many
        account_id text NOT NULL,
        image      text NOT NULL,
        position   bigint NOT NULL,
        PRIMARY KEY (account_id, image, position)
    );

    CREATE TABLE {}.audit_spans (  -- between which moments 1024 positions lie
        span     bigint PRIMARY KEY,
        earliest timestamptz NOT NULL,
        latest   timestamptz NOT NULL
    );

    GRANT USAGE ON SCHEMA {} TO regcred_projector;
    GRANT SELECT, INSERT, UPDATE, DELETE ON {}.credentials, {}.usages, {}.audit_spans TO regcred_projector;
    GRANT SELECT, INSERT ON {}.verifications, {}.audit_events, {}.audit_images TO regcred_projector;
    $tables$, '{}', quote_ident('rm_g' || n));
END $function$;

-- Statements that make the indexes which generation `n` lacks, for whoever owns the tables. Not by the function above: they
-- are made after the rows, and CONCURRENTLY, which no function can (`projector/indexing.py`).
CREATE FUNCTION rm.missing_indexes(n integer) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT statement FROM (VALUES
        ('credentials_by_name',         'credentials',   '(account_id, lower(name), credential_id)'),
        ('usages_of_credential',        'usages',        '(credential_id, last_used_at, usage_id)'),
        ('verifications_of_credential', 'verifications', '(credential_id, position)'),
        -- Every filter ends in the order of the trail, so that a page is read from one place of one index.
        ('audit_of_account',            'audit_events',  '(account_id, position)'),
        ('audit_of_credential',         'audit_events',  '(credential_id, position)'),
        ('audit_by_action',             'audit_events',  '(account_id, action, position)'),
        ('audit_by_actor',              'audit_events',  '(account_id, actor_id, position)'),
        ('audit_by_project',            'audit_events',  '(account_id, project_id, position) WHERE project_id IS NOT NULL'),
        ('audit_by_host',               'audit_events',  '(account_id, registry_host, position) WHERE registry_host IS NOT NULL'),
        ('audit_by_outcome',            'audit_events',  '(account_id, outcome, position) WHERE outcome <> ''success'''),
        ('audit_by_request',            'audit_events',  '(request_id)')
    ) AS wanted (name, on_table, definition)
    JOIN pg_class t ON t.relname = on_table AND t.relnamespace = to_regnamespace('rm_g' || n)
    LEFT JOIN pg_class c ON c.relname = wanted.name AND c.relnamespace = t.relnamespace
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    CROSS JOIN LATERAL (VALUES
        (1, CASE WHEN c.oid IS NOT NULL THEN format('DROP INDEX CONCURRENTLY %I.%I', 'rm_g' || n, name) END),
        (2, format('CREATE INDEX CONCURRENTLY %I ON %I.%I %s', name, 'rm_g' || n, on_table, definition))
    ) AS step (number, statement)
    WHERE i.indisvalid IS NOT TRUE AND statement IS NOT NULL
    ORDER BY name, number
$$;

-- Let readers see generation `n`. The caller has locked both rows and applied the tail; a state older than the one
-- that readers have seen is refused (RM409).
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

-- Remove a generation that nobody reads. The live one is refused (RM409), and the views would hold it anyway.
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
    DELETE FROM es.parked WHERE consumer = 'projector:' || n;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rm FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rm TO regcred_projector;
GRANT USAGE ON SCHEMA rm TO regcred_projector, regcred_query;
GRANT SELECT, UPDATE (position, updated_at) ON rm.generations TO regcred_projector;
GRANT SELECT ON rm.generations TO regcred_query;

SELECT rm.create_generation(1);
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT rm.missing_indexes(1) LOOP
        EXECUTE replace(statement, ' CONCURRENTLY', '');  -- nobody reads or writes yet
    END LOOP;
END $$;
SELECT rm.go_live(1);
