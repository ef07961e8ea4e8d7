"""Which requests are the same under an Idempotency-Key: those that mean the same, and those of 0.9.0."""

import json
from itertools import count
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from credentials.api import commands
from credentials.application.command_handler import RequestKey
from tests.integration.credentials.calls import Caller
from tests.support.system import add_body

_numbers = count(1)
PULL = {"images": ["reg.example.com/app"], "project_id": "shop", "workload": {"kind": "job", "name": "j"}}
CONFIG = {"auths": {"reg.example.com": {"username": "octo", "password": "canary-9d3e"}}}
REQUESTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "credentials": (
        "",
        add_body("team", "reg.example.com", "octo", "old"),
        {
            "scope": {"push": False, "pull": True},
            "repository_prefixes": [],
            "restrictions": {"projects": [], "restricted": False},
            "expires_at": None,
            "description": "",
        },
    ),
    "imports": ("", {"docker_config": CONFIG}, {"name_prefix": "", "dry_run": False}),
    "pull-secrets": ("team", PULL, {"allow_anonymous": False, "format": "docker_config", "client": None}),
    "verifications": ("team", {}, {"image": None}),
}


@pytest.fixture
def account() -> str:
    return f"same-{next(_numbers)}"


def send(caller: Caller, path: str, body: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {caller.token}", "Idempotency-Key": "k"}
    url = f"/v1/accounts/{path}"
    return caller.app.test_client().post(url, data=body, headers=headers, content_type="application/json")


def path_of(caller: Caller, account: str, route: str) -> str:
    credential = caller.added(account) if REQUESTS[route][0] else ""
    return f"{credential}/verifications" if route == "verifications" else f"{account}/{route}"


@pytest.mark.parametrize("route", REQUESTS)
def test_another_spelling_is_the_same_request(caller: Caller, account: str, route: str) -> None:
    path, (_, body, defaults) = path_of(caller, account, route), REQUESTS[route]
    first = send(caller, path, json.dumps(body))
    assert first.status_code in {200, 201, 202}, first.text
    spelled = {**defaults, **dict(reversed(body.items()))}
    spelled = {name: spelled[name] for name in sorted(spelled, reverse=True)} | defaults
    again = send(caller, path, "\n" + json.dumps(spelled, indent=3, ensure_ascii=False))
    assert again.status_code == first.status_code, again.text
    assert again.get_json() == first.get_json()


def test_other_requests_are_refused(caller: Caller, account: str) -> None:
    path, body = f"{account}/credentials", REQUESTS["credentials"][1]
    assert send(caller, path, json.dumps(body)).status_code == 201
    other_secret = {**body, "credential": {**body["credential"], "password": "another"}}
    for other in ({**body, "description": "x"}, other_secret, {**body, "repository_prefixes": ["a/"]}):
        refused = send(caller, path, json.dumps(other))
        assert (refused.status_code, refused.get_json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("route", REQUESTS)
def test_a_request_that_0_9_0_answered_is_answered(
    caller: Caller, account: str, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = path_of(caller, account, route), json.dumps(REQUESTS[route][1])
    current = commands._key

    def of_0_9_0(*arguments: Any) -> Any:
        key = current(*arguments)
        assert key is not None
        return RequestKey(key=key.key, fingerprint=key.former_fingerprint or b"")

    monkeypatch.setattr(commands, "_key", of_0_9_0)
    first = send(caller, path, body)
    monkeypatch.undo()
    again = send(caller, path, body)
    assert (again.status_code, again.get_json()) == (first.status_code, first.get_json())
    other = {"image": "reg.example.com/x"} if route == "verifications" else None
    changed = json.dumps(other) if other else body.replace("octo", "octocat").replace("shop", "blog")
    refused = send(caller, path, changed)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "idempotency_key_reused")


def test_fingerprints_are_keyed(caller: Caller, account: str) -> None:
    """The fingerprint of the same addition in another account differs, and no secret is stored in plain text."""
    body = json.dumps(REQUESTS["credentials"][1])
    for name in (account, f"{account}-b"):
        assert send(caller, f"{name}/credentials", body).status_code == 201
    with psycopg.connect(caller.database_url) as connection:
        stored = connection.execute(
            "SELECT fingerprint FROM es.idempotency WHERE account_id LIKE %s", (f"{account}%",)
        ).fetchall()
    assert len({row[0] for row in stored}) == 2
    assert all(len(row[0]) == 32 for row in stored)
