-- Old keys are deleted once an hour, by a range of time, and rows lie in the order of their time: a block range index
-- finds them too, and costs an append no entry of its own.
DROP INDEX es.idempotency_age;
CREATE INDEX idempotency_age ON es.idempotency USING brin (created_at);
