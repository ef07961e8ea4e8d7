"""Says why the database cannot be used.

The texts of libpq are not passed on, because they quote the URL, and a mistyped URL can have a part of its
password anywhere. Since libpq reports failed connections as text only, known texts are looked up.
"""

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from chassis.database import is_unavailable
from chassis.runtime.unavailable import Unavailable

_POOLER = "a connection pooler is in between, which cannot be used: name PostgreSQL itself in the URL"
_CONNECTION_FAILURES = (
    ("a connection pooler", _POOLER),
    ("unsupported startup parameter", _POOLER),  # pgbouncer
    ("password authentication failed", "the server refused the password of the login"),
    ("no password supplied", "the server asks for a password, and none is configured"),
    ("no pg_hba.conf entry", "the server does not accept this login from this machine (pg_hba.conf)"),
    ("authentication failed", "the server refused the login"),
    ("failed to resolve host", "the name of the host in the URL cannot be resolved"),
    ("could not translate host name", "the name of the host in the URL cannot be resolved"),
    ("certificate", "TLS failed: the certificate of the server or of this client is not accepted"),
    ("root.crt", "TLS failed: there is no file with the authorities (sslrootcert)"),
    ("SSL", "TLS failed: the server and the URL (sslmode) do not agree"),
    ("timeout", "the server did not respond in time"),
    ("timed out", "the server did not respond in time"),
    ("Connection refused", "no server listens at the address in the URL"),
    ("No such file or directory", "no server listens at the socket in the URL"),
    ("No route to host", "the server cannot be reached over the network"),
    ("Network is unreachable", "the server cannot be reached over the network"),
    ("does not exist", "the database or the role of the login does not exist"),
    ("permission denied", "the login may not use this database, or may not act as the role of the service"),
    ("starting up", "the server is starting"),
    ("shutting down", "the server is shutting down"),
    ("recovery mode", "the server is recovering from a crash"),
    ("too many", "the server has no free connections"),
    ("remaining connection slots", "the server has no free connections"),
    ("invalid", "an option in the URL is invalid"),
    ("read-only", "the server accepts no writes: it is a standby, or read-only"),
    ("closed the connection", "the server closed the connection"),
    ("connection is closed", "the connection is closed"),
)


def outage_reason(error: Exception) -> str | None:
    """The reason of a failure that ends when a dependency is available again; `None` for any other error."""
    return failure_reason(error) if isinstance(error, Unavailable) or is_unavailable(error) else None


def failure_reason(error: Exception) -> str:
    """The reason of an error of psycopg or of an `Unavailable` that it caused, as a part of a sentence."""
    if isinstance(error, Unavailable):
        return failure_reason(error.__cause__) if isinstance(error.__cause__, psycopg.Error) else str(error)
    if isinstance(error, PoolTimeout):
        return "no connection became free in time"
    if isinstance(error, TooManyRequests):
        return "too many requests wait for a connection"
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    if error.sqlstate is not None:
        return f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})"
    text = str(error)
    return next((reason for known, reason in _CONNECTION_FAILURES if known in text), "the connection failed")
