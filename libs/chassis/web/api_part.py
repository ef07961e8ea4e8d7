"""The part of one service in an HTTP application, and the application of one or several parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Flask

from chassis.database import Pool
from chassis.observability.exposition import Exposition
from chassis.web.application import Check, create_app
from chassis.web.authentication import Authenticate
from chassis.web.blueprint import Blueprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPart:
    """The routes, authentication, readiness checks, error handlers and metrics of one service."""

    blueprints: Sequence[Blueprint]
    authenticate: Authenticate
    checks: Mapping[str, Check]
    install: Callable[[Flask], None]
    close: Callable[[], None]
    expose: Exposition | None = None


def join(parts: Sequence[ApiPart]) -> Flask:
    """Create one application from several parts of the API.

    All parts have the same authentication and metrics, so those of the first part are used.
    """
    app = create_app(
        [blueprint for part in parts for blueprint in part.blueprints],
        authenticate=parts[0].authenticate,
        checks={name: check for part in parts for name, check in part.checks.items()},
        expose=parts[0].expose,
    )
    for part in parts:
        part.install(app)
    return app


def database_check(pool: Pool) -> Check:
    """A readiness check that executes a statement."""

    def check() -> None:
        with pool.connection(timeout=2) as connection:
            connection.execute("SELECT 1")

    return check
