"""The metrics that processes count. Other metrics are read from the database (`eventlog.storage`).

Labels have few values: templates of routes, names from the catalogue, codes, roles. No label is an account, a
host or a credential. In the one-machine mode prometheus-client stores the values of all processes in files
(`exposition`), so each gauge defines how values of several processes are combined.
"""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)

HTTP_REQUESTS = Counter(
    "http_requests", "Responses, by the template of the route.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "http_request_seconds",
    "Time from the first hook of a request to the last byte of its response.",
    ["method", "route", "status_class"],
    buckets=_FAST,
)
APPEND_SECONDS = Histogram("es_append_seconds", "Appends to the log, including failed ones.", buckets=_FAST)
APPEND_CONFLICTS = Counter("es_append_conflicts", "Appends refused because the stream had another version.")
REPLAYS = Counter("es_idempotent_replays", "Repeated requests that got the stored response.")
BEYOND_LOG = Counter("messages_beyond_log", "Messages whose position the log does not have.")
UNCONFIRMED = Gauge(
    "relay_unconfirmed",
    "Published events that the broker has not confirmed.",
    multiprocess_mode="livesum",
)
REFUSED_MESSAGES = Counter(
    "relay_refused_messages", "Messages that the broker refused or returned, retries included."
)
VERIFICATIONS = Counter("verifications", "Logins of verifications, by outcome.", ["provider", "outcome"])
VERIFICATION_SECONDS = Histogram(
    "verification_seconds", "Duration of logins of verifications.", ["provider"], buckets=_SLOW
)
SECRET_STORE_SECONDS = Histogram(
    "secret_store_request_seconds",
    "Requests to the secret store, including failed ones.",
    ["store", "operation"],
    buckets=_FAST,
)
SECRET_STORE_ERRORS = Counter(
    "secret_store_errors", "Failed requests to the secret store.", ["store", "operation", "kind"]
)
POOL_IN_USE = Gauge("db_pool_in_use", "Connections in use, by pool.", ["pool"], multiprocess_mode="livesum")
POOL_WAITING = Gauge(
    "db_pool_waiting", "Threads that wait for a connection, by pool.", ["pool"], multiprocess_mode="livesum"
)
