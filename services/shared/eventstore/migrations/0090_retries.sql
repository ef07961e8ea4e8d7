-- Events whose handling failed for a reason that may pass, and when each is tried again (ADR 10). The consumer's checkpoint
-- has moved on past them; after the last attempt they are in es.parked. An event stands in one of both at most.
--   attempts  how often it was tried since it last was redriven; waiting for a dependency that is away counts for none
CREATE TABLE es.retries (
    consumer  text NOT NULL,
    position  bigint NOT NULL REFERENCES es.log,
    stream_id uuid NOT NULL,
    attempts  integer NOT NULL CHECK (attempts >= 0),
    due_at    timestamptz NOT NULL,
    reason    text NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, position)
);
CREATE INDEX retries_due ON es.retries (consumer, due_at);

-- What people did with dead letters, and who (`regcred deadletters`). `reason` is why it had failed, `remark` what the person
-- said. A message of a queue's has no position; `message` says which it was.
CREATE TABLE es.interventions (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action    text NOT NULL CHECK (action IN ('redriven', 'discarded')),
    consumer  text NOT NULL,
    position  bigint,
    message   text,
    stream_id uuid,
    attempts  integer NOT NULL,
    reason    text NOT NULL,
    remark    text,
    person    text NOT NULL,
    login     text NOT NULL DEFAULT session_user,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((position IS NULL) <> (message IS NULL))
);
CREATE INDEX interventions_of ON es.interventions (consumer, position);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON es.interventions
    FOR EACH STATEMENT EXECUTE FUNCTION es.deny();
ALTER TABLE es.interventions ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT, UPDATE, DELETE ON es.retries TO regcred_verifier, regcred_relay;
GRANT SELECT ON es.interventions TO regcred_verifier, regcred_relay;
