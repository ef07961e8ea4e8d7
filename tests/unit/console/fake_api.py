"""A REST API with a few fixed responses, as a WSGI application. It records the requests of a page."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from chassis.web.problem_document import title_of

TOKEN = "rgcs_test_token-of-the-fake"
Json = dict[str, Any]
CREDENTIAL_ID = "018cc251-f400-7000-8000-000000000001"


@dataclass
class ReceivedRequest:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeApi:
    """`answers` has a status, a document and optional headers for each method and path."""

    answers: dict[tuple[str, str], tuple[int, Any] | tuple[int, Any, dict[str, str]]] = field(
        default_factory=dict
    )
    requests: list[ReceivedRequest] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        sent = environ["wsgi.input"].read(length) if length else b""
        headers = {name[5:]: str(value) for name, value in environ.items() if name.startswith("HTTP_")}
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(
            ReceivedRequest(
                method, path, environ.get("QUERY_STRING", ""), headers, json.loads(sent) if sent else None
            )
        )
        status, document, *more = self._answer(method, path, headers)
        content = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        kind = (
            "problem+json" if isinstance(document, dict) and "code" in document and status >= 400 else "json"
        )
        given = {"Content-Type": f"application/{kind}", **(more[0] if more else {})}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(given.items()))
        return [b""] if status == 204 else [content]

    def _answer(self, method: str, path: str, headers: dict[str, str]) -> Any:
        if path != "/readyz" and headers.get("AUTHORIZATION") != f"Bearer {TOKEN}":
            return 401, problem(401, "unauthenticated", "a valid bearer token is needed")
        return self.answers.get((method, path), (404, problem(404, "not_found", "not found")))

    def last(self, method: str, path: str = "") -> ReceivedRequest:
        """The last request of this method to a path with this end."""
        return [one for one in self.requests if one.method == method and one.path.endswith(path)][-1]


def problem(status: int, code: str, detail: str, *errors: tuple[str, str], **more: Any) -> Json:
    return {
        "type": f"/docs#problem-{code}",
        "title": title_of(code),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "r",
        "errors": [{"pointer": pointer, "code": "wrong", "detail": said} for pointer, said in errors],
        **more,
    }


def page(*items: Json, next_cursor: str | None = None) -> Json:
    return {"items": list(items), "next_cursor": next_cursor}


def credential(**changes: Any) -> Json:
    return {
        "id": CREDENTIAL_ID,
        "account_id": "acme",
        "name": "team-ghcr",
        "provider": "github",
        "registry_host": "ghcr.io",
        "location": None,
        "username": "octo",
        "repository_prefixes": ["acme/"],
        "description": "For the <shop>",
        "scope": {"pull": True, "push": False},
        "restrictions": {"restricted": True, "projects": ["shop"]},
        "secret_version": 1,
        "frozen": False,
        "additional_hosts": [],
        "mirror_of": [],
        "expires_at": "2026-12-10T12:34:56Z",
        "verification": {
            "status": "failed",
            "code": "bad_credential",
            "detail": "the registry refused it",
            "checked_at": "2026-11-24T11:59:00Z",
        },
        "version": 3,
        "created_at": "2026-11-24T11:00:00Z",
        "updated_at": "2026-11-24T11:30:00Z",
        "last_used_at": "2026-11-24T11:30:00Z",
        "used_by": 2,
        "dead_letters": 0,
    } | changes


def summary(**changes: Any) -> Json:
    return {
        "total": 2,
        "by_status": {"pending": 0, "verified": 1, "failed": 1, "unverifiable": 0, "unreachable": 0},
        "by_provider": {"github": 2},
        "expired": 0,
        "expiring_soon": 1,
        "soon_days": 30,
        "next_to_expire": [
            {
                "id": CREDENTIAL_ID,
                "name": "team-ghcr",
                "provider": "github",
                "registry_host": "ghcr.io",
                "expires_at": "2026-12-10T12:34:56Z",
            }
        ],
    } | changes


def system(**changes: Any) -> Json:
    figures = {"position": 7, "lag_seconds": 0.0, "lag_events": 0, "retries": 0, "dead_letters": 0}
    return {
        "version": "0.9.0",
        "log": {"position": 9, "published_position": None, "waiting_seconds": 0.0},
        "consumers": [
            {"name": "projector", **figures, "lag_events": 2, "lag_seconds": 64.2, "dead_letters": 1},
            {"name": "verifier", **figures, "retries": 3},
        ],
        "unreadable_secrets": 0,
        "dead_letters": [
            {
                "consumer": "projector",
                "position": 4,
                "type": "credential.details_changed",
                "account_id": "acme",
                "attempts": 1,
                "reason": "this program does not know version <99>",
                "since": "2026-11-24T11:00:00Z",
            }
        ],
    } | changes


def verification(**changes: Any) -> Json:
    return {
        "id": "v1",
        "status": "failed",
        "code": "bad_credential",
        "detail": "the registry refused it",
        "help": "Create a new token with `read:packages`.",
        "trigger": "added",
        "secret_version": 1,
        "checked_at": "2026-11-24T11:59:00Z",
        "duration_ms": 120,
    } | changes


def audit_event(**changes: Any) -> Json:
    return {
        "id": "e1",
        "position": 7,
        "time": "2026-11-24T11:30:00Z",
        "action": "credential.details_changed",
        "outcome": "success",
        "reason": None,
        "actor": {"type": "service", "id": "tok1", "name": "deployer"},
        "on_behalf_of": "ada@example.com",
        "source_ip": "127.0.0.1",
        "account_id": "acme",
        "credential_id": CREDENTIAL_ID,
        "credential_name": "team-ghcr",
        "project_id": None,
        "registry_host": "ghcr.io",
        "image": None,
        "secret_version": None,
        "before": {"name": "old", "scope": {"pull": True, "push": False}},
        "after": {"name": "team-ghcr", "scope": {"pull": True, "push": True}},
        "request_id": "req-42",
        "correlation_id": "req-42",
        "causation_id": None,
    } | changes


def exposed(**changes: Any) -> Json:
    return {
        "credential_id": CREDENTIAL_ID,
        "credential_name": "team-ghcr",
        "registry_host": "ghcr.io",
        "secret_version": 1,
        "current_version": 1,
        "state": "current",
        "to_do": True,
        "frozen": False,
        "issued": 3,
        "first_issued_at": "2026-11-24T11:30:00Z",
        "last_issued_at": "2026-11-24T11:31:00Z",
        "workloads": [{"project_id": "shop", "workload": {"kind": "deployment", "name": "<front>"}}],
        "more_workloads": False,
        "actors": [{"type": "service", "id": "tok1", "name": "deployer"}],
        "more_actors": False,
        "source_ips": ["127.0.0.1"],
        "more_source_ips": False,
    } | changes


def token(**changes: Any) -> Json:
    return {
        "id": "tok1",
        "name": "deployer",
        "scopes": ["secrets:issue"],
        "accounts": ["acme"],
        "projects": None,
        "created_at": "2026-11-24T11:00:00Z",
        "created_by": "tok0",
        "expires_at": None,
        "revoked_at": None,
    } | changes


def usage() -> Json:
    return {
        "project_id": "shop",
        "workload": {"kind": "deployment", "name": "web"},
        "images": ["ghcr.io/acme/shop:1"],
        "secret_version": 1,
        "first_used_at": "2026-11-24T11:00:00Z",
        "last_used_at": "2026-11-24T11:30:00Z",
    }
