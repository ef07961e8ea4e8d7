"""The door: who asks (bearer token), for whom, what for (scope, account, project), under which request id.

Every route says what it needs with `requires(...)` or `public`; an application with a route that says neither
does not start (`install`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog
from flask import Flask, Response, g, request

from chassis.authentication.tokens import Principal, TokenScope
from chassis.ids import is_platform_id, new_id
from chassis.web.problems import Problem

log = structlog.get_logger()

Authenticate = Callable[[str], Principal | None]
_View = TypeVar("_View", bound=Callable[..., object])

_NEEDS = "_regcred_needs"
_ON_BEHALF_OF = re.compile(r"[\x20-\x7e]{1,255}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class _Needs:
    """One of these scopes, or none; `project_in_body` where the route itself calls `authorise_project`."""

    scopes: tuple[TokenScope, ...]
    project_in_body: bool = False


def requires(*scopes: TokenScope | None, project_in_body: bool = False) -> Callable[[_View], _View]:
    """The route needs a token with one of these scopes (`None`: any good token), valid for the account and
    project that its path names. With `project_in_body` the route has to call `authorise_project`.
    """
    needs = _Needs(tuple(scope for scope in scopes if scope is not None), project_in_body)

    def mark(view: _View) -> _View:
        setattr(view, _NEEDS, needs)
        return view

    return mark


def public(view: _View) -> _View:
    """The route is open to everybody."""
    setattr(view, _NEEDS, None)
    return view


def principal() -> Principal:
    """Who asks."""
    return cast("Principal", g.principal)


def install(app: Flask, authenticate: Authenticate) -> None:
    """Let nobody in who may not; call it once every route is registered.

    Raises:
        ValueError: a route does not say what it needs.
    """
    for endpoint, view in app.view_functions.items():
        if not hasattr(view, _NEEDS):
            raise ValueError(f"route {endpoint} says neither requires(...) nor public")

    @app.before_request
    def _enter() -> None:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        g.request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        endpoint = request.endpoint
        if endpoint is None:
            return  # no such route: 404 tells nothing that the contract does not
        needs = getattr(app.view_functions[endpoint], _NEEDS)
        if needs is not None:
            g.principal = _authenticated(authenticate)
            _authorise(g.principal, needs, request.view_args or {})

    @app.after_request
    def _leave(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Cache-Control", "no-store")
        headers.add("X-Request-Id", g.get("request_id", ""))
        headers.add("X-Content-Type-Options", "nosniff")
        return response


def _authenticated(authenticate: Authenticate) -> Principal:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    found = authenticate(text.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        # One answer for every reason: absent, malformed, unknown, revoked, expired.
        raise Problem(
            401,
            "unauthenticated",
            "a valid bearer token is needed",
            headers={"WWW-Authenticate": 'Bearer realm="regcred"'},
        )
    return found


def authorise_project(project_id: str) -> None:
    """Let only those pass whose token is valid for this project; for routes whose body names it."""
    if not principal().may_in_project(project_id):
        raise Problem(403, "project_forbidden", "the token is not valid for this project")


def _authorise(who: Principal, needs: _Needs, arguments: Mapping[str, Any]) -> None:
    account_id = arguments.get("account_id")
    project_id = arguments.get("project_id")
    for pointer in (account_id, project_id):
        if pointer is not None and not is_platform_id(pointer):
            raise Problem(404, "not_found", "no account or project can have such an id")
    if needs.scopes and not any(who.may(scope) for scope in needs.scopes):
        wanted = " or ".join(needs.scopes)
        raise Problem(403, "insufficient_scope", f"the token needs the scope {wanted}")
    if account_id is not None and not who.may_in_account(account_id):
        raise Problem(403, "account_forbidden", "the token is not valid for this account")
    if needs.scopes and not needs.project_in_body and not who.may_in_project(project_id):
        raise Problem(403, "project_forbidden", "the token is valid for some projects only")


# What stands in the metadata of every event that a request causes.


def on_behalf_of() -> str | None:
    """The person for whom a service asks, as that service knows them; it stands in the audit trail."""
    text = request.headers.get("Regcred-On-Behalf-Of")
    if text is None:
        return None
    if not _ON_BEHALF_OF.fullmatch(text):
        raise Problem(400, "invalid_on_behalf_of", "1 to 255 printable ASCII characters")
    return text


def request_id() -> str:
    found: str = g.request_id
    return found


def traceparent() -> str | None:
    found: str | None = g.get("traceparent")
    return found
