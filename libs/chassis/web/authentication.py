"""Authentication, authorisation and request ids.

A bearer token authenticates a request. Scope, account and project of the token authorise it.

Every route is marked with `requires(...)` or `public`. An application with an unmarked route does not start
(`install`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast
from uuid import UUID

import structlog
from flask import Flask, Response, current_app, g, request

from chassis.authentication.refused_request import RefusedRequest
from chassis.authentication.tokens import Principal, TokenScope
from chassis.ids import is_platform_id, new_id
from chassis.runtime.clock import now
from chassis.web.callers import LEARN
from chassis.web.limits import current_limits
from chassis.web.problems import Problem

log = structlog.get_logger()

Authenticate = Callable[[str], Principal | None]
_View = TypeVar("_View", bound=Callable[..., object])

Refused = Callable[[RefusedRequest], None]
ImagesOf = Callable[[bytes], tuple[str, ...]]

_REFUSED = "regcred-refused"
_REQUIREMENTS = "_regcred_requirements"
_ON_BEHALF_OF = re.compile(r"[\x20-\x7e]{1,255}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class _Requirements:
    """One of `scopes` is required; none if empty.

    `project_in_body`: the route calls `authorise_project`. `limits_itself`: the route shows and changes only
    what the caller's accounts and projects include. `images_of` reads the images that a body names.
    """

    scopes: tuple[TokenScope, ...]
    project_in_body: bool = False
    limits_itself: bool = False
    images_of: ImagesOf | None = None


def requires(
    *scopes: TokenScope | None,
    project_in_body: bool = False,
    limits_itself: bool = False,
    images_of: ImagesOf | None = None,
) -> Callable[[_View], _View]:
    """Require a token with one of these scopes (`None`: any valid token) for the route.

    The token must be valid for the account and the project in the path. A path without an account concerns
    the installation, and needs a token that is not limited to accounts or projects. With `project_in_body`
    the route must call `authorise_project`; with `limits_itself` it must compare with `principal()`.
    `images_of` returns the images that a body names, for the record of a refusal.
    """
    requirements = _Requirements(
        tuple(scope for scope in scopes if scope is not None), project_in_body, limits_itself, images_of
    )

    def mark(view: _View) -> _View:
        setattr(view, _REQUIREMENTS, requirements)
        return view

    return mark


def scopes_of(view: Callable[..., object]) -> tuple[TokenScope, ...]:
    """Return the scopes of which a view function requires one; none if any token will do."""
    requirements: _Requirements | None = getattr(view, _REQUIREMENTS)
    return requirements.scopes if requirements else ()


def public(view: _View) -> _View:
    """The route needs no authentication."""
    setattr(view, _REQUIREMENTS, None)
    return view


def principal() -> Principal:
    """The authenticated caller of this request."""
    return cast("Principal", g.principal)


def install(app: Flask, authenticate: Authenticate, refused: Refused | None = None) -> None:
    """Authenticate and authorise every request. Call it after all routes are registered.

    `refused` gets each request that an authenticated caller has no right to.

    Raises:
        ValueError: a route is marked with neither `requires` nor `public`.
    """
    for endpoint, view in app.view_functions.items():
        if not hasattr(view, _REQUIREMENTS):
            raise ValueError(f"route {endpoint} is marked with neither requires(...) nor public")

    app.extensions[_REFUSED] = refused

    @app.before_request
    def _enter() -> None:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        g.request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        endpoint = request.endpoint
        if endpoint is None:
            return  # no such route: the 404 reveals only what the published API contains
        if any("\0" in str(argument) for argument in (request.view_args or {}).values()):
            raise Problem(404, "not_found", "no path can contain a NUL character")
        requirements = getattr(app.view_functions[endpoint], _REQUIREMENTS)
        if requirements is not None:
            g.principal = _authenticated(authenticate)
            try:
                _authorise(g.principal, requirements, request.view_args or {})
            except Problem as problem:
                if problem.status == HTTPStatus.FORBIDDEN:
                    record_refusal(problem.code)
                    _limit(g.principal, None)  # not against an account that it has no right to
                raise
            _limit(g.principal, (request.view_args or {}).get("account_id"))

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
    learn = request.environ.get(LEARN)
    if learn is not None:
        learn(is_valid=found is not None, accounts=found.accounts if found else None)
    if found is None:
        # The response is the same for every reason: absent, malformed, unknown, revoked, expired.
        raise Problem(
            401,
            "unauthenticated",
            "a valid bearer token is needed",
            headers={"WWW-Authenticate": 'Bearer realm="regcred"'},
        )
    return found


def _limit(caller: Principal, account_id: str | None) -> None:
    limits = current_limits()
    if limits is not None:
        limits.admit_request(caller.id, account_id, of_accounts=caller.accounts is not None)


def authorise_scope(scope: TokenScope, *, project_id: str | None = None) -> None:
    """Check that the token has a scope, in routes whose body says which one it needs."""
    if not principal().may(scope):
        record_refusal("insufficient_scope", project_id=project_id)
        raise Problem(403, "insufficient_scope", f"the token needs the scope {scope}")


def authorise_project(project_id: str) -> None:
    """Check that the token is valid for a project, in routes whose body names the project."""
    if not principal().may_in_project(project_id):
        record_refusal("project_forbidden", project_id=project_id)
        raise Problem(403, "project_forbidden", "the token is not valid for this project")


def record_refusal(reason: str, *, project_id: str | None = None) -> None:
    """Record that the caller has no right to this request. It neither waits nor raises."""
    refused: Refused | None = current_app.extensions[_REFUSED]
    if refused is None:
        return
    named, rule = request.view_args or {}, request.url_rule
    requirements: _Requirements | None = getattr(
        current_app.view_functions[request.endpoint or ""], _REQUIREMENTS
    )
    images_of = requirements.images_of if requirements else None
    credential_id = named.get("credential_id")
    refused(
        RefusedRequest(
            principal=principal(),
            reason=reason,
            method=request.method,
            route=rule.rule if rule else "",
            account_id=named.get("account_id"),
            project_id=project_id or named.get("project_id"),
            credential_id=credential_id if isinstance(credential_id, UUID) else None,
            images=images_of(request.get_data(cache=True)) if images_of else (),
            request_id=request_id(),
            source_ip=request.remote_addr,
            traceparent=traceparent(),
            at=now(),
        )
    )


def _authorise(caller: Principal, requirements: _Requirements, arguments: Mapping[str, Any]) -> None:
    account_id = arguments.get("account_id")
    project_id = arguments.get("project_id")
    for platform_id in (account_id, project_id):
        if platform_id is not None and not is_platform_id(platform_id):
            raise Problem(404, "not_found", "no account or project can have such an id")
    if requirements.scopes and not any(caller.may(scope) for scope in requirements.scopes):
        wanted = " or ".join(requirements.scopes)
        raise Problem(403, "insufficient_scope", f"the token needs the scope {wanted}")
    if not requirements.scopes or requirements.limits_itself:
        return
    if account_id is None and not caller.is_unlimited:
        raise Problem(403, "account_forbidden", "the route needs a token for all accounts and projects")
    if account_id is not None and not caller.may_in_account(account_id):
        raise Problem(403, "account_forbidden", "the token is not valid for this account")
    if not requirements.project_in_body and not caller.may_in_project(project_id):
        raise Problem(403, "project_forbidden", "the token is valid for some projects only")


# Values for the metadata of events that a request causes.


def on_behalf_of() -> str | None:
    """The user on whose behalf a service calls, by the id of that service. The audit trail records it."""
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
