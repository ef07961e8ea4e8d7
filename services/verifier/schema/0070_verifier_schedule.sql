-- The verifier: the function by which it writes its streams, its schedule, and the rights of its role.
DO $$ BEGIN
    CREATE ROLE regcred_verifier NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- as in the credentials service's file
END $$;

CREATE SCHEMA verifier;

-- The only way in which a `verification` stream is written. The outcome of the last login with a credential is written to
-- its row of credentials.current in the same transaction: matching prefers what is verified, and reads no read model that
-- may lag.
CREATE FUNCTION verifier.append(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done  es.appended := es.append('verification', p_request);
    event es.new_event;
BEGIN
    IF done.replayed THEN
        RETURN done;
    END IF;
    -- An outcome of an older secret that comes late says nothing about the newer one. The last outcome of the append counts.
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

-- When each credential is to be tried again (ADR 13). Written by the verifier alone, from the credential's stream and
-- the outcomes of its logins; nothing of it is a fact that the log does not have, or that a login would not find again.
CREATE TABLE verifier.schedule (
    credential_id  uuid PRIMARY KEY REFERENCES es.streams,
    stream_version bigint NOT NULL,                -- of the credential's stream, as this row knows it
    account_id     text NOT NULL,
    provider       text NOT NULL,
    registry_host  text NOT NULL,
    username       text NOT NULL,
    secret_version integer NOT NULL,
    due_at         timestamptz,                    -- NULL: its secret was refused, and is not tried by itself
    stage          smallint NOT NULL DEFAULT 0,    -- which tokens it has waited for already
    outcome        text,                           -- of the last login: 'verified' or a code; NULL before the first
    recorded_at    timestamptz,                    -- when an outcome was last recorded in the log
    failures       integer NOT NULL DEFAULT 0,     -- in a row without an answer
    expires_at     timestamptz,                    -- as the owner says
    secret_expires_at timestamptz,                 -- as the secret itself says
    notice_at      timestamptz,                    -- when the next notice of the expiry is due
    last_notice_days smallint                      -- days of the last notice given
);
CREATE INDEX schedule_due ON verifier.schedule (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedule_notices ON verifier.schedule (notice_at) WHERE notice_at IS NOT NULL;
CREATE INDEX schedule_logins ON verifier.schedule (registry_host, username);

-- Verifications that an event asks for, and that have to wait for their turn.
CREATE TABLE verifier.postponed (
    event_id      uuid PRIMARY KEY REFERENCES es.events (event_id),
    credential_id uuid NOT NULL,
    due_at        timestamptz NOT NULL,
    stage         smallint NOT NULL,
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX postponed_due ON verifier.postponed (due_at);

-- After a refusal nobody logs in as that user there, until then. `outcome` says why: a read with a login that is good
-- does not wait because another's was refused.
CREATE TABLE verifier.holds (
    registry_host text NOT NULL,
    username      text NOT NULL,
    until         timestamptz NOT NULL,
    refusals      integer NOT NULL,
    outcome       text NOT NULL,
    PRIMARY KEY (registry_host, username)
);


REVOKE ALL ON ALL FUNCTIONS IN SCHEMA verifier FROM PUBLIC;
GRANT USAGE ON SCHEMA es, verifier, personal, encrypted, auth TO regcred_verifier;
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
