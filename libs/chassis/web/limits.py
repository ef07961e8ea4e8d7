"""Limits of accounts and tokens over HTTP: 429, and the fields `RateLimit` and `RateLimit-Policy`.

The fields have the form of draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from flask import Flask, Response, current_app, g

from chassis.database import open_pool
from chassis.runtime.limiter import Allowance, Limit, Limiter, LimitReached
from chassis.settings.limits import LimitSettings
from chassis.web.limit_buckets import DatabaseBuckets
from chassis.web.problems import Problem, respond

CONNECTIONS = 2
REVOCATION_RETRY_SECONDS = 60
_EXTENSION = "regcred-limits"


def open_limits(settings: LimitSettings, database_url: str, *, role: str) -> "Limits":
    """The limits of accounts and tokens, whose state is in this database. It connects with its first use."""
    pool = open_pool(database_url, role=role, size=CONNECTIONS, writes=False, connects=False)
    buckets = DatabaseBuckets(pool)
    return Limits(Limiter(buckets), settings, close=buckets.close)


class Limits:
    """The limits of an application. `close` ends their connections."""

    def __init__(self, limiter: Limiter, settings: LimitSettings, *, close: Callable[[], None]) -> None:
        self.close = close
        self._limiter = limiter
        self._settings = settings

    def admit_request(self, token_id: str, account_id: str | None, *, of_accounts: bool) -> None:
        """Count a request against its account, and against its token.

        A token of all accounts (not `of_accounts`) is limited only in requests without an account, so that
        an account which sends many requests through a platform does not use up those of other accounts.

        Raises:
            LimitReached: it is not admitted.
        """
        if account_id is not None:
            self._spend(self._settings.account_requests, account_id)
        if account_id is None or of_accounts:
            self._spend(self._settings.token_requests, token_id)

    def admit_events(self, account_id: str, number: int = 0) -> None:
        """Check that an account may cause further events, and record `number` of them.

        Raises:
            LimitReached: it may not.
        """
        self._spend(self._settings.events, account_id, number)

    def charge_events(self, account_id: str, number: int) -> None:
        """Record events that an account has caused."""
        self._limiter.charge(self._settings.events, account_id, number)

    def admit_verification(self, credential_id: UUID) -> None:
        """Count a requested verification of a credential. Raises `LimitReached`."""
        self._spend(self._settings.verifications, str(credential_id))

    def admit_token(self, number: int) -> None:
        """Check that the creator of a number of valid tokens may create another one. Raises `Problem`."""
        most = self._settings.tokens
        if most and number >= most:
            detail = f"this token has created {most} valid tokens, which is the limit; revoke one first"
            headers = {"Retry-After": str(REVOCATION_RETRY_SECONDS)}
            raise Problem(429, "tokens_limited", detail, headers=headers)

    def _spend(self, limit: Limit, of: str, units: int = 1) -> None:
        allowance = self._limiter.spend(limit, of, units)
        if allowance is not None:
            _reported().append(allowance)


def install(app: Flask, limits: Limits | None) -> None:
    """Report the limits in every response that one of them applied to. `None`: nothing is limited."""
    app.extensions[_EXTENSION] = limits

    @app.after_request
    def _report(response: Response) -> Response:
        reported = _reported()
        if reported:
            policies = (
                f'"{each.limit.name}";q={each.limit.quota};w={each.limit.seconds}' for each in reported
            )
            left = (f'"{each.limit.name}";r={each.remaining};t={each.reset_seconds}' for each in reported)
            response.headers["RateLimit-Policy"] = ", ".join(policies)
            response.headers["RateLimit"] = ", ".join(left)
        return response

    @app.errorhandler(LimitReached)
    def _reached(error: LimitReached) -> Response:
        spent = Allowance(limit=error.limit, remaining=0, reset_seconds=error.retry_after)
        _reported().append(spent)
        detail = f"the limit {error.limit.name!r} is {error.limit.quota} in {error.limit.seconds} seconds"
        headers = {"Retry-After": str(error.retry_after)}
        return respond(
            Problem(429, "limit_reached", f"{detail}; try again after Retry-After", headers=headers)
        )


def current_limits() -> Limits | None:
    """The limits of the application of this request; `None` if nothing is limited."""
    return cast("Limits | None", current_app.extensions.get(_EXTENSION))


def admit_token(number: int) -> None:
    """Check that the caller of this request, who has created a number of valid tokens, may create another.

    Raises:
        Problem: it may not.
    """
    limits = current_limits()
    if limits is not None:
        limits.admit_token(number)


def charge_events(account_id: str, number: int) -> None:
    """Record events that the account of this request has caused, which is executed in any case."""
    limits = current_limits()
    if limits is not None:
        limits.charge_events(account_id, number)


def _reported() -> list[Allowance]:
    if "allowances" not in g:
        g.allowances = []
    return cast("list[Allowance]", g.allowances)
