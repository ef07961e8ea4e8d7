"""Compares the state of credentials and the read models with the log."""

from collections.abc import Iterator

from chassis.settings.environment import Settings
from operations.doctor.finding import Finding, failed, ok, warning
from operations.log.state import compare_state

_CHECK = "database.state"
_LONGEST_LOG = 200_000  # events; with more, the read models would take longer than a minute


def state_findings(database_url: str, settings: Settings) -> Iterator[Finding]:
    found = compare_state(database_url, settings, longest_log=_LONGEST_LOG)
    if found.differences:
        sentence = f"{found.differences} rows differ from the log: {found.first[0]}"
        remedy = "find out who has written to the database, unless an upgrade has changed the read models"
        yield failed(_CHECK, sentence, f"{remedy}; then run {found.remedies}")
    elif found.not_compared:
        remedy = "run `regcred log verify` with the key file and the login of `regcred migrate`"
        yield warning(_CHECK, f"not compared with the log: {found.not_compared}", remedy)
    else:
        yield ok(_CHECK, "the state of credentials and the read models agree with the log")
