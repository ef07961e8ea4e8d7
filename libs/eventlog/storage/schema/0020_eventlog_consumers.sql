-- Consumers of the log: their checkpoints, and the events that they could not handle (ADR 10).

CREATE TABLE es.checkpoints (
    consumer   text PRIMARY KEY,
    position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Dead letters: events that a consumer could not handle, and the reason. They delay only events that must follow them.
--   stream_id  the stream that is redriven together: that of the event, or one that the consumer handles in order with it
--   attempts   1 when the event becomes a dead letter, and 1 more for each failed redrive
CREATE TABLE es.dead_letters (
    consumer  text NOT NULL,
    position  bigint NOT NULL REFERENCES es.log,
    reason    text NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    stream_id uuid NOT NULL,
    attempts  integer NOT NULL DEFAULT 1 CHECK (attempts > 0),
    PRIMARY KEY (consumer, position)
);
CREATE INDEX dead_letters_in_order ON es.dead_letters (consumer, stream_id, position);

-- Events whose handling failed for a temporary reason, and the time of the next attempt. The checkpoint of the consumer has
-- passed them. After the last attempt they move to es.dead_letters. An event is in at most one of the two tables.
--   attempts  attempts since the event was last redriven; waiting for an unavailable dependency does not count
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

-- Actions of operators on dead letters (`regcred deadletters`). `reason` is the reason of the failure, `remark` the reason
-- that the operator gave. A rejected message of a queue has no position; `message` is its id.
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

-- Every consumer and its checkpoint. `publishing` is the relay's, while messages that the broker refused are retried or are
-- dead letters. `dead_letter_name` is its name in es.dead_letters. The owner of a consumer that stores
-- its checkpoint in another table adds it with CREATE OR REPLACE VIEW.
CREATE VIEW es.consumer_positions AS
    SELECT consumer, consumer AS dead_letter_name, position FROM es.checkpoints
    UNION ALL
    SELECT 'publishing', 'publishing', r.published FROM es.relay r
    WHERE EXISTS (SELECT FROM es.retries WHERE consumer = 'publishing')
       OR EXISTS (SELECT FROM es.dead_letters WHERE consumer = 'publishing');

-- Lag, dead letters and retries of each consumer, for operators, as es.log_metrics.
CREATE FUNCTION es.consumer_metrics()
RETURNS TABLE (consumer text, checkpoint bigint, lag_events bigint, lag_seconds float8, dead_letters bigint, retrying bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.consumer, c.position, greatest(t.log_position - c.position, 0),
           coalesce((SELECT greatest(extract(epoch FROM clock_timestamp() - e.recorded_at), 0)
                     FROM es.log l JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
                     WHERE l.position = c.position + 1), 0)::float8,
           (SELECT count(*) FROM es.dead_letters p WHERE p.consumer = c.dead_letter_name),
           (SELECT count(*) FROM es.retries r WHERE r.consumer = c.consumer)
    FROM es.consumer_positions c, es.tail() t
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA es FROM PUBLIC;
