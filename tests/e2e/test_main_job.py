"""The main use cases over HTTP, against a real registry."""

import base64
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx2
import psycopg
import pytest

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.read_models import LONGEST_WAIT, get_after
from tests.support.servers import free_port
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting

_numbers = count(1)
Json = dict[str, Any]


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"acme-{next(_numbers)}"


@pytest.fixture
def client(running: Running) -> Iterator[httpx2.Client]:
    with running.system.client() as client:
        yield client


def add(client: httpx2.Client, account: str, body: Json, **headers: str) -> httpx2.Response:
    return client.post(f"/v1/accounts/{account}/credentials", json=body, headers=headers)


def settled(client: httpx2.Client, account: str, credential_id: str) -> Json:
    """The credential once its verification is no longer pending."""

    def ask() -> Json | None:
        answer = client.get(f"/v1/accounts/{account}/credentials/{credential_id}")
        if answer.status_code != 200:
            return None
        found: Json = answer.json()
        return found if found["verification"]["status"] != "pending" else None

    return waiting(ask, "the verification ends") or {}


def test_the_right_password_is_verified(client: httpx2.Client, running: Running, account: str) -> None:
    answer = add(client, account, add_body("right", running.registry.address, USER, PASSWORD))
    assert answer.status_code == 201, answer.text
    found = settled(client, account, answer.json()["id"])
    assert answer.json()["verification"]["status"] == "pending"
    assert found["verification"]["status"] == "verified"
    assert found["verification"]["code"] is None
    assert found["registry_host"] == running.registry.address
    assert found["username"] == USER
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"].endswith(found["id"])


def test_a_wrong_password_fails_as_bad_credential(
    client: httpx2.Client, running: Running, account: str
) -> None:
    answer = add(client, account, add_body("wrong", running.registry.address, USER, "not-it"))
    found = settled(client, account, answer.json()["id"])
    assert (found["verification"]["status"], found["verification"]["code"]) == ("failed", "bad_credential")
    history = client.get(f"/v1/accounts/{account}/credentials/{found['id']}/verifications").json()
    [item] = history["items"]
    assert item["code"] == "bad_credential"
    assert item["trigger"] == "added"
    assert item["help"]
    assert item["duration_ms"] >= 0


def test_a_dead_host_is_unreachable(client: httpx2.Client, running: Running, account: str) -> None:
    dead = add(client, account, add_body("dead", "127.0.0.1:9", USER, PASSWORD)).json()
    verification = settled(client, account, dead["id"])["verification"]
    assert (verification["status"], verification["code"]) == ("unreachable", "unreachable")


def test_the_audit_trail_shows_every_change(client: httpx2.Client, running: Running, account: str) -> None:
    right = add(
        client,
        account,
        add_body("right", running.registry.address, USER, PASSWORD),
        **{"X-Request-Id": "req-42", "Regcred-On-Behalf-Of": "ada@example.com"},
    ).json()
    wrong = add(client, account, add_body("wrong", running.registry.address, USER, "not-it")).json()
    for credential in (right, wrong):
        settled(client, account, credential["id"])
    trail = client.get(f"/v1/accounts/{account}/audit-events").json()["items"]
    trail = [event for event in trail if event["action"] != "audit.read"]
    assert len(trail) == 4
    assert [event["position"] for event in trail] == sorted(
        (event["position"] for event in trail), reverse=True
    )
    by_credential = {(event["credential_name"], event["action"]): event for event in trail}
    added = by_credential["right", "credential.added"]
    assert added["request_id"] == "req-42"
    assert added["on_behalf_of"] == "ada@example.com"
    assert added["actor"]["type"] == "service"
    assert added["source_ip"] == "127.0.0.1"
    assert added["registry_host"] == running.registry.address
    assert by_credential["right", "verification.succeeded"]["outcome"] == "success"
    assert by_credential["right", "verification.succeeded"]["correlation_id"] == "req-42"
    failed = by_credential["wrong", "verification.failed"]
    assert (failed["outcome"], failed["reason"]) == ("failure", "bad_credential")
    assert failed["causation_id"] == by_credential["wrong", "credential.added"]["id"]

    one = client.get(f"/v1/accounts/{account}/audit-events", params={"outcome": "failure"}).json()
    assert [event["id"] for event in one["items"]] == [failed["id"]]
    lines = client.get(
        f"/v1/accounts/{account}/audit-events", headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    exported = [event for event in map(json.loads, lines) if event["action"] != "audit.read"]
    assert [event["id"] for event in exported] == [event["id"] for event in trail]
    rows = client.get(
        f"/v1/accounts/{account}/audit-events", headers={"Accept": "text/csv"}
    ).text.splitlines()
    assert len([row for row in rows if ",audit.read," not in row]) == 5


def test_a_credential_is_rotated_changed_restricted_and_removed(
    client: httpx2.Client, running: Running, account: str
) -> None:
    base = f"/v1/accounts/{account}/credentials"
    credential = add(client, account, add_body("mine", running.registry.address, USER, "old")).json()
    path = f"{base}/{credential['id']}"
    assert settled(client, account, credential["id"])["verification"]["status"] == "failed"

    rotated = client.put(
        f"{path}/secret",
        json={"credential": {"kind": "username_password", "username": USER, "password": PASSWORD}},
        headers={"If-Match": '"1"'},
    )
    assert rotated.status_code == 200, rotated.text
    assert rotated.json()["secret_version"] == 2
    assert rotated.json()["verification"]["status"] == "pending"
    waiting(
        lambda: client.get(path).json()["verification"]["status"] == "verified", "the new secret is verified"
    )

    stale = client.patch(path, json={"name": "renamed"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    changed = client.patch(
        path,
        json={"name": "renamed", "description": "for the shop", "repository_prefixes": ["acme/"]},
        headers={"If-Match": rotated.headers["ETag"]},
    )
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["version"]) == ("renamed", 3)
    assert changed.json()["verification"]["status"] == "verified"

    restricted = client.put(
        f"{path}/restrictions",
        json={"restricted": True, "projects": ["shop"]},
        headers={"If-Match": changed.headers["ETag"]},
    )
    seen = get_after(restricted, client, path).json()
    assert seen["restrictions"] == {"restricted": True, "projects": ["shop"]}
    for project, expected in (("shop", ["renamed"]), ("other", [])):
        page = get_after(restricted, client, f"/v1/accounts/{account}/projects/{project}/credentials").json()
        assert [item["name"] for item in page["items"]] == expected
    lifted = client.put(
        f"{path}/restrictions",
        json={"restricted": False},
        headers={"If-Match": restricted.headers["ETag"]},
    )
    assert lifted.json()["restrictions"] == {"restricted": False, "projects": []}

    verified = client.post(f"{path}/verifications", headers={"Prefer": LONGEST_WAIT})
    assert verified.status_code == 200, verified.text
    assert (verified.json()["status"], verified.json()["trigger"]) == ("verified", "requested")

    newest = get_after(verified, client, f"{path}/verifications", {"limit": 1}).json()["items"][0]
    assert (newest["id"], newest["status"]) == (verified.json()["id"], "verified")
    again = get_after(verified, client, path)
    removed = client.request(
        "DELETE", path, params={"reason": "no longer needed"}, headers={"If-Match": again.headers["ETag"]}
    )
    assert removed.status_code == 204
    assert get_after(removed, client, path).json()["code"] == "credential_not_found"
    assert get_after(removed, client, base).json()["items"] == []
    events = client.get(f"{path}/events").json()["items"]
    assert [event["action"] for event in events] == [
        "credential.removed",
        "verification.succeeded",
        "verification.requested",
        "credential.restrictions_changed",
        "credential.restrictions_changed",
        "credential.details_changed",
        "verification.recovered",
        "verification.succeeded",
        "credential.secret_rotated",
        "verification.failed",
        "credential.added",
    ]
    assert events[0]["reason"] == "no longer needed"
    assert events[0]["credential_name"] == "renamed"
    assert events[5]["before"]["name"] == "mine"
    assert events[5]["after"]["name"] == "renamed"


def test_a_wrong_rotation_is_rolled_back(client: httpx2.Client, running: Running, account: str) -> None:
    credential = add(client, account, add_body("mine", running.registry.address, USER, PASSWORD)).json()
    path = f"/v1/accounts/{account}/credentials/{credential['id']}"
    assert settled(client, account, credential["id"])["verification"]["status"] == "verified"
    wrong = {"credential": {"kind": "username_password", "username": "nobody", "password": "wrong"}}
    rotated = client.put(f"{path}/secret", json=wrong, headers={"If-Match": '"1"'})
    waiting(
        lambda: client.get(path).json()["verification"]["status"] == "failed", "the wrong secret is refused"
    )

    rolled_back = client.post(f"{path}/secret/rollback", headers={"If-Match": rotated.headers["ETag"]})
    assert rolled_back.status_code == 200, rolled_back.text
    assert (rolled_back.json()["username"], rolled_back.json()["secret_version"]) == (USER, 3)
    waiting(
        lambda: client.get(path).json()["verification"]["status"] == "verified",
        "the former secret is verified",
    )
    assert get_after(rolled_back, client, path).json()["username"] == USER
    events = client.get(f"{path}/events").json()["items"]
    [marked] = [event for event in events if event["action"] == "credential.secret_rolled_back"]
    assert marked["after"] == {"restored_version": 1}


def test_removing_destroys_the_secret(client: httpx2.Client, running: Running, account: str) -> None:
    credential = add(client, account, add_body("gone", running.registry.address, USER, PASSWORD)).json()
    path = f"/v1/accounts/{account}/credentials/{credential['id']}"

    def is_kept() -> bool:
        if running.vault is not None:
            url = (
                f"{running.vault.addr}/v1/regcred/metadata/accounts/{account}/credentials/{credential['id']}"
            )
            root = {"X-Vault-Token": running.vault.root_token}
            return httpx2.get(url, headers=root, timeout=PATIENCE, trust_env=False).status_code == 200
        with psycopg.connect(running.system.database_url()) as database:
            found = database.execute(
                "SELECT FROM encrypted.secrets WHERE credential_id = %s", (credential["id"],)
            )
            return found.fetchone() is not None

    assert is_kept()
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    waiting(lambda: not is_kept(), "the secret is destroyed")


def test_a_docker_config_is_accepted_as_a_secret(
    client: httpx2.Client, running: Running, account: str
) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    document = {"auths": {f"http://{running.registry.address}": {"auth": auth}}}
    body = add_body("config", running.registry.address, "", "")
    body["credential"] = {"kind": "docker_config", "docker_config": document}
    answer = add(client, account, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["username"] == USER
    assert settled(client, account, answer.json()["id"])["verification"]["status"] == "verified"


def test_a_repeated_post_has_one_effect(client: httpx2.Client, running: Running, account: str) -> None:
    body = add_body("once", running.registry.address, USER, PASSWORD)
    first = add(client, account, body, **{"Idempotency-Key": "k-1"})
    second = add(client, account, body, **{"Idempotency-Key": "k-1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    body["name"] = "another"
    other = add(client, account, body, **{"Idempotency-Key": "k-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(client.get(f"/v1/accounts/{account}/credentials").json()["items"]) <= 1


def test_names_are_unique_in_an_account(client: httpx2.Client, running: Running, account: str) -> None:
    body = add_body("single", running.registry.address, USER, PASSWORD)
    assert add(client, account, body).status_code == 201
    body["name"] = "SINGLE"
    refused = add(client, account, body)
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert add(client, f"{account}-other", body).status_code == 201


def test_every_invalid_field_is_reported(client: httpx2.Client, account: str) -> None:
    body = add_body("x", "not a host", "a:b", "p", scope={"pull": False, "push": False})
    body["repository_prefixes"] = ["ok/", "Not-Ok/"]
    answer = add(client, account, body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"/name", "/registry_url", "/scope", "/repository_prefixes/1"}
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"surprise": 1}, "/surprise", "unknown_field"),
        ({"name": None}, "/name", "required"),
        ({"name": 7}, "/name", "invalid_type"),
        ({"provider": "nobody"}, "/provider", "unknown_provider"),
        ({"credential": {"kind": "magic"}}, "/credential/kind", "invalid"),
        (
            {"credential": {"kind": "username_password", "username": "u"}},
            "/credential/password",
            "required",
        ),
        (
            {"credential": {"kind": "username_password", "username": "u", "password": "p", "x": 1}},
            "/credential/x",
            "unknown_field",
        ),
        ({"registry_url": "http://example.com"}, "/registry_url", "http_not_allowed"),
        ({"restrictions": {"restricted": True, "projects": ["no way"]}}, "/restrictions/projects/0", None),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", "in_the_past"),
        ({"expires_at": "2020-01-01T00:00:00"}, "/expires_at", "invalid_type"),
    ],
)
def test_an_invalid_field_is_refused(
    client: httpx2.Client, account: str, change: Json, pointer: str, code: str | None
) -> None:
    body = add_body("fine", "registry.example.com", "u", "p") | change
    answer = add(client, account, body)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert code is None or error["code"] == code
    assert client.get(f"/v1/accounts/{account}/audit-events").json()["items"] == []


def test_malformed_requests_are_refused(client: httpx2.Client, running: Running, account: str) -> None:
    base = f"/v1/accounts/{account}/credentials"
    broken = client.post(base, content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "invalid_json")
    text = client.post(base, content=b"x", headers={"Content-Type": "text/plain"})
    assert (text.status_code, text.json()["code"]) == (415, "unsupported_media_type")
    body = add_body("mine", running.registry.address, USER, PASSWORD)
    path = f"{base}/{add(client, account, body).json()['id']}"
    assert client.patch(path, json={}).json()["code"] == "if_match_required"
    assert client.patch(path, json={}, headers={"If-Match": 'W/"1"'}).json()["code"] == "stale_version"
    assert client.get(base, params={"limit": 0}).json()["errors"][0]["pointer"] == "/limit"
    assert client.get(base, params={"surprise": 1}).json()["errors"][0]["code"] == "unknown_field"
    assert client.get(base, params={"cursor": "x"}).json()["code"] == "invalid_cursor"
    assert client.get(base, headers={"Regcred-Wait-For": "x"}).json()["code"] == "invalid_position"
    assert client.get("/v1/nothing").json()["code"] == "not_found"
    assert client.get(f"{base}/00000000-0000-0000-0000-000000000000").status_code == 404
    elsewhere = path.replace(f"/{account}/", "/somebody-else/")
    assert client.patch(elsewhere, json={"name": "stolen"}, headers={"If-Match": "*"}).status_code == 404


def test_lists_are_paginated(client: httpx2.Client, account: str) -> None:
    for number in range(5):
        add(client, account, add_body(f"name-{number}", "127.0.0.1:9", USER, PASSWORD))
    base = f"/v1/accounts/{account}/credentials"
    last = add(client, account, add_body("name-5", "127.0.0.1:9", USER, PASSWORD))
    names, cursor = [], None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = get_after(last, client, base, params).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"name-{number}" for number in range(6)]
    found = get_after(last, client, base, {"name": "ME-3"}).json()["items"]
    assert [item["name"] for item in found] == ["name-3"]


def test_every_route_requires_a_token(running: Running, account: str) -> None:
    anonymous = httpx2.Client(base_url=running.system.address, timeout=PATIENCE, trust_env=False)
    document = anonymous.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        concrete = path.replace("{account_id}", account).replace("{project_id}", "shop")
        concrete = concrete.replace("{credential_id}", "00000000-0000-0000-0000-000000000000")
        concrete = concrete.replace("{token_id}", "x")
        for method in operations:
            if method in ("get", "post", "put", "patch", "delete"):
                answer = anonymous.request(method.upper(), concrete)
                assert answer.status_code == 401, (method, path)
                tried += 1
    assert tried >= 15
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert anonymous.get(path).status_code == 200
    anonymous.close()


def test_a_token_is_limited_to_its_scopes_and_accounts(
    client: httpx2.Client, running: Running, account: str
) -> None:
    made = client.post(
        "/v1/service-tokens",
        json={"name": "reader", "scopes": ["credentials:read"], "accounts": [account]},
    )
    assert made.status_code == 201, made.text
    with running.system.client(made.json()["token"]) as reader:
        assert reader.get(f"/v1/accounts/{account}/credentials").status_code == 200
        assert reader.get(f"/v1/accounts/{account}/audit-events").json()["code"] == "insufficient_scope"
        assert add(reader, account, {}).json()["code"] == "insufficient_scope"
        assert reader.get("/v1/accounts/other/credentials").json()["code"] == "account_forbidden"
        assert reader.get("/v1/service-tokens").json()["code"] == "insufficient_scope"
        assert client.delete(f"/v1/service-tokens/{made.json()['id']}").status_code == 204
        waiting(
            lambda: reader.get(f"/v1/accounts/{account}/credentials").status_code == 401,
            "a revoked token is refused",
        )
    listed = client.get("/v1/service-tokens").json()["items"]
    assert made.json()["token"] not in json.dumps(listed)


def test_a_token_of_a_project_sees_the_ids_of_its_own_projects_only(
    client: httpx2.Client, running: Running, account: str
) -> None:
    restrictions = {"restricted": True, "projects": ["blog", "shop"]}
    body = add_body("both", running.registry.address, USER, PASSWORD, restrictions=restrictions)
    added = add(client, account, body)
    token = {"name": "shop", "scopes": ["credentials:read"], "accounts": [account], "projects": ["shop"]}
    made = client.post("/v1/service-tokens", json=token)
    with running.system.client(made.json()["token"]) as reader:
        of_shop = get_after(added, reader, f"/v1/accounts/{account}/projects/shop/credentials").json()
        [item] = of_shop["items"]
        assert (item["name"], item["restrictions"]) == ("both", {"restricted": True, "projects": ["shop"]})
        refused = [
            "projects/blog/credentials",
            "credentials",
            f"credentials/{item['id']}",
            f"credentials/{item['id']}/usages",
            f"credentials/{item['id']}/verifications",
            "credentials/summary",
        ]
        for path in refused:
            assert reader.get(f"/v1/accounts/{account}/{path}").json()["code"] == "project_forbidden"
    page = client.get(f"/v1/accounts/{account}/projects/shop/credentials").json()
    assert page["items"][0]["restrictions"] == restrictions


def test_a_registry_without_tls_is_refused_if_it_is_not_listed(client: httpx2.Client, account: str) -> None:
    answer = add(client, account, add_body("clear", f"http://127.0.0.1:{free_port()}", USER, PASSWORD))
    assert answer.json()["errors"][0]["code"] == "http_not_allowed"
