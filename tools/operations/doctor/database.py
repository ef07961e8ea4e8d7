"""Checks of the database: connection, version, encoding, roles, migrations, clock and cluster."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import psycopg

from chassis.database import Connection, read_only_connection, refuse_pooler, scalar, server_time
from chassis.database_failure import failure_reason
from chassis.database_roles import memberships
from chassis.migrations import Migration, MigrationRefused, applied_migrations, unapplied
from chassis.runtime.clock import now
from eventlog.storage import has_lower_transaction_ids, has_skipped_events
from operations.doctor.finding import Finding, failed, ok, warning
from operations.migrate.migrations import known_migrations

_OLDEST = 15
_SECONDS = 3
_STATEMENT_SECONDS = 10
_SKEW_SECONDS = 2.0
_BAD_SKEW_SECONDS = 30.0  # from here on, checks of JWTs and expiries give wrong results
_ROLES = ("regcred_credentials", "regcred_verifier", "regcred_relay", "regcred_projector", "regcred_query")
_MIGRATE = "run `regcred migrate`"


def connect(url: str) -> Connection | Finding:
    """Open a read-only connection, or return the finding that explains the failure."""
    check = "database"
    try:
        return read_only_connection(url, connect_seconds=_SECONDS, statement_seconds=_STATEMENT_SECONDS)
    except psycopg.Error as error:
        return failed(check, f"it cannot be reached: {failure_reason(error)}", _connection_remedy(str(error)))


def database_findings(connection: Connection) -> Iterator[Finding]:
    yield _session(connection)
    yield _version(connection.info.server_version)
    yield _encoding(connection.info.parameter_status("server_encoding") or "")
    yield _writable(connection)
    yield _roles(connection)
    yield _migrations(connection)
    before = now()
    there = server_time(connection)
    yield skew_finding(_skew(there, before, now()))
    yield _cluster(connection)


def _connection_remedy(text: str) -> str:
    if "password" in text or "role" in text or "no pg_hba.conf" in text:
        return "correct user and password in REGCRED_DATABASE_URL, or pg_hba.conf"
    if "does not exist" in text:
        return "create the database, or correct its name in REGCRED_DATABASE_URL"
    return "start PostgreSQL, or correct host and port in REGCRED_DATABASE_URL"


def _session(connection: Connection) -> Finding:
    check = "database.session"
    try:
        refuse_pooler(connection)
    except psycopg.OperationalError as error:
        return failed(check, failure_reason(error), "name PostgreSQL itself in REGCRED_DATABASE_URL")
    return ok(check, "no connection pooler is in between")


def _version(number: int) -> Finding:
    major = number // 10_000
    if major < _OLDEST:
        remedy = f"upgrade it to {_OLDEST} or newer"
        return failed("database.version", f"PostgreSQL {major} is too old", remedy)
    return ok("database.version", f"PostgreSQL {major} responds")


def _encoding(name: str) -> Finding:
    if name != "UTF8":
        remedy = "create the database with ENCODING 'UTF8'"
        return failed("database.encoding", f"its encoding {name} lacks most letters", remedy)
    return ok("database.encoding", "its encoding is UTF8")


def _writable(connection: Connection) -> Finding:
    """Whether sessions can write. This one is read-only by itself, so its own setting says nothing."""
    check = "database.writable"
    if scalar(connection, "SELECT pg_is_in_recovery()"):
        remedy = "name the primary in REGCRED_DATABASE_URL, or all hosts, separated by commas"
        return failed(check, "it is a standby; it accepts no writes", remedy)
    name = "default_transaction_read_only"
    if scalar(connection, "SELECT reset_val FROM pg_settings WHERE name = %s", (name,)) == "on":
        return failed(check, f"it accepts no writes: {name} is on", f"reset {name}")
    return ok(check, "it accepts writes")


def _roles(connection: Connection) -> Finding:
    check = "database.roles"
    found = memberships(connection, _ROLES)
    missing = [role for role in _ROLES if role not in found]
    if missing:
        return failed(check, f"there is no role {', '.join(missing)}", _MIGRATE)
    held = [role for role in _ROLES if found[role]]
    if not held:
        user = connection.info.user
        remedy = f"GRANT the role of the service to {user}, or use the login of a service"
        return failed(check, f"{user} is a member of no role of regcred", remedy)
    return ok(check, f"all roles exist; {connection.info.user} is a member of {', '.join(held)}")


def _migrations(connection: Connection) -> Finding:
    try:
        applied = applied_migrations(connection)
    except psycopg.errors.UndefinedTable:
        return failed("database.migrations", "no migration was applied", _MIGRATE)
    except psycopg.errors.InsufficientPrivilege:
        remedy = "run the check with the login of `regcred migrate`"
        return warning("database.migrations", f"{connection.info.user} may not read them", remedy)
    return migration_finding(applied, known_migrations())


def migration_finding(applied: Mapping[str, str], known: Sequence[Migration]) -> Finding:
    """Compare the migrations of a database with those of this program, as `regcred migrate` does.

    `applied` maps names to checksums.
    """
    check = "database.migrations"
    try:
        missing = unapplied(known, applied)
    except MigrationRefused as refusal:
        return failed(check, refusal.problem, refusal.remedy)
    if missing:
        return failed(check, f"{len(missing)} are missing, starting with {missing[0].name}", _MIGRATE)
    unknown = sorted(set(applied) - {migration.name for migration in known})
    if unknown:
        remedy = "a newer release of regcred prepared the database: use that release everywhere"
        return warning(check, f"this release does not know {unknown[-1]}", remedy)
    return ok(check, f"all {len(known)} are applied")


def _skew(there: datetime, before: datetime, after: datetime) -> float:
    """Seconds by which the clock of the database is ahead, at least, given the duration of the query."""
    if there > after:
        return (there - after).total_seconds()
    return -(before - there).total_seconds() if there < before else 0.0


def skew_finding(seconds: float) -> Finding:
    check, remedy = "database.clock", "synchronise the clocks of both machines (chrony, systemd-timesyncd)"
    if abs(seconds) < _SKEW_SECONDS:
        return ok(check, "its clock agrees with that of this machine")
    sentence = f"its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    finding = failed if abs(seconds) >= _BAD_SKEW_SECONDS else warning
    return finding(check, sentence, remedy)


def _cluster(connection: Connection) -> Finding:
    check = "database.cluster"
    try:
        lower = has_lower_transaction_ids(connection)
        skipped = not lower and has_skipped_events(connection)
    except (
        psycopg.errors.UndefinedFunction,
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.UndefinedTable,
    ):
        return failed(check, "it has no log", _MIGRATE)
    except psycopg.errors.InsufficientPrivilege:
        remedy = "run the check with the login of `regcred migrate` or of the relay"
        return warning(check, f"{connection.info.user} may not read the log", remedy)
    if lower:
        sentence = "the log was restored into a cluster in which its order cannot continue"
        return failed(check, sentence, "read ADR 8, then run `regcred log adopt`")
    if skipped:
        sentence = "events before the end of the log have no position, so nothing shows their effect"
        return failed(check, sentence, "read ADR 8, then run `regcred log adopt`, which gives them positions")
    return ok(check, "the event log belongs to this database cluster")
