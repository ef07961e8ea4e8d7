-- What the query API tells operators of the consumers (`GET /v1/system`): how much waits to be tried again, too. Of the
-- events themselves it tells no more than their place and type, which the audit trail has.
GRANT SELECT ON es.retries TO regcred_query;
