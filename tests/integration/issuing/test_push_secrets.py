"""Secrets to push: for builders, by a scope and a credential of their own."""

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from tests.integration.issuing.calls import Api, Json, add, pull

HOST = "reg.example.com"
IMAGE = f"{HOST}/acme/app:1"
ANY = {"If-Match": "*"}


def _scope(*, can_pull: bool, can_push: bool) -> Json:
    return {"scope": {"pull": can_pull, "push": can_push}}


@pytest.mark.parametrize(
    ("scope", "operation", "status"),
    [
        (_scope(can_pull=True, can_push=False), "pull", 200),
        (_scope(can_pull=True, can_push=False), "push", 403),
        (_scope(can_pull=False, can_push=True), "pull", 403),
        (_scope(can_pull=False, can_push=True), "push", 200),
        (_scope(can_pull=True, can_push=True), "push", 200),
    ],
)
def test_a_secret_is_issued_for_what_the_credential_is_for(
    client: FlaskClient, account: str, scope: Json, operation: str, status: int
) -> None:
    add(client, account, "team", HOST, **scope)
    answer = pull(client, account, IMAGE, operation=operation)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert f"no_{operation}_scope" in answer.get_json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("scope", "operation", "status"),
    [
        (TokenScope.SECRETS_ISSUE, "pull", 200),
        (TokenScope.SECRETS_ISSUE, "push", 403),
        (TokenScope.SECRETS_ISSUE_PUSH, "pull", 403),
        (TokenScope.SECRETS_ISSUE_PUSH, "push", 200),
        (TokenScope.ADMIN, "push", 200),
        (TokenScope.CREDENTIALS_WRITE, "push", 403),
    ],
)
def test_each_operation_needs_its_own_scope(  # noqa: PLR0917 fixtures and cases
    api: Api, client: FlaskClient, account: str, scope: TokenScope, operation: str, status: int
) -> None:
    add(client, account, "team", HOST, **_scope(can_pull=True, can_push=True))
    caller = api.client(api.token(scope))
    body = {
        "images": [IMAGE],
        "project_id": "shop",
        "workload": {"kind": "build", "name": "app"},
        "operation": operation,
    }
    for query in ("dry_run=true", ""):
        answer = caller.post(f"/v1/accounts/{account}/pull-secrets", json=body, query_string=query)
        assert answer.status_code == status, answer.text
        if status == 403:
            assert answer.get_json()["code"] == "insufficient_scope"


def test_an_issuance_is_recorded_with_its_operation(
    client: FlaskClient, account: str, database_url: str
) -> None:
    """One to pull is written in version 1, which 0.9.0 knows."""
    add(client, account, "team", HOST, **_scope(can_pull=False, can_push=True))
    assert pull(client, account, IMAGE, operation="push").status_code == 200
    assert pull(client, account, IMAGE).status_code == 403
    add(client, account, "other", HOST)
    assert pull(client, account, IMAGE).status_code == 200
    with psycopg.connect(database_url) as owner:
        rows = owner.execute(
            "SELECT e.type, e.schema_version, e.data->>'operation' FROM es.events e"
            " JOIN es.streams s USING (stream_id) WHERE s.account_id = %s AND s.category = 'issuance' ORDER BY e.seq",
            (account,),
        ).fetchall()
    assert rows == [
        ("secret.issued", 2, "push"),
        ("secret.refused", 2, "pull"),
        ("secret.issued", 1, None),
    ]


def test_the_workloads_of_a_credential_to_push_are_not_cut_off_unnoticed(
    client: FlaskClient, account: str
) -> None:
    found = add(client, account, "team", HOST, **_scope(can_pull=False, can_push=True))
    path = f"/v1/accounts/{account}/credentials/{found['id']}"
    assert pull(client, account, IMAGE, operation="push").status_code == 200
    for change in (_scope(can_pull=True, can_push=False), {"repository_prefixes": ["other/"]}):
        refused = client.patch(path, json=change, headers=ANY)
        assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")


def test_the_registries_of_a_project_are_those_of_the_operation(client: FlaskClient, account: str) -> None:
    add(client, account, "to-push", HOST, **_scope(can_pull=False, can_push=True))
    add(client, account, "to-pull", "other.example.com")
    path = f"/v1/accounts/{account}/projects/shop/registries"

    def hosts(query: str) -> list[str]:
        items = client.get(path, query_string=query).get_json()["items"]
        return [item["registry_host"] for item in items]

    assert hosts("") == hosts("operation=pull") == ["other.example.com"]
    assert hosts("operation=push") == [HOST]
    assert client.get(path, query_string="operation=delete").status_code == 422
