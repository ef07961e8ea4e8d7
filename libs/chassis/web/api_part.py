"""The part of one service in an HTTP application, and the application of one or several parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Flask
from psycopg_pool import PoolTimeout, TooManyRequests

from chassis.database import Connection, Pool
from chassis.migrations import migrations, require_applied
from chassis.observability.exposition import Exposition
from chassis.runtime.readiness import Check
from chassis.web.application import create_app
from chassis.web.authentication import Authenticate, Refused
from chassis.web.blueprint import Blueprint
from chassis.web.limits import Limits

_CHECK_SECONDS = 0.5  # for a connection of the pool; a probe waits three seconds for all checks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPart:
    """The routes, authentication, limits, readiness checks, error handlers and metrics of one service.

    `refused` records each request that an authenticated caller has no right to. `start` connects to the
    servers that the part needs. Before that, only its description can be used.
    """

    blueprints: Sequence[Blueprint]
    authenticate: Authenticate
    checks: Mapping[str, Check]
    install: Callable[[Flask], None]
    start: Callable[[], None]
    close: Callable[[], None]
    expose: Exposition | None = None
    refused: Refused | None = None
    limits: Limits | None = None


def started(part: ApiPart) -> ApiPart:
    """Start a part, and return it. Raises `CannotStart`."""
    part.start()
    return part


def join(parts: Sequence[ApiPart]) -> Flask:
    """Create one application from several parts of the API.

    All parts have the same authentication, limits and metrics and record refusals, so those of the first
    part are used.
    """
    app = create_app(
        [blueprint for part in parts for blueprint in part.blueprints],
        authenticate=parts[0].authenticate,
        checks={name: check for part in parts for name, check in part.checks.items()},
        expose=parts[0].expose,
        refused=parts[0].refused,
        limited=parts[0].limits,
    )
    for part in parts:
        part.install(app)
    return app


def database_check(pool: Pool, packages: Sequence[str]) -> Check:
    """A readiness check: the migrations of these packages were applied."""
    wanted = {migration.name for migration in migrations(packages)}
    return pool_check(pool, lambda connection: require_applied(connection, wanted))


def pool_check(pool: Pool, examine: Callable[[Connection], None]) -> Check:
    """A readiness check that raises what `examine` raises for a connection of the pool.

    While requests use every connection, the login works and the process is only busy.
    """

    def check() -> None:
        try:
            with pool.connection(timeout=_CHECK_SECONDS) as connection:
                examine(connection)
        except (PoolTimeout, TooManyRequests):
            stats = pool.get_stats()
            if stats["pool_size"] < stats["pool_max"]:
                raise

    return check
