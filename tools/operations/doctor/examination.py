"""Runs all checks, in the order of their dependencies."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import structlog

from chassis.settings.environment import InvalidSetting, Settings
from operations.doctor.broker import broker_findings
from operations.doctor.database import connect, database_findings
from operations.doctor.finding import Finding, failed, guarded, ok, warning
from operations.doctor.installation import installation_findings
from operations.doctor.machine import machine_findings
from operations.doctor.processes import running_findings, token_findings
from operations.doctor.state import state_findings
from operations.doctor.vault import vault_findings
from operations.embedded_postgres import EmbeddedPostgresFailed
from operations.log.database import log_database

_PREPARED = "database.migrations"


def examine(environment: Mapping[str, str], vault_administrator: Path | None) -> Iterator[Finding]:
    """Check the installation that these variables describe, without changing it.

    `vault_administrator`: the file of a token with rights in Vault that no service has.
    """
    try:
        settings = Settings.from_environment(environment)
    except InvalidSetting as error:
        yield failed("settings", str(error), "correct this variable; README.md lists all variables")
        return
    yield ok("settings", "the environment variables are valid")
    yield from guarded("machine", lambda: machine_findings(settings))
    yield from guarded("database", lambda: _database(settings))
    vault, broker = settings.vault, settings.broker_url
    if vault is not None:
        yield from guarded("vault", lambda: vault_findings(vault, vault_administrator))
    if broker is not None:
        yield from guarded("broker", lambda: broker_findings(broker))


def _database(settings: Settings) -> Iterator[Finding]:
    with ExitStack() as resources:
        if settings.database_url is None:
            folder = settings.home / "postgres"
            if not (folder / "PG_VERSION").exists():
                remedy = "start `regcred up`, which creates it, or set REGCRED_DATABASE_URL or REGCRED_HOME"
                yield warning("embedded-postgres", f"there is no database in {settings.home}", remedy)
                return
        try:
            url = resources.enter_context(log_database(settings))
        except Exception as error:
            # In addition to NoDatabase and EmbeddedPostgresFailed, the library raises various exceptions.
            yield _embedded_failure(settings.home, error)
            return
        if settings.database_url is None:
            yield ok("embedded-postgres", f"the database in {settings.home} can be used")
        connection = connect(url)
        if isinstance(connection, Finding):
            yield connection
            return
        resources.enter_context(connection)
        prepared = True
        for finding in guarded("database", lambda: database_findings(connection)):
            prepared = prepared and not (finding.check == _PREPARED and finding.result == "failed")
            yield finding
        if prepared:
            yield from guarded("state", lambda: state_findings(url, settings))
            yield from guarded("services", lambda: running_findings(connection, settings))
            yield from guarded("key-file.database", lambda: installation_findings(connection, settings))
            yield from guarded("admin-token", lambda: token_findings(url, settings))


def _embedded_failure(home: Path, error: Exception) -> Finding:
    if isinstance(error, EmbeddedPostgresFailed):
        return failed("embedded-postgres", str(error), "do as the sentence says, and start regcred again")
    sentence = f"the database in {home} does not start ({type(error).__name__})"
    remedy = (
        f"read {home / 'postgres' / 'log'}; this user must own the folder, and no other server may use it"
    )
    return failed("embedded-postgres", sentence, remedy)


def quietly(examination: Callable[[], list[Finding]]) -> list[Finding]:
    """Run the examination without log output, which libraries would print between the findings."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return examination()
    finally:
        logging.disable(logging.NOTSET)
        structlog.reset_defaults()
