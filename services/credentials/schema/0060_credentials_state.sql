-- The credentials service: the functions that write its streams, the tables that they change in the same transaction, and
-- the rights of its two roles: those of the service and of its relay.
--
-- A role is a group without login. In production it is granted to a login of the process; the one-machine mode switches to it
-- with SET ROLE. Roles belong to the cluster: another database of it may have created them.
DO $$ BEGIN
    CREATE ROLE regcred_credentials NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    CREATE ROLE regcred_relay NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

CREATE SCHEMA credentials;

-- The current state of each credential, written in the transaction of the append. It makes names unique, and candidates for
-- an image are read from it, because a read model may lag.
CREATE TABLE credentials.current (
    credential_id       uuid PRIMARY KEY REFERENCES es.streams,
    account_id          text NOT NULL,
    name                text NOT NULL,
    provider            text NOT NULL,
    registry_host       text NOT NULL,
    repository_prefixes text[] NOT NULL,
    pull                boolean NOT NULL,
    push                boolean NOT NULL,
    restricted          boolean NOT NULL,
    projects            text[] NOT NULL,
    secret_version      integer NOT NULL,
    expires_at          timestamptz,
    version             bigint NOT NULL,
    added_at            timestamptz NOT NULL,
    verified_version    integer NOT NULL DEFAULT 0,  -- version of the secret in the last verification
    verification_code   text,                        -- its verdict; NULL: the registry accepted the login
    mac                 bytea                        -- authenticates what the service wrote (credentials.current_row)
) WITH (fillfactor = 70);  -- an updated row stays on its page
CREATE UNIQUE INDEX name_in_account ON credentials.current (account_id, lower(name));
CREATE INDEX candidates ON credentials.current (account_id, registry_host);

-- The workloads to which the secret of each credential was issued, with the time of the last issuance. It is written in the
-- transaction that records the issuance, so that removals are decided on current data (ADR 11). It is derived from the log
-- and deleted with its credential.
CREATE TABLE credentials.usages (
    credential_id  uuid NOT NULL REFERENCES es.streams,
    project_id     text NOT NULL,
    workload_kind  text NOT NULL,
    workload_name  text NOT NULL,
    last_issued_at timestamptz NOT NULL,
    secret_version integer NOT NULL,
    PRIMARY KEY (credential_id, project_id, workload_kind, workload_name)
) WITH (fillfactor = 70);

-- Secrets to which no event refers, as the sweeps of housekeeping saw them. Times are of this database's clock. `discarded_at`:
-- the sweep has decided to delete the version, and no event may refer to it any more. Both the sweep and an append hold the
-- lock of the stream, so one of them sees the other.
CREATE TABLE credentials.unreferenced_secrets (
    credential_id uuid NOT NULL,
    version       integer NOT NULL,
    first_seen    timestamptz NOT NULL,
    last_seen     timestamptz NOT NULL,
    discarded_at  timestamptz,
    PRIMARY KEY (credential_id, version)
);

-- Append to a `credential` stream; nothing else writes one. `p_current` is the new row, NULL after a removal.
--   ES426 a credential is added, and the account's key is being erased or was erased
--   ES429 the sweep has discarded the version of the secret
CREATE FUNCTION credentials.append(p_request es.append_request, p_current jsonb) RETURNS es.appended
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
                expires_at = new.expires_at, version = new.version, mac = new.mac
            WHERE c.credential_id = p_request.stream_id;
    END IF;
    RETURN done;
END $$;

-- Append an `issuance` stream; nothing else writes one. The issuance is recorded, also in credentials.usages, if the
-- credentials have the versions (`p_versions`) on which it was decided.
--   ES424 a credential has another version; nothing is written
--   ES432 the row of a credential is not that of the last version of its stream (DETAIL: its id); nothing is written
--
-- An append to a credential holds the lock of its stream exclusively, from before it has a transaction id until the commit
-- (es.append). Sharing the lock here therefore orders the two: a restriction, rotation or removal comes completely before
-- this issuance, which then sees it, or completely after it, by commit and by position in the log. Issuances share the lock
-- and do not wait for one another. Row locks on credentials.current are no alternative: they assign a transaction id, and
-- that must not exist before the one of the append.
CREATE FUNCTION credentials.issue(p_request es.append_request, p_credentials uuid[], p_versions bigint[])
RETURNS es.appended LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
    done       es.appended;
BEGIN
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
    -- Only of credentials that were decided on: these are locked and belong to this account. Sorted, to avoid deadlocks.
    INSERT INTO credentials.usages AS u
        SELECT i.credential_id, i.project_id, i.kind, i.name, i.moment, i.secret_version
        FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
                     e.data#>>'{workload,kind}' AS kind, e.data#>>'{workload,name}' AS name,
                     (e.meta->>'occurred_at')::timestamptz AS moment, (e.data->>'secret_version')::integer AS secret_version
              FROM unnest(p_request.events) AS e WHERE e.type = 'secret.issued') AS i
        WHERE i.credential_id = ANY (p_credentials)
        ORDER BY i.credential_id
        ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
            SET last_issued_at = greatest(u.last_issued_at, excluded.last_issued_at),
                secret_version = excluded.secret_version;
    RETURN done;
END $$;

-- The last append of a credential.
--   ES425 its secret was issued to a workload at `p_unused_since` or later (NULL: not checked); nothing is written
-- The lock of the stream is acquired first (es.append acquires it again). An issuance shares it until its commit, so that it
-- is either seen here or finds the credential removed.
CREATE FUNCTION credentials.remove(p_request es.append_request, p_unused_since timestamptz) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done es.appended;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stream:' || p_request.stream_id, 0));
    IF EXISTS (SELECT FROM credentials.usages u
               WHERE u.credential_id = p_request.stream_id AND u.last_issued_at >= p_unused_since) THEN
        RAISE EXCEPTION 'the credential is in use' USING ERRCODE = 'ES425';
    END IF;
    done := credentials.append(p_request, NULL);
    DELETE FROM credentials.usages WHERE credential_id = p_request.stream_id;
    RETURN done;
END $$;

-- Erase the personal data of an account: delete its key and the stored responses to its requests, and record that, in one
-- transaction (ADR 14). Only the owner of the schema may call it.
--   ES427 the account still has credentials (DETAIL: their number) · ES428 the account has no key
CREATE FUNCTION credentials.erase_account(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    has  bigint;
    done es.appended;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('account:' || p_request.account_id, 0));  -- credentials.append shares it
    SELECT count(*) INTO has FROM credentials.current c WHERE c.account_id = p_request.account_id;
    IF has > 0 THEN
        RAISE EXCEPTION 'the account has credentials' USING ERRCODE = 'ES427', DETAIL = has::text;
    END IF;
    IF NOT EXISTS (SELECT FROM personal.keys k WHERE k.account_id = p_request.account_id AND k.wrapped IS NOT NULL) THEN
        RAISE EXCEPTION 'the account has no key' USING ERRCODE = 'ES428';
    END IF;
    done := es.append('account', p_request);
    UPDATE personal.keys k SET wrapped = NULL, erased_at = clock_timestamp()
        WHERE k.account_id = p_request.account_id AND k.wrapped IS NOT NULL;
    DELETE FROM es.idempotency i WHERE i.account_id = p_request.account_id;
    RETURN done;
END $$;


-- The service
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA credentials FROM PUBLIC;
GRANT USAGE ON SCHEMA es, credentials, personal, encrypted, installation, auth TO regcred_credentials;
GRANT SELECT ON installation.identity, installation.key_checks TO regcred_credentials;
GRANT EXECUTE ON FUNCTION installation.record_keys, installation.record_vault TO regcred_credentials;
GRANT SELECT ON es.streams, es.events, es.log TO regcred_credentials;
GRANT EXECUTE ON FUNCTION es.repeated, es.replay, es.has_lower_ids, es.has_leader, es.log_metrics, es.consumer_metrics
    TO regcred_credentials;
GRANT SELECT ON personal.keys TO regcred_credentials;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_credentials;
GRANT SELECT, INSERT, UPDATE, DELETE ON encrypted.secrets TO regcred_credentials;
GRANT SELECT, INSERT, UPDATE ON auth.tokens TO regcred_credentials;
GRANT SELECT ON credentials.current, credentials.usages TO regcred_credentials;
GRANT EXECUTE ON FUNCTION credentials.append, credentials.issue, credentials.remove TO regcred_credentials;

-- The relay assigns positions, publishes the log, and consumes it to destroy secrets that are no longer needed.
GRANT USAGE ON SCHEMA es, credentials, personal, encrypted, installation TO regcred_relay;
GRANT SELECT ON installation.identity, installation.key_checks TO regcred_relay;
GRANT SELECT ON es.streams, es.events, es.log, es.adoptions, es.relay, es.interventions TO regcred_relay;
GRANT SELECT, INSERT, UPDATE ON es.checkpoints TO regcred_relay;
GRANT SELECT, INSERT, UPDATE (stream_id, attempts, reason), DELETE ON es.dead_letters TO regcred_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON es.retries TO regcred_relay;
GRANT SELECT, DELETE ON es.idempotency TO regcred_relay;  -- keys are deleted after 24 hours
GRANT EXECUTE ON FUNCTION es.lead, es.has_leader, es.fence, es.renew TO regcred_relay;
GRANT EXECUTE ON FUNCTION es.tail, es.has_lower_ids, es.sequence, es.published, es.log_metrics, es.consumer_metrics
    TO regcred_relay;
GRANT SELECT ON personal.keys TO regcred_relay;
GRANT SELECT ON credentials.current TO regcred_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON credentials.unreferenced_secrets TO regcred_relay;
-- It destroys secrets without the right to read them.
GRANT SELECT (account_id, credential_id, version, destroyed), UPDATE (ciphertext, nonce), DELETE
    ON encrypted.secrets TO regcred_relay;
