-- Rotations that are done only if a login with the new secret is accepted.
CREATE OR REPLACE FUNCTION credentials.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['credential.added', 'credential.details_changed', 'credential.rotation_requested',
                 'credential.rotation_discarded', 'credential.secret_rotated', 'credential.secret_rolled_back',
                 'credential.restrictions_changed', 'credential.hosts_changed', 'credential.access_withdrawn',
                 'credential.frozen', 'credential.thawed', 'credential.removed', 'verification.requested']
$$;

-- The rotation that waits for an accepted login. The service finds them by this column, and the log decides on them.
ALTER TABLE credentials.current ADD COLUMN requested_rotation uuid;
CREATE INDEX requested_rotations ON credentials.current (credential_id) WHERE requested_rotation IS NOT NULL;

-- As before, with the new column.
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
                mirror_of = new.mirror_of, requested_rotation = new.requested_rotation,
                version = new.version, mac = new.mac
            WHERE c.credential_id = p_request.stream_id;
    END IF;
    RETURN done;
END $$;

-- As before. The secret of a discarded rotation need not remain.
CREATE OR REPLACE FUNCTION credentials.needs_secret(credential uuid, secret_version integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM es.events e WHERE e.stream_id = credential AND e.type = 'credential.removed')
       AND (secret_version = (SELECT (e.data#>>'{secret,version}')::integer FROM es.events e
                              WHERE e.stream_id = credential AND e.type IN ('credential.added', 'credential.secret_rotated')
                              ORDER BY e.version DESC LIMIT 1)
            OR (SELECT max(e.recorded_at + ((e.data->>'previous_valid_until')::timestamptz
                                            - (e.meta->>'occurred_at')::timestamptz)) > clock_timestamp()
                FROM es.events e
                WHERE e.stream_id = credential AND e.type = 'credential.secret_rotated'
                  AND (e.data#>>'{previous_secret,version}')::integer = secret_version)
            OR NOT EXISTS (SELECT FROM es.events e
                           WHERE e.stream_id = credential AND e.type = 'credential.secret_rotated'
                             AND (e.data#>>'{previous_secret,version}')::integer = secret_version)
               AND NOT EXISTS (SELECT FROM es.events e
                               WHERE e.stream_id = credential AND e.type = 'credential.rotation_discarded'
                                 AND (e.data->>'secret_version')::integer = secret_version)
               AND NOT EXISTS (SELECT FROM credentials.unreferenced_secrets u
                               WHERE u.credential_id = credential AND u.version = secret_version
                                 AND u.discarded_at IS NOT NULL)) IS TRUE
$$;
