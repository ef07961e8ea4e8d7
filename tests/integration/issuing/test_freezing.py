"""A frozen credential: its secret is issued to nobody, and everything else stays possible."""

import pytest
from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from tests.integration.issuing.calls import Api, Json, add, pull, resolve

HOST = "reg.example.com"
ANY = {"If-Match": "*"}
LOGIN = {"kind": "username_password", "username": "octo", "password": "next-secret"}


@pytest.fixture
def path(client: FlaskClient, account: str) -> str:
    """The path of a credential whose secret was issued to a workload."""
    found = add(client, account, "team", HOST)
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200
    return f"/v1/accounts/{account}/credentials/{found['id']}"


def _freeze(client: FlaskClient, path: str, **query: str) -> Json:
    answer = client.post(f"{path}/freeze", json={"reason": "leaked"}, query_string=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.get_json()
    return found


def test_a_frozen_credential_is_issued_to_nobody_until_it_is_thawed(
    client: FlaskClient, account: str, path: str
) -> None:
    frozen = _freeze(client, path)
    assert (frozen["frozen"], frozen["version"]) == (True, 2)
    refused = pull(client, account, f"{HOST}/acme/app:1")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    explained = resolve(client, account, f"{HOST}/acme/app:1").get_json()
    assert [one["reason"] for one in explained["candidates"]] == ["frozen"]

    assert _freeze(client, path)["version"] == 2, "a second one changes nothing"
    thawed = client.post(f"{path}/thaw", json={"reason": "replaced"}, headers=ANY)
    assert (thawed.status_code, thawed.get_json()["frozen"]) == (200, False), thawed.text
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200


def test_another_credential_is_used_in_place_of_a_frozen_one(
    client: FlaskClient, account: str, path: str
) -> None:
    other = add(client, account, "other", HOST)
    newest = f"/v1/accounts/{account}/credentials/{other['id']}"
    _freeze(client, newest)
    found = pull(client, account, f"{HOST}/acme/app:1").get_json()
    assert [one["credential_id"] for one in found["credentials"]] == [path.rsplit("/", 1)[1]]


def test_a_dry_run_lists_the_workloads_and_needs_no_force(
    client: FlaskClient, account: str, path: str
) -> None:
    planned = _freeze(client, path, dry_run="true")
    assert [user["project_id"] for user in planned["users"]] == ["shop"]
    assert (planned["frozen"], planned["needs_force"], planned["version"]) == (True, False, 2)
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200


@pytest.mark.parametrize("change", ["rotate", "edit", "restrict"])
def test_a_change_of_a_frozen_credential_leaves_it_frozen(
    client: FlaskClient, account: str, path: str, change: str
) -> None:
    _freeze(client, path)
    method, below, body = {
        "rotate": ("PUT", "/secret", {"credential": LOGIN}),
        "edit": ("PATCH", "", {"description": "being replaced"}),
        "restrict": ("PUT", "/restrictions", {"restricted": True, "projects": ["shop"]}),
    }[change]
    changed = client.open(f"{path}{below}", method=method, json=body, headers=ANY)
    assert (changed.status_code, changed.get_json()["frozen"]) == (200, True), changed.text
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 403


def test_a_change_that_takes_access_away_after_the_thaw_needs_force(client: FlaskClient, path: str) -> None:
    _freeze(client, path)
    body = {"repository_prefixes": ["other/"]}
    assert client.patch(path, json=body, headers=ANY).get_json()["code"] == "credential_in_use"
    forced = client.patch(path, json=body, headers=ANY, query_string="force=true&reason=moved")
    assert (forced.status_code, forced.get_json()["frozen"]) == (200, True)


def test_a_thaw_needs_the_version_and_a_freeze_a_reason(client: FlaskClient, path: str) -> None:
    _freeze(client, path)
    assert client.post(f"{path}/thaw", json={}).status_code == 428
    assert client.post(f"{path}/thaw", json={}, headers={"If-Match": '"1"'}).status_code == 412
    for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": None}):
        assert client.post(f"{path}/freeze", json=body).status_code == 422, body


def test_a_token_to_freeze_does_nothing_else(api: Api, path: str) -> None:
    responder = api.client(api.token(TokenScope.CREDENTIALS_FREEZE))
    _freeze(responder, path)
    for answer in (
        responder.post(f"{path}/thaw", json={}, headers=ANY),
        responder.patch(path, json={"name": "other"}, headers=ANY),
        responder.delete(path, headers=ANY),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "insufficient_scope")
