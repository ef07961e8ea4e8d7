"""Every metric that a process counts itself. What the database knows is read from it (`database_metrics`).

Labels are bounded: templates of routes, names from the catalogue, codes, roles. Never an account, a host, a
credential. In the one-machine mode prometheus-client keeps the values of all processes in files
(`exposition`), which is why gauges say how those of several processes make one.
"""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)

HTTP_REQUESTS = Counter(
    "http_requests", "Requests answered, by the template of their route.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "http_request_seconds",
    "From a request's first hook to the last byte of its answer.",
    ["method", "route", "status_class"],
    buckets=_FAST,
)
APPEND_SECONDS = Histogram("es_append_seconds", "Appends to the log, failed ones too.", buckets=_FAST)
APPEND_CONFLICTS = Counter("es_append_conflicts", "Appends refused because the stream had moved on.")
REPLAYS = Counter("es_idempotent_replays", "Requests answered with what was answered before.")
UNCONFIRMED = Gauge(
    "relay_unconfirmed",
    "Events of the batch at the broker that it has not confirmed.",
    multiprocess_mode="livesum",
)
VERIFICATIONS = Counter("verifications", "Logins tried, by how they ended.", ["provider", "outcome"])
VERIFICATION_SECONDS = Histogram("verification_seconds", "Logins tried.", ["provider"], buckets=_SLOW)
SECRET_STORE_SECONDS = Histogram(
    "secret_store_request_seconds",
    "Requests to the secret store, failed ones too.",
    ["store", "operation"],
    buckets=_FAST,
)
SECRET_STORE_ERRORS = Counter(
    "secret_store_errors", "Requests that the secret store did not fulfil.", ["store", "operation", "kind"]
)
POOL_IN_USE = Gauge(
    "db_pool_in_use", "Connections that work, by pool.", ["pool"], multiprocess_mode="livesum"
)
POOL_WAITING = Gauge(
    "db_pool_waiting", "Threads that wait for a connection, by pool.", ["pool"], multiprocess_mode="livesum"
)
