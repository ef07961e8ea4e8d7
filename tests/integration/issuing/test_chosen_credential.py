"""The caller chooses the credential of a deployment, by id or by name."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.integration.issuing.calls import Json, add, pull, resolve

HOST = "reg.example.com"
IMAGE = f"{HOST}/acme/shop:1"


@pytest.fixture
def ids(client: FlaskClient, account: str) -> dict[str, str]:
    """The ids of credentials by their names. The last one of `HOST` would be used."""
    found = {name: add(client, account, name, HOST)["id"] for name in ("Team A", "Team B")}
    blog = {"restricted": True, "projects": ["blog"]}
    found["Blog"] = add(client, account, "Blog", HOST, restrictions=blog)["id"]
    found["Elsewhere"] = add(client, account, "Elsewhere", "other.example.com")["id"]
    return found


def test_the_chosen_credential_is_issued_and_explained(
    client: FlaskClient, account: str, ids: dict[str, str]
) -> None:
    wanted = ids["Team A"]
    choices: tuple[Json, ...] = ({}, {"credential_id": wanted}, {"credential_name": "team a"})
    for choice in choices:
        issued = pull(client, account, IMAGE, **choice)
        assert issued.status_code == 200, issued.text
        [credential] = issued.get_json()["credentials"]
        expected = wanted if choice else ids["Team B"]
        assert credential["credential_id"] == expected
        selected = resolve(client, account, IMAGE, **choice).get_json()["selected"]
        assert selected == {"credential_id": expected, "reason": "chosen" if choice else "newest"}


def test_the_chosen_credential_must_be_eligible(
    client: FlaskClient, account: str, ids: dict[str, str]
) -> None:
    refused = pull(client, account, IMAGE, credential_id=ids["Blog"], allow_anonymous=True)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    assert "not_chosen, restricted" in refused.text
    assert resolve(client, account, IMAGE, credential_id=ids["Blog"]).get_json()["selected"] is None


def test_a_choice_applies_to_the_images_of_its_registry(
    client: FlaskClient, account: str, ids: dict[str, str]
) -> None:
    issued = pull(client, account, IMAGE, "other.example.com/app:1", credential_id=ids["Team A"])
    found = {one["credential_id"] for one in issued.get_json()["credentials"]}
    assert found == {ids["Team A"], ids["Elsewhere"]}


@pytest.mark.parametrize("choice", [{"credential_id": str(UUID(int=1))}, {"credential_name": "No such one"}])
def test_a_choice_that_does_not_exist_is_not_ignored(
    client: FlaskClient, account: str, ids: dict[str, str], choice: Json
) -> None:
    answers = [
        pull(client, account, IMAGE, allow_anonymous=True, **choice),
        resolve(client, account, IMAGE, **choice),
        client.get(f"/v1/accounts/{account}/projects/shop/registries", query_string=choice),
    ]
    assert [(one.status_code, one.get_json()["code"]) for one in answers] == [
        (404, "credential_not_found")
    ] * 3
    assert ids


def test_a_credential_of_another_account_does_not_exist(
    client: FlaskClient, account: str, ids: dict[str, str]
) -> None:
    other = f"{account}-2"
    add(client, other, "theirs", HOST)
    choices: tuple[Json, ...] = ({"credential_id": ids["Team A"]}, {"credential_name": "Team A"})
    for choice in choices:
        refused = pull(client, other, IMAGE, **choice)
        assert (refused.status_code, refused.get_json()["code"]) == (404, "credential_not_found")


def test_a_removed_credential_does_not_exist(client: FlaskClient, account: str, ids: dict[str, str]) -> None:
    gone = ids["Team A"]
    path = f"/v1/accounts/{account}/credentials/{gone}"
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    assert pull(client, account, IMAGE, credential_id=gone).status_code == 404


@pytest.mark.parametrize(
    "choice",
    [
        {"credential_id": str(UUID(int=1)), "credential_name": "Team A"},
        {"credential_id": "x"},
        {"credential_name": ""},
        {"credential_name": "a\0b"},
        {"credential_name": "n" * 1000},
    ],
)
def test_an_invalid_choice_is_refused(client: FlaskClient, account: str, choice: Json) -> None:
    assert pull(client, account, IMAGE, **choice).status_code == 422


def test_the_registries_of_a_project_follow_the_choice(
    client: FlaskClient, account: str, ids: dict[str, str]
) -> None:
    listed = client.get(
        f"/v1/accounts/{account}/projects/shop/registries", query_string={"credential_name": "Team A"}
    ).get_json()["items"]
    assert {one["registry_host"]: (one["credential_id"], one["reason"]) for one in listed} == {
        HOST: (ids["Team A"], "chosen"),
        "other.example.com": (ids["Elsewhere"], "only_eligible"),
    }
