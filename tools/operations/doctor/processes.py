"""Checks of the running services: leaders, lag, dead letters, and the admin token."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg

from chassis.authentication.factory import open_tokens
from chassis.authentication.tokens import parse
from chassis.database import Connection, open_pool, scalar
from chassis.settings.environment import Settings
from credentials.relay.lost_events import find_lost_events
from eventlog.broker import BrokerUnavailable
from eventlog.consumers import consumer_metrics, has_leader, log_metrics
from operations.doctor.finding import Finding, failed, ok, warning
from secretstore.keyfile import KeyFile, KeyFileError

_LEADERS = ("relay", "verifier", "projector")
_SLOW_SECONDS = 30.0
_UNREADABLE = """
SELECT count(*) FROM credentials.current
WHERE verified_version = secret_version AND verification_code = 'secret_unreadable'
"""
_TOKEN_ROLE = "regcred_credentials"  # noqa: S105 a role's name


def running_findings(connection: Connection, settings: Settings) -> Iterator[Finding]:
    leading = {name: has_leader(connection, name) for name in _LEADERS}
    log = log_metrics(connection)
    if not any(leading.values()):
        yield warning("services", "no service runs", "start `regcred up`, or the services")
    else:
        for name in _LEADERS:
            if not leading[name]:
                yield failed(
                    name, "it does not run: there is no leader", f"start the {name}, and read its log"
                )
    if leading["relay"]:
        yield relay_finding(log.horizon_lag_seconds, log.oldest_write_xact_seconds)
    if settings.broker_url:
        yield publishing_finding(log.log_position, log.published_position, leads=leading["relay"])
        yield from _lost_events(connection, settings.broker_url)
    for each in consumer_metrics(connection):
        yield consumer_finding(each.consumer, each.lag_events, each.lag_seconds, each.dead_letters)
    yield from _secrets(connection)


def _lost_events(connection: Connection, broker_url: str) -> Iterator[Finding]:
    try:
        lost = find_lost_events(connection, broker_url)
    except (BrokerUnavailable, psycopg.errors.InsufficientPrivilege):
        return  # the findings about the broker say why, or it is the login of another service
    check = "broker.log"
    if lost:
        yield failed(check, str(lost), "inform the consumers, then run `regcred log accept-loss`")
    else:
        yield ok(check, "the log has the last published event")


def _secrets(connection: Connection) -> Iterator[Finding]:
    try:
        unreadable = int(scalar(connection, _UNREADABLE))
    except psycopg.errors.InsufficientPrivilege:
        return  # the login of another service
    check = "secrets"
    if unreadable:
        sentence = (
            f"the stored secrets of {unreadable} credentials could not be read at the last verification"
        )
        yield failed(check, sentence, "restore the key file or the secret store, or rotate these secrets")
    else:
        yield ok(check, "every secret could be read at the last verification")


def relay_finding(unplaced_seconds: float, transaction_seconds: float | None) -> Finding:
    """Check the ages of the oldest event without a position and of the oldest writing transaction."""
    if unplaced_seconds < _SLOW_SECONDS:
        return ok("relay", "the relay is running and assigns positions")
    sentence = f"an event has waited {unplaced_seconds:.0f} s for its position"
    if transaction_seconds and transaction_seconds >= _SLOW_SECONDS:
        age = f"{transaction_seconds:.0f} s"
        remedy = f"end the transaction that is {age} old (pg_stat_activity, pg_prepared_xacts)"
        return failed("relay", sentence, remedy)
    return failed("relay", sentence, "read the log of the relay")


def publishing_finding(position: int, published: int | None, *, leads: bool) -> Finding:
    """Compare the last position of the log with the last position that the broker confirmed."""
    behind = position - (published or 0)
    if behind <= 0:
        return ok("relay.publishing", "the broker has confirmed every event")
    remedy = "see the findings about the broker, then the log of the relay" if leads else "start the relay"
    return warning("relay.publishing", f"{behind:,} events are not published yet", remedy)


def consumer_finding(consumer: str, events: int, seconds: float, dead_letters: int) -> Finding:
    check = f"consumer.{consumer}"
    if dead_letters:
        remedy = "`regcred deadletters list` shows them; fix the cause, then redrive them"
        return failed(check, f"it could not handle {dead_letters} events (dead letters)", remedy)
    if seconds >= _SLOW_SECONDS:
        remedy = "check that it runs, then read its log"
        return warning(check, f"it is {events:,} events and {seconds:.0f} s behind", remedy)
    return ok(check, f"it is {events} events behind")


def token_findings(url: str, settings: Settings) -> Iterator[Finding]:
    """Check the token of `regcred up`. Services in production have no such file."""
    check, path = "admin-token", settings.home / "admin.token"
    if not path.exists():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        remedy = f"chmod 600 {path}; if others use this machine, revoke it too (`regcred tokens`)"
        yield failed(check, f"other users can read {path} ({mode:04o})", remedy)
        return
    yield _recognised(check, path, url, settings)


def _recognised(check: str, path: Path, url: str, settings: Settings) -> Finding:
    remedy = f"stop regcred, remove {path} and start it again: it creates a new token"
    text = path.read_text(errors="replace").strip()
    if parse(text) is None:
        return failed(check, f"{path} does not contain a token", remedy)
    try:
        keys = KeyFile.load(settings.key_file)
    except KeyFileError:
        return warning(check, "it cannot be checked without the key file", "fix the key file first")
    with open_pool(url, role=_TOKEN_ROLE, size=1, writes=False) as pool:
        if open_tokens(pool, keys).authenticate(text) is None:
            return failed(check, f"the token in {path} is unknown to the database, or was revoked", remedy)
    return ok(check, f"the token in {path} is valid")
