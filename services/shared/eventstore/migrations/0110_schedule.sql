-- When each credential is to be tried again (ADR 13). Written by the verifier alone, from the credential's stream and
-- from how its logins ended; nothing of it is a fact that the log does not have, or that a login would not find again.
CREATE TABLE verifier.schedule (
    credential_id  uuid PRIMARY KEY REFERENCES es.streams,
    stream_version bigint NOT NULL,                -- of the credential's stream, as this row knows it
    account_id     text NOT NULL,
    provider       text NOT NULL,
    registry_host  text NOT NULL,
    username       text NOT NULL,
    secret_version integer NOT NULL,
    due_at         timestamptz,                    -- NULL: its secret was refused, and is not tried by itself
    stage          smallint NOT NULL DEFAULT 0,    -- which turns it has waited for already
    outcome        text,                           -- of the last login: 'verified' or a code; NULL before the first
    recorded_at    timestamptz,                    -- when an outcome was last recorded in the log
    failures       integer NOT NULL DEFAULT 0,     -- in a row without an answer
    expires_at     timestamptz,                    -- as the owner says
    found_end      timestamptz,                    -- as the secret itself says
    notice_at      timestamptz,                    -- when the next notice of the end is due
    noticed        smallint                        -- days of the last notice given
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

-- After a refusal nobody logs in as that user there, until then.
CREATE TABLE verifier.holds (
    registry_host text NOT NULL,
    username      text NOT NULL,
    until         timestamptz NOT NULL,
    times         integer NOT NULL,
    PRIMARY KEY (registry_host, username)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON verifier.schedule, verifier.postponed, verifier.holds TO regcred_verifier;
