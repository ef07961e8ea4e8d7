-- The verifier: the function that writes its streams, its schedule, and the rights of its role.
DO $$ BEGIN
    CREATE ROLE regcred_verifier NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- as in the credentials service's file
END $$;

CREATE SCHEMA verifier;

-- Appends to a `verification` stream; there is no other way to write one. The same transaction writes the outcome of the
-- last login to the row of the credential in credentials.current: matching prefers verified credentials, and must not depend
-- on a read model that may lag.
CREATE FUNCTION verifier.append(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done  es.appended := es.append('verification', p_request);
    event es.new_event;
BEGIN
    IF done.replayed THEN
        RETURN done;
    END IF;
    -- A late outcome of an older secret does not apply to the newer one. The last outcome in the append counts.
    FOR n IN REVERSE cardinality(p_request.events) .. 1 LOOP
        event := p_request.events[n];
        CONTINUE WHEN event.type NOT IN ('verification.succeeded', 'verification.failed');
        UPDATE credentials.current c
            SET verified_version = (event.data->>'secret_version')::integer, verification_code = event.data->>'code'
            WHERE c.credential_id = (event.data->>'credential_id')::uuid AND c.account_id = p_request.account_id
              AND c.verified_version <= (event.data->>'secret_version')::integer;
        EXIT;
    END LOOP;
    RETURN done;
END $$;

-- When each credential is verified again (ADR 13). Only the verifier writes this table, from the stream of the credential and
-- the outcomes of its logins. All of its content can be restored from the log and by new logins.
CREATE TABLE verifier.schedule (
    credential_id  uuid PRIMARY KEY REFERENCES es.streams,
    stream_version bigint NOT NULL,                -- version of the credential's stream that the row is from
    account_id     text NOT NULL,
    provider       text NOT NULL,
    registry_host  text NOT NULL,
    username       text NOT NULL,
    secret_version integer NOT NULL,
    due_at         timestamptz,                    -- NULL: the secret was refused, and the schedule does not try it
    stage          smallint NOT NULL DEFAULT 0,    -- which tokens the login has reserved already
    outcome        text,                           -- of the last login: 'verified' or a code; NULL before the first
    recorded_at    timestamptz,                    -- when an outcome was last recorded in the log
    failures       integer NOT NULL DEFAULT 0,     -- consecutive logins without a result
    expires_at     timestamptz,                    -- set by the owner
    secret_expires_at timestamptz,                 -- found in the secret, or reported by its provider
    notice_at      timestamptz,                    -- when the next notice of the expiry is due
    last_notice_days smallint                      -- days before the expiry, in the last notice
);
CREATE INDEX schedule_due ON verifier.schedule (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedule_notices ON verifier.schedule (notice_at) WHERE notice_at IS NOT NULL;
CREATE INDEX schedule_logins ON verifier.schedule (registry_host, username);

-- Verifications that an event requested and that have to wait.
CREATE TABLE verifier.postponed (
    event_id      uuid PRIMARY KEY REFERENCES es.events (event_id),
    credential_id uuid NOT NULL,
    due_at        timestamptz NOT NULL,
    stage         smallint NOT NULL,
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX postponed_due ON verifier.postponed (due_at);

-- After a refusal, logins of the user at the registry are held back until `until`. `outcome` is the reason: a read with a
-- valid login does not wait after the refusal of another secret.
CREATE TABLE verifier.holds (
    registry_host text NOT NULL,
    username      text NOT NULL,
    until         timestamptz NOT NULL,
    refusals      integer NOT NULL,
    outcome       text NOT NULL,
    PRIMARY KEY (registry_host, username)
);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA verifier FROM PUBLIC;
GRANT USAGE ON SCHEMA es, verifier, personal, encrypted, installation, auth TO regcred_verifier;
GRANT SELECT ON installation.identity, installation.key_checks TO regcred_verifier;
GRANT SELECT ON es.streams, es.events, es.log, es.interventions TO regcred_verifier;
GRANT SELECT, INSERT, UPDATE ON es.checkpoints TO regcred_verifier;
GRANT SELECT, INSERT, UPDATE (stream_id, attempts, reason), DELETE ON es.dead_letters TO regcred_verifier;
GRANT SELECT, INSERT, UPDATE, DELETE ON es.retries TO regcred_verifier;
GRANT EXECUTE ON FUNCTION es.repeated, es.log_metrics, es.consumer_metrics TO regcred_verifier;
GRANT SELECT ON personal.keys TO regcred_verifier;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_verifier;
GRANT SELECT ON encrypted.secrets TO regcred_verifier;
GRANT SELECT ON auth.tokens TO regcred_verifier;  -- its HTTP part authenticates callers
GRANT EXECUTE ON FUNCTION verifier.append TO regcred_verifier;
GRANT SELECT, INSERT, UPDATE, DELETE ON verifier.schedule, verifier.postponed, verifier.holds TO regcred_verifier;
