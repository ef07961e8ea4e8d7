"""Every route of the API with every kind of principal.

`ROUTES` is written by hand. It is what the routes should allow, and not what the code says. A route that is
missing in the table fails the test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from chassis.authentication.tokens import TokenScope, parse
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api
from tests.support.tokens import store_token
from verifier.bootstrap import registry_api

ACCOUNT, PROJECT = "acme", "shop"
CREDENTIAL = "0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e01"

# The limits of a token: its accounts and its projects. `None`: all.
LIMITS: Mapping[str, tuple[frozenset[str] | None, frozenset[str] | None]] = {
    "unlimited": (None, None),
    "this account": (frozenset({ACCOUNT}), None),
    "another account": (frozenset({"other"}), None),
    "no account": (frozenset(), None),
    "this project": (None, frozenset({PROJECT})),
    "another project": (None, frozenset({"blog"})),
    "this account and project": (frozenset({ACCOUNT}), frozenset({PROJECT})),
}

# Which limits a route accepts.
INSTALLATION = {"unlimited"}
IN_ACCOUNT = {"unlimited", "this account"}
IN_PROJECT = {"unlimited", "this account", "this project", "this account and project"}
ANY = set(LIMITS)

NOBODY: set[str] = set()  # of a public route, no token is read
READ, WRITE = {"credentials:read", "admin"}, {"credentials:write", "admin"}
FREEZE = {"credentials:freeze", "credentials:write", "admin"}
ISSUE = {"secrets:issue", "admin"}  # to pull; to push: `tests/integration/issuing/test_push_secrets.py`
RESOLVE = {"credentials:read", "secrets:issue", "secrets:issue_push", "admin"}
RELEASE = {"credentials:write", "secrets:issue", "admin"}
AUDIT, METRICS, ADMIN = {"audit:read", "admin"}, {"metrics:read", "admin"}, {"admin"}
EVERY_SCOPE = {scope.value for scope in TokenScope}

_C = "/v1/accounts/<account_id>/credentials"
_ONE = f"{_C}/<uuid:credential_id>"
ROUTES: Mapping[tuple[str, str], tuple[set[str], set[str]]] = {
    ("GET", "/healthz"): (NOBODY, ANY),
    ("GET", "/readyz"): (NOBODY, ANY),
    ("GET", "/docs"): (NOBODY, ANY),
    ("GET", "/openapi.json"): (NOBODY, ANY),
    ("GET", "/metrics"): (METRICS, INSTALLATION),
    ("GET", "/v1/system"): (ADMIN, INSTALLATION),
    ("GET", "/v1/audit-events"): (AUDIT, INSTALLATION),
    ("GET", "/v1/accounts/<account_id>/exposure"): (AUDIT, IN_ACCOUNT),
    ("GET", "/v1/providers"): (EVERY_SCOPE, ANY),
    ("GET", "/v1/service-tokens"): (ADMIN, ANY),
    ("POST", "/v1/service-tokens"): (ADMIN, ANY),
    ("DELETE", "/v1/service-tokens/<token_id>"): (ADMIN, ANY),
    ("GET", _C): (READ, IN_ACCOUNT),
    ("POST", _C): (WRITE, IN_ACCOUNT),
    ("GET", f"{_C}/summary"): (READ, IN_ACCOUNT),
    ("GET", _ONE): (READ, IN_ACCOUNT),
    ("PATCH", _ONE): (WRITE, IN_ACCOUNT),
    ("DELETE", _ONE): (WRITE, IN_ACCOUNT),
    ("GET", f"{_ONE}/events"): (AUDIT, IN_ACCOUNT),
    ("GET", f"{_ONE}/images"): (READ, IN_ACCOUNT),
    ("GET", f"{_ONE}/repositories/<path:repository>/tags"): (READ, IN_ACCOUNT),
    ("PUT", f"{_ONE}/restrictions"): (WRITE, IN_ACCOUNT),
    ("POST", f"{_ONE}/freeze"): (FREEZE, IN_ACCOUNT),
    ("POST", f"{_ONE}/thaw"): (WRITE, IN_ACCOUNT),
    ("PUT", f"{_ONE}/secret"): (WRITE, IN_ACCOUNT),
    ("POST", f"{_ONE}/secret/rollback"): (WRITE, IN_ACCOUNT),
    ("GET", f"{_ONE}/usages"): (READ, IN_ACCOUNT),
    ("GET", f"{_ONE}/verifications"): (READ, IN_ACCOUNT),
    ("POST", f"{_ONE}/verifications"): (WRITE, IN_ACCOUNT),
    ("POST", "/v1/accounts/<account_id>/imports"): (WRITE, IN_ACCOUNT),
    ("POST", "/v1/accounts/<account_id>/verifications"): (WRITE, IN_ACCOUNT),
    ("GET", "/v1/accounts/<account_id>/audit-events"): (AUDIT, IN_ACCOUNT),
    ("GET", "/v1/accounts/<account_id>/projects/<project_id>/credentials"): (READ, IN_PROJECT),
    ("GET", "/v1/accounts/<account_id>/projects/<project_id>/registries"): (RESOLVE, IN_PROJECT),
    ("POST", "/v1/accounts/<account_id>/pull-secrets"): (ISSUE, IN_PROJECT),
    ("POST", "/v1/accounts/<account_id>/resolutions"): (RESOLVE, IN_PROJECT),
    ("POST", "/v1/accounts/<account_id>/workload-releases"): (RELEASE, IN_PROJECT),
}
# The project of these routes is in the body, so the body must be valid.
BODIES: Mapping[tuple[str, str], dict[str, object]] = {
    ("POST", "/v1/accounts/<account_id>/pull-secrets"): {
        "images": ["ghcr.io/acme/shop:1"],
        "project_id": PROJECT,
        "workload": {"kind": "deployment", "name": "storefront"},
    },
    ("POST", "/v1/accounts/<account_id>/resolutions"): {
        "image": "ghcr.io/acme/shop:1",
        "project_id": PROJECT,
    },
    ("POST", "/v1/accounts/<account_id>/workload-releases"): {"project_id": PROJECT, "whole_project": True},
}
REFUSALS = {"insufficient_scope", "account_forbidden", "project_forbidden"}


@dataclass(frozen=True)
class Api:
    app: Flask
    tokens: Mapping[tuple[str, str], str]  # by scope and limits
    expired: str
    revoked: str

    def refusal(self, route: tuple[str, str], token: str | None) -> str | None:
        """The code with which the token is refused; `None` if it is accepted."""
        answer = self.answer(route, token)
        code: str | None = (answer.get_json(silent=True) or {}).get("code")
        assert answer.status_code < 500, answer.text
        if answer.status_code == 401 or code in REFUSALS:
            return code
        return None

    def answer(self, route: tuple[str, str], token: str | None, query: str = "") -> TestResponse:
        """The response to a request for a route."""
        method, rule = route
        path = (
            rule.replace("<account_id>", ACCOUNT)
            .replace("<project_id>", PROJECT)
            .replace("<uuid:credential_id>", CREDENTIAL)
            .replace("<path:repository>", "team/shop")
            .replace("<token_id>", "unknown")
        )
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.app.test_client().open(
            path,
            method=method,
            headers=headers,
            query_string=query,
            json=BODIES.get(route, {}) if method != "GET" else None,
        )


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    keys = prepare_keys(settings.key_file)

    def token(scope: TokenScope, limits: str = "unlimited", lasts: timedelta | None = None) -> str:
        accounts, projects = LIMITS[limits]
        expires_at = None if lasts is None else now() + lasts
        return store_token(
            database_url, keys, [scope], accounts=accounts, projects=projects, expires_at=expires_at
        )

    tokens = {(scope.value, limits): token(scope, limits) for scope in TokenScope for limits in LIMITS}
    expired, revoked = token(TokenScope.ADMIN, lasts=timedelta(seconds=-1)), token(TokenScope.ADMIN)
    parts = [command_api(settings), query_api(settings), registry_api(settings)]
    app = join(parts)
    found = parse(revoked)
    assert found
    done = app.test_client().delete(
        f"/v1/service-tokens/{found.token_id}",
        headers={"Authorization": f"Bearer {tokens['admin', 'unlimited']}"},
    )
    assert done.status_code == 204, done.text
    yield Api(app, tokens, expired, revoked)
    for part in parts:
        part.close()


def test_the_table_has_every_route(api: Api) -> None:
    served = {
        (method, rule.rule)
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_accepts_the_principals_of_the_table_and_no_other(api: Api, route: tuple[str, str]) -> None:
    scopes, limits = ROUTES[route]
    public = not scopes
    wrong = [
        f"{scope} of {limit}: {refusal or 'accepted'}"
        for (scope, limit), token in api.tokens.items()
        if ((refusal := api.refusal(route, token)) is None)
        is not (public or (scope in scopes and limit in limits))
    ]
    assert not wrong
    for invalid in (None, api.expired, api.revoked, "rgcs_no_token"):
        assert api.refusal(route, invalid) == (None if public else "unauthenticated")


@pytest.mark.parametrize("route", [route for route in ROUTES if route[1].startswith("/v1")], ids=" ".join)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("dryrun=true", "/dryrun"),
        ("x%2Fy=1", "/x~1y"),
        ("=1", "/"),
        ("dry_run=false&dry_run=true", "/dry_run"),
    ],
)
def test_no_route_ignores_a_parameter_of_the_query(
    api: Api, route: tuple[str, str], query: str, pointer: str
) -> None:
    answer = api.answer(route, api.tokens["admin", "unlimited"], query)
    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.get_json()["errors"]} == {pointer}
    assert api.refusal(route, None) == "unauthenticated", "the parameters of strangers are not checked"


def test_a_known_parameter_is_given_once(api: Api) -> None:
    route = ("GET", f"{_C}")
    answer = api.answer(route, api.tokens["admin", "unlimited"], "limit=1&limit=2&name=a")
    assert [(error["pointer"], error["code"]) for error in answer.get_json()["errors"]] == [
        ("/limit", "repeated")
    ]
