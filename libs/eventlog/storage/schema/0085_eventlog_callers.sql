-- Rules for the roles of services on what they share: each service uses its own leases, consumers, event types and keys only.
-- The file of each service has the policies of its role. Without a policy, a role sees and changes no row of these tables. The
-- owner of a table, and so each function with the owner's rights, is not limited.

-- In the order in which transactions of services lock them. A long transaction must not let all of them wait behind this one.
SET LOCAL lock_timeout = '5s';
LOCK TABLE personal.keys, es.idempotency, es.leases, es.retries, es.dead_letters, es.checkpoints IN ACCESS EXCLUSIVE MODE;

ALTER TABLE es.idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE es.leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE es.retries ENABLE ROW LEVEL SECURITY;
ALTER TABLE es.dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE es.checkpoints ENABLE ROW LEVEL SECURITY;

-- The role for which a function with the owner's rights was called: that of SET ROLE, else the login.
CREATE FUNCTION es.caller() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END
$$;

-- The last position of the log. Policies compare checkpoints with it.
CREATE FUNCTION es.log_end() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(position), 0) FROM es.log
$$;

-- Refuse an append of a service with SQLSTATE 42501, unless all of its events have one of these types and belong to the account
-- of the stream. `p_field` is the field of their data that has the id of the stream; NULL: the caller checks the stream.
CREATE FUNCTION es.require_events(p_request es.append_request, p_types text[], p_field text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(cardinality(p_request.events), 0) = 0 OR EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        WHERE (e.type = ANY (p_types) AND e.meta->>'account_id' = p_request.account_id
               AND (p_field IS NULL OR e.data->>p_field = p_request.stream_id::text)) IS NOT TRUE) THEN
        RAISE EXCEPTION 'the service does not write such events, or not to this stream' USING ERRCODE = '42501';
    END IF;
END $$;

-- As before, with the rights of the caller: a role leads only what its policy on es.leases names.
ALTER FUNCTION es.lead SECURITY INVOKER;
ALTER FUNCTION es.fence SECURITY INVOKER;
ALTER FUNCTION es.leads SECURITY INVOKER;
ALTER FUNCTION es.renew SECURITY INVOKER;

-- As before, except that no position after the end of the log is recorded.
CREATE OR REPLACE FUNCTION es.published(p_epoch bigint, p_position bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH lease AS (SELECT FROM es.leases WHERE name = 'relay' AND epoch = p_epoch FOR SHARE),
    moved AS (
        UPDATE es.relay SET published = greatest(published, p_position), updated_at = clock_timestamp()
        WHERE name = 'log' AND p_position <= es.log_end() AND EXISTS (SELECT FROM lease) RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Each role encrypts with keys that it made itself. So a key that cannot be unwrapped only stops the role that made it.
-- `made_by` is NULL in keys that were made before this migration: all roles use them.
ALTER TABLE personal.keys ADD COLUMN made_by text;
DROP INDEX personal.one_in_use;
CREATE UNIQUE INDEX one_in_use ON personal.keys (account_id, coalesce(made_by, '')) WHERE wrapped IS NOT NULL;

-- As before, except that the key is one of the caller.
CREATE OR REPLACE FUNCTION personal.key(p_account text, p_offered bytea, OUT number integer, OUT wrapped bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOOP
        SELECT k.number, k.wrapped INTO number, wrapped FROM personal.keys k
            WHERE k.account_id = p_account AND k.wrapped IS NOT NULL AND (k.made_by IS NULL OR k.made_by = es.caller())
            ORDER BY k.made_by NULLS FIRST LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
        INSERT INTO personal.keys (account_id, number, wrapped, made_by)
            VALUES (p_account, 1 + floor(random() * 2147483646)::integer, p_offered, es.caller()) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION es.caller, es.log_end, es.require_events FROM PUBLIC;
