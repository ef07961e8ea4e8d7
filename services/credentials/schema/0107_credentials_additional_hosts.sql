-- Credentials for several hosts that accept the same login, and for mirrors of registries.
CREATE OR REPLACE FUNCTION credentials.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['credential.added', 'credential.details_changed', 'credential.secret_rotated',
                 'credential.secret_rolled_back', 'credential.restrictions_changed', 'credential.hosts_changed',
                 'credential.access_withdrawn', 'credential.frozen', 'credential.thawed', 'credential.removed',
                 'verification.requested']
$$;

ALTER TABLE credentials.current ADD COLUMN additional_hosts text[] NOT NULL DEFAULT '{}', ADD COLUMN mirror_of text[] NOT NULL DEFAULT '{}';
CREATE INDEX candidates_of_several_hosts ON credentials.current (account_id) WHERE additional_hosts <> '{}';
CREATE INDEX candidates_of_mirrors ON credentials.current (account_id) WHERE mirror_of <> '{}';

-- A process of 0.9.0 writes no later column. A trigger sets the defaults also for a call that began before the migration.
CREATE FUNCTION credentials.set_defaults() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.frozen := coalesce(NEW.frozen, false);
    NEW.additional_hosts := coalesce(NEW.additional_hosts, '{}');
    NEW.mirror_of := coalesce(NEW.mirror_of, '{}');
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION credentials.set_defaults FROM PUBLIC;
CREATE TRIGGER set_defaults BEFORE INSERT OR UPDATE ON credentials.current
    FOR EACH ROW EXECUTE FUNCTION credentials.set_defaults();

-- As before, with the new columns.
CREATE OR REPLACE FUNCTION credentials.append_credential(p_request es.append_request, p_current jsonb) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done es.appended;
    new  credentials.current;
BEGIN
    IF p_request.expected_version = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('account:' || p_request.account_id, 0));
        IF EXISTS (SELECT FROM personal.keys k
                   WHERE k.account_id = p_request.account_id AND k.wrapped IS NULL
                     AND k.number = ((p_request.events[1]).meta#>>'{personal,key}')::integer) THEN
            RAISE EXCEPTION 'the key of the account is erased' USING ERRCODE = 'ES426';
        END IF;
    END IF;
    done := es.append('credential', p_request);
    IF done.replayed THEN
        RETURN done;
    END IF;
    IF p_current IS NULL THEN
        DELETE FROM credentials.current WHERE credential_id = p_request.stream_id;
        RETURN done;
    END IF;
    new := jsonb_populate_record(NULL::credentials.current, p_current);
    IF EXISTS (SELECT FROM credentials.unreferenced_secrets u WHERE u.credential_id = p_request.stream_id
                 AND u.version = new.secret_version AND u.discarded_at IS NOT NULL) THEN
        RAISE EXCEPTION 'this version of the secret is discarded' USING ERRCODE = 'ES429';
    END IF;
    new.credential_id := p_request.stream_id; new.account_id := p_request.account_id; new.version := done.version;
    IF p_request.expected_version = 0 THEN
        SELECT e.recorded_at INTO new.added_at FROM es.events e WHERE e.stream_id = p_request.stream_id AND e.version = 1;
        new.verified_version := 0;
        INSERT INTO credentials.current SELECT new.*;
    ELSE
        UPDATE credentials.current c
            SET name = new.name, provider = new.provider, registry_host = new.registry_host,
                repository_prefixes = new.repository_prefixes, pull = new.pull, push = new.push,
                restricted = new.restricted, projects = new.projects, secret_version = new.secret_version,
                expires_at = new.expires_at, frozen = new.frozen, additional_hosts = new.additional_hosts,
                mirror_of = new.mirror_of,
                version = new.version, mac = new.mac
            WHERE c.credential_id = p_request.stream_id;
    END IF;
    RETURN done;
END $$;

-- As before; one credential may have several events in an issuance.
CREATE OR REPLACE FUNCTION credentials.issue(
    p_request es.append_request, p_credentials uuid[], p_versions bigint[], p_workload_kind text, p_workload_name text
) RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       es.appended;
BEGIN
    PERFORM es.require_events(p_request, ARRAY['secret.issued', 'secret.refused'], 'issuance_id');
    IF p_request.expected_version <> 0 OR EXISTS (
        SELECT FROM unnest(p_request.events) AS e
        WHERE e.type = 'secret.issued' AND ((e.data->>'credential_id')::uuid = ANY (p_credentials)) IS NOT TRUE) THEN
        RAISE EXCEPTION 'an issuance is one new stream, of credentials that were decided on' USING ERRCODE = '42501';
    END IF;
    FOR credential IN SELECT c FROM unnest(p_credentials) AS c ORDER BY c LOOP  -- sorted, to avoid deadlocks
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('stream:' || credential, 0));
    END LOOP;
    IF EXISTS (
        SELECT FROM unnest(p_credentials, p_versions) AS d (id, version)
        LEFT JOIN credentials.current c
            ON c.credential_id = d.id AND c.account_id = p_request.account_id AND c.version = d.version
        WHERE c.credential_id IS NULL
    ) THEN
        RAISE EXCEPTION 'a credential has changed since the decision' USING ERRCODE = 'ES424';
    END IF;
    -- A row of an earlier version was put back by hand: its `mac` is valid.
    SELECT d.id INTO credential FROM unnest(p_credentials, p_versions) AS d (id, version)
        WHERE d.version IS DISTINCT FROM
              (SELECT e.version FROM es.events e WHERE e.stream_id = d.id ORDER BY e.version DESC LIMIT 1);
    IF FOUND THEN
        RAISE EXCEPTION 'the state of a credential is not that of its stream' USING ERRCODE = 'ES432', DETAIL = credential::text;
    END IF;
    done := es.append('issuance', p_request);
    IF done.replayed THEN
        RETURN done;
    END IF;
    -- Sorted, to avoid deadlocks. A credential that is issued for several hosts has an event for each.
    INSERT INTO credentials.usages AS u
        SELECT DISTINCT i.credential_id, i.project_id, p_workload_kind, p_workload_name, i.moment, i.secret_version
        FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
                     (e.meta->>'occurred_at')::timestamptz AS moment, (e.data->>'secret_version')::integer AS secret_version
              FROM unnest(p_request.events) AS e WHERE e.type = 'secret.issued') AS i
        ORDER BY i.credential_id
        ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
            SET last_issued_at = greatest(u.last_issued_at, excluded.last_issued_at),
                secret_version = excluded.secret_version;
    RETURN done;
END $$;
