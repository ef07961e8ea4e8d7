"""One credential for several hosts that accept the same login."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.issuing.calls import Json, add, pull, resolve

FIRST, SECOND, THIRD = "acme.jfrog.io", "docker.acme.com", "eu.acme.com:5000"
ANY = {"If-Match": "*"}
LOGIN = {"kind": "username_password", "username": "octo", "password": "next-secret"}


@pytest.fixture
def stored(client: FlaskClient, account: str) -> Json:
    return add(client, account, "team", FIRST, additional_hosts=[f"https://{THIRD.upper()}", SECOND])


def change(client: FlaskClient, account: str, key: str, hosts: list[str], **query: str) -> Any:
    path = f"/v1/accounts/{account}/credentials/{key}"
    return client.patch(path, json={"additional_hosts": hosts}, headers=ANY, query_string=query)


def test_it_is_issued_for_the_images_of_each_host(client: FlaskClient, account: str, stored: Json) -> None:
    assert stored["additional_hosts"] == [SECOND, THIRD]
    assert (stored["version"], stored["verification"]["status"]) == (2, "pending")
    found = pull(client, account, f"{FIRST}/a:1", f"{SECOND}/a:1", f"{SECOND}/b:1", f"{THIRD}/c:1").get_json()
    assert set(found["docker_config"]["auths"]) == {FIRST, SECOND, THIRD}
    assert [(one["registry_host"], one["auth_keys"]) for one in found["credentials"]] == [
        (FIRST, [FIRST]),
        (SECOND, [SECOND]),
        (THIRD, [THIRD]),
    ]
    assert {one["credential_id"] for one in found["credentials"]} == {stored["id"]}
    assert resolve(client, account, f"{THIRD}/c:1").get_json()["selected"]["credential_id"] == stored["id"]


def test_the_secret_goes_to_no_host_that_was_not_named(
    client: FlaskClient, account: str, stored: Json
) -> None:
    refused = pull(client, account, f"{SECOND}/a:1", "eu.acme.com/c:1")
    assert (refused.status_code, refused.get_json()["code"]) == (404, "no_matching_credential")
    found = pull(client, account, f"{SECOND}/a:1").get_json()
    assert set(found["docker_config"]["auths"]) == {SECOND}


def test_the_registries_of_a_project_have_each_host(client: FlaskClient, account: str, stored: Json) -> None:
    path = f"/v1/accounts/{account}/projects/shop/registries"
    page = client.get(path, query_string={"limit": 2}).get_json()
    assert [one["registry_host"] for one in page["items"]] == [FIRST, SECOND]
    rest = client.get(path, query_string={"cursor": page["next_cursor"]}).get_json()
    assert [(one["registry_host"], one["credential_id"]) for one in rest["items"]] == [(THIRD, stored["id"])]
    whole = pull(client, account, images=[], registry_host=SECOND)
    assert whole.get_json()["credentials"][0]["credential_id"] == stored["id"]


def test_a_host_that_is_in_use_is_removed_by_force(client: FlaskClient, account: str, stored: Json) -> None:
    assert pull(client, account, f"{SECOND}/a:1", f"{FIRST}/a:1").status_code == 200
    more = change(client, account, stored["id"], [SECOND, THIRD, "us.acme.com"])
    assert (more.status_code, more.get_json()["additional_hosts"]) == (200, [SECOND, THIRD, "us.acme.com"])

    dry = change(client, account, stored["id"], [SECOND], dry_run="true").get_json()
    assert (dry["needs_force"], dry["additional_hosts"]) == (True, [SECOND])
    assert [user["project_id"] for user in dry["users"]] == ["shop"]
    refused = change(client, account, stored["id"], [SECOND])
    assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")
    forced = change(client, account, stored["id"], [SECOND], force="true", reason="moved")
    assert (forced.status_code, forced.get_json()["additional_hosts"]) == (200, [SECOND])
    assert pull(client, account, f"{THIRD}/c:1").status_code == 404


def test_the_registry_can_move_to_an_additional_host(client: FlaskClient, account: str, stored: Json) -> None:
    path = f"/v1/accounts/{account}/credentials/{stored['id']}/secret"
    body = {"credential": LOGIN, "registry_url": SECOND}
    moved = client.put(path, json=body, headers=ANY).get_json()
    assert (moved["registry_host"], moved["additional_hosts"]) == (SECOND, [THIRD])
    assert pull(client, account, f"{SECOND}/a:1", f"{THIRD}/a:1").status_code == 200
    assert pull(client, account, f"{FIRST}/a:1").status_code == 404


@pytest.mark.parametrize(
    ("hosts", "pointer", "code"),
    [
        ([f"r{n}.example.com" for n in range(6)], "/additional_hosts", "too_many"),
        (["ok.example.com", "no host"], "/additional_hosts/1", "invalid_host"),
        (["ok.example.com", "reg.example.com/team"], "/additional_hosts/1", "path_not_allowed"),
        (["http://reg.example.com"], "/additional_hosts/0", "http_not_allowed"),
        ([FIRST], "/additional_hosts", "duplicate"),
    ],
)
def test_invalid_hosts_are_refused(  # noqa: PLR0917 fixtures and cases
    client: FlaskClient, account: str, stored: Json, hosts: list[str], pointer: str, code: str
) -> None:
    body = {"name": "other", "provider": "custom", "registry_url": FIRST, "credential": LOGIN}
    answers = [
        change(client, account, stored["id"], hosts),
        client.post(f"/v1/accounts/{account}/credentials", json={**body, "additional_hosts": hosts}),
    ]
    for answer in answers:
        assert answer.status_code == 422, answer.text
        assert (pointer, code) in {(e["pointer"], e["code"]) for e in answer.get_json()["errors"]}


def test_logins_of_a_cloud_are_for_its_hosts_only(client: FlaskClient, account: str) -> None:
    keys = {"kind": "aws_keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s" * 40}
    hosts = [f"123456789012.dkr.ecr.{region}.amazonaws.com" for region in ("eu-west-1", "us-east-1")]
    body = {"name": "ecr", "provider": "ecr", "registry_url": hosts[0], "credential": keys}
    path = f"/v1/accounts/{account}/credentials"
    foreign = client.post(path, json={**body, "additional_hosts": [SECOND]})
    assert [error["code"] for error in foreign.get_json()["errors"]] == ["host_mismatch"]
    regions = client.post(path, json={**body, "additional_hosts": [hosts[1]]})
    assert regions.get_json()["additional_hosts"] == [hosts[1]]


def test_an_import_finds_the_login_of_an_additional_host(
    client: FlaskClient, account: str, stored: Json
) -> None:
    config = {"auths": {SECOND: {"username": "octo", "password": "p"}}}
    found = client.post(f"/v1/accounts/{account}/imports", json={"docker_config": config}).get_json()
    assert [(one["status"], one["credential_id"]) for one in found["items"]] == [("duplicate", stored["id"])]


def test_a_pull_secret_has_the_login_of_a_mirror(client: FlaskClient, account: str) -> None:
    mirror = add(client, account, "mirror", "mirror.example.com", mirror_of=["registry.hub.docker.com"])
    assert mirror["mirror_of"] == ["docker.io"]
    found = pull(client, account, "nginx").get_json()
    assert (set(found["docker_config"]["auths"]), found["anonymous_images"]) == ({"mirror.example.com"}, [])
    explained = resolve(client, account, "nginx").get_json()
    assert (explained["selected"], explained["mirrors"]) == (
        None,
        [{"registry_host": "mirror.example.com", "credential_id": mirror["id"]}],
    )
    path = f"/v1/accounts/{account}/credentials/{mirror['id']}"
    refused = client.patch(path, json={"mirror_of": []}, headers=ANY)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")
    forced = client.patch(path, json={"mirror_of": []}, headers=ANY, query_string="force=true&reason=moved")
    assert forced.get_json()["mirror_of"] == []
    assert pull(client, account, "nginx").get_json()["code"] == "no_matching_credential"


def test_clients_of_one_host_get_no_login_of_a_mirror(client: FlaskClient, account: str) -> None:
    add(client, account, "mirror", "mirror.example.com", mirror_of=["docker.io"])
    for name, value in (("registry_host", "docker.io"), ("repository", "nginx")):
        more: Json = {"images": [], name: value}
        assert pull(client, account, **more).get_json()["code"] == "no_matching_credential"
    config = {"auths": {"https://index.docker.io/v1/": {"username": "octo", "password": "p"}}}
    path = f"/v1/accounts/{account}/imports"
    found = client.post(path, json={"docker_config": config}).get_json()
    assert [one["status"] for one in found["items"]] == ["created"]


@pytest.mark.parametrize("mirrored", ["mirror.example.com", "docker.acme.com"])
def test_a_host_is_no_mirror_of_itself(client: FlaskClient, account: str, mirrored: str) -> None:
    body = {"name": "m", "provider": "custom", "registry_url": "mirror.example.com", "credential": LOGIN}
    body |= {"name": "mirror", "additional_hosts": ["docker.acme.com"], "mirror_of": [mirrored]}
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert [(e["pointer"], e["code"]) for e in answer.get_json()["errors"]] == [("/mirror_of", "duplicate")]
