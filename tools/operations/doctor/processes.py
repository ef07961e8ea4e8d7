"""What runs beside the database: who leads, what is behind, what was set aside, and the admin's token."""

import stat
from collections.abc import Iterator
from pathlib import Path

from chassis.authentication.factory import open_tokens
from chassis.authentication.tokens import parse
from chassis.database import Connection, open_pool
from chassis.settings.environment import Settings
from eventlog.consumers import consumer_metrics, has_leader, log_metrics
from operations.doctor.finding import Finding, failed, ok, warning
from secretstore.keyfile import KeyFile, KeyFileError

_LEADERS = ("relay", "verifier", "projector")
_SLOW_SECONDS = 30.0
_TOKEN_ROLE = "regcred_credentials"  # noqa: S105 a role's name


def running_findings(connection: Connection, settings: Settings) -> Iterator[Finding]:
    leading = {name: has_leader(connection, name) for name in _LEADERS}
    log = log_metrics(connection)
    if not any(leading.values()):
        yield warning("services", "nothing runs", "start `regcred up`, or the services")
    else:
        for name in _LEADERS:
            if not leading[name]:
                yield failed(name, "nobody leads: none runs", f"start the {name}, and look at its log")
    if leading["relay"]:
        yield relay_finding(log.horizon_lag_seconds, log.oldest_write_xact_seconds)
    if settings.broker_url:
        yield publishing_finding(log.log_position, log.published_position, leads=leading["relay"])
    for each in consumer_metrics(connection):
        yield consumer_finding(each.consumer, each.lag_events, each.lag_seconds, each.dead_letters)


def relay_finding(unplaced_seconds: float, transaction_seconds: float | None) -> Finding:
    """Ages: of the oldest event without a position, and of the oldest transaction that has written."""
    if unplaced_seconds < _SLOW_SECONDS:
        return ok("relay", "it leads, and gives every event its position")
    sentence = f"an event has waited {unplaced_seconds:.0f} s for its position"
    if transaction_seconds and transaction_seconds >= _SLOW_SECONDS:
        age = f"{transaction_seconds:.0f} s"
        remedy = f"end the transaction that is {age} old (pg_stat_activity, pg_prepared_xacts)"
        return failed("relay", sentence, remedy)
    return failed("relay", sentence, "look at the relay's log")


def publishing_finding(position: int, published: int | None, *, leads: bool) -> Finding:
    """The relay's positions: the last of the log, and the last that the broker has confirmed."""
    behind = position - (published or 0)
    if behind <= 0:
        return ok("relay.publishing", "the broker has confirmed every event")
    remedy = "see the findings about the broker, then the relay's log" if leads else "start the relay"
    return warning("relay.publishing", f"{behind:,} events are not at the broker yet", remedy)


def consumer_finding(consumer: str, events: int, seconds: float, dead_letters: int) -> Finding:
    check = f"consumer.{consumer}"
    if dead_letters:
        remedy = "`regcred deadletters list` shows them; fix the cause, then redrive them"
        return failed(check, f"{dead_letters} events are dead letters: they could not be handled", remedy)
    if seconds >= _SLOW_SECONDS:
        remedy = "see whether it runs, then its log"
        return warning(check, f"it is {events:,} events and {seconds:.0f} s behind", remedy)
    return ok(check, f"it is {events} events behind")


def token_findings(url: str, settings: Settings) -> Iterator[Finding]:
    """The token of `regcred up`. Services in production have none, and that is well."""
    check, path = "admin-token", settings.home / "admin.token"
    if not path.exists():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        remedy = f"chmod 600 {path}; if others use this machine, revoke it too (`regcred tokens`)"
        yield failed(check, f"{path} can be read by others ({mode:04o})", remedy)
        return
    yield _recognised(check, path, url, settings)


def _recognised(check: str, path: Path, url: str, settings: Settings) -> Finding:
    anew = f"stop regcred, remove {path} and start it again: a new one is created"
    text = path.read_text(errors="replace").strip()
    if parse(text) is None:
        return failed(check, f"{path} does not contain a token", anew)
    try:
        keys = KeyFile.load(settings.key_file)
    except KeyFileError:
        return warning(check, "it cannot be checked without the key file", "fix the key file first")
    with open_pool(url, role=_TOKEN_ROLE, size=1) as pool:
        if open_tokens(pool, keys).authenticate(text) is None:
            return failed(check, f"the token in {path} is unknown to the database, or was revoked", anew)
    return ok(check, f"the token in {path} is valid")
