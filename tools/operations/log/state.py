"""Compare what follows from the log with the log: the state of credentials, tokens, and the read models."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import psycopg

from chassis.authentication.token_row import authenticate_rows
from chassis.database import scalar
from chassis.settings.environment import Settings
from credentials.state.comparison import state_differences
from credentials.state.token_rows import token_differences
from eventlog.integrity import Difference
from projector.rebuild.comparison import read_model_differences
from secretstore.installation import open_key_file_of
from secretstore.keyfile import KeyFile, KeyFileError
from secretstore.personal_keys import open_personal_keys

NAMED = 10  # differences that a report names
_NEED_KEYS = "names, service tokens and read models"
REBUILD_STATE = "`regcred log repair`"
ACCEPT_TOKENS = "`regcred installation accept-tokens`"
REBUILD_READ_MODELS = "`regcred projections rebuild --switch`"


@dataclass(frozen=True, slots=True)
class StateReport:
    """The number of rows that differ from the log, and the first of them.

    `not_compared` says what could not be compared, and why; `omitted`, what the operator did not ask for.
    """

    differences: int
    first: tuple[Difference, ...]
    not_compared: str | None
    omitted: str | None = None

    @property
    def remedies(self) -> str:
        """The commands that write the rows again."""
        tables = {found.table.partition(".")[0] for found in self.first}
        commands = [REBUILD_STATE] if tables & {"credentials", "es"} else []
        commands += [REBUILD_READ_MODELS] if "rm" in tables else []
        commands += [ACCEPT_TOKENS] if "auth" in tables else []
        return " and ".join(commands)

    def lines(self) -> list[str]:
        """The report as lines for an operator."""
        lines = []
        if self.differences:
            lines.append(f"{self.differences} rows differ from the log; run {self.remedies}")
            lines += [f"  {found}" for found in self.first]
            if self.differences > len(self.first):
                lines.append(f"  and {self.differences - len(self.first)} more")
        if self.not_compared:
            lines.append(f"NOT compared with the log: {self.not_compared}")
        if self.omitted:
            lines.append(f"not compared with the log, because of --without-key-file: {self.omitted}")
        return lines or ["the state of credentials and the read models agree with the log"]


def compare_state(
    database_url: str, settings: Settings, *, longest_log: int | None = None, without_keys: bool = False
) -> StateReport:
    """Compare them with the log. Read models are not compared with more than `longest_log` events.

    `without_keys`: compare only what needs no key file.
    """
    reasons: list[str] = []
    count = unread = 0
    first: list[Difference] = []
    try:
        keys: KeyFile | None = None
        try:
            if not without_keys:
                keys = open_key_file_of(database_url, settings.key_file)
        except KeyFileError as error:
            reasons.append(f"{_NEED_KEYS}: {error}")
        with _snapshot(database_url) as connection:
            found: Iterator[Difference] = state_differences(connection, keys)
            if keys is not None:
                found = chain(found, token_differences(connection, authenticate_rows(keys)))
            length = scalar(connection, "SELECT coalesce(max(position), 0) FROM es.log")
            if longest_log is not None and length > longest_log:
                reasons.append(f"read models, because the log has {length} events; run `regcred log verify`")
            elif keys is not None:
                found = chain(found, read_model_differences(connection, open_personal_keys(keys)))
            for each in found:
                if each.problem == "not_compared":
                    unread += 1
                    continue
                count += 1
                if len(first) < NAMED or _is_new_table(each, first):
                    first.append(each)
    except KeyFileError as error:
        reasons.append(str(error))
    except psycopg.errors.InsufficientPrivilege:
        reasons.append("this login may not read all tables; use that of `regcred migrate`")
    if unread:
        reasons.append(f"{unread} credentials, because this program cannot read their events")
    omitted = _NEED_KEYS if without_keys else None
    return StateReport(count, tuple(first), "; ".join(reasons) or None, omitted)


def _is_new_table(found: Difference, first: list[Difference]) -> bool:
    return all(found.table != each.table for each in first)


@contextmanager
def _snapshot(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """One moment of the database. A read-only transaction does not delay positions (ADR 2)."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
