"""Prefixes that begin with a host, and web sites in place of registries, in every request that names one."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from tests.support.system import add_body
from verifier.bootstrap import registry_api

PASSWORD = {"kind": "username_password", "username": "octo", "password": "a-token"}
ACCOUNT = "/v1/accounts/names"


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    keys = prepare_keys(settings.key_file)
    prepare_admin_token(home / "admin.token", database_url, keys)
    parts = [command_api(settings), query_api(settings), registry_api(settings)]
    client = join(parts).test_client()
    token = (home / "admin.token").read_text().strip()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield client
    for part in parts:
        part.close()


def added(client: FlaskClient, name: str, provider: str = "github", **more: object) -> Any:
    body = add_body(name, "", "octo", "a-token") | {"provider": provider, "registry_url": None} | more
    return client.post(f"{ACCOUNT}/credentials", json=body)


def refused(answer: Any) -> set[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return {(error["pointer"], error["code"]) for error in answer.json["errors"]}


def test_an_addition_and_a_change_remove_the_own_host(client: FlaskClient) -> None:
    answer = added(client, "own", repository_prefixes=["ghcr.io/acme/", "GHCR.io:443/team/", "acme/"])
    assert answer.json["repository_prefixes"] == ["acme/", "team/"]
    path = f"{ACCOUNT}/credentials/{answer.json['id']}"
    changed = client.patch(
        path, json={"repository_prefixes": ["https://ghcr.io/acme/"]}, headers={"If-Match": "*"}
    )
    assert changed.json is not None
    assert changed.json["repository_prefixes"] == ["acme/"]
    resolved = client.post(
        f"{ACCOUNT}/resolutions",
        json={"project_id": "shop", "image": "ghcr.io/acme/shop", "operation": "pull"},
    )
    assert resolved.status_code == 200, resolved.text


def test_another_host_is_refused_by_an_addition_and_a_change(client: FlaskClient) -> None:
    answer = added(client, "other", "dockerhub", repository_prefixes=["acme/", "ghcr.io/acme/"])
    assert refused(answer) == {("/repository_prefixes/1", "other_registry")}
    stored = added(client, "other", "dockerhub", repository_prefixes=["registry.hub.docker.com/acme/"]).json
    assert stored["repository_prefixes"] == ["acme/"]
    path = f"{ACCOUNT}/credentials/{stored['id']}"
    for prefix, code in (("quay.io/acme/", "other_registry"), ("docker.io", "whole_registry")):
        change = client.patch(path, json={"repository_prefixes": [prefix]}, headers={"If-Match": "*"})
        assert refused(change) == {("/repository_prefixes/0", code)}


def test_a_rotation_to_the_host_of_a_prefix_is_refused(client: FlaskClient) -> None:
    mirror = added(
        client, "mirror", "custom", registry_url="mirror.example.com", repository_prefixes=["docker.io/acme/"]
    ).json
    assert mirror["repository_prefixes"] == ["docker.io/acme/"]
    path = f"{ACCOUNT}/credentials/{mirror['id']}/secret"
    body = {"credential": PASSWORD, "registry_url": "docker.io"}
    assert refused(client.put(path, json=body, headers={"If-Match": "*"})) == {
        ("/registry_url", "other_registry")
    }
    moved = client.put(path, json=body | {"registry_url": "cache.example.com"}, headers={"If-Match": "*"})
    assert moved.status_code == 200


def test_an_import_removes_the_own_host_and_names_another_one(client: FlaskClient) -> None:
    login = {"username": "octo", "password": "a-token"}
    auths = {
        "https://ghcr.io/ghcr.io/imported": login,
        "ghcr.io/quay.io/acme": login,
        "hub.docker.com": login,
    }
    answer = client.post(f"{ACCOUNT}/imports", json={"docker_config": {"auths": auths}})
    assert answer.json is not None
    items = {item["key"]: item for item in answer.json["items"]}
    created, other = items["https://ghcr.io/ghcr.io/imported"], items["ghcr.io/quay.io/acme"]
    website = items["entry 3"]
    assert (created["status"], other["status"], website["status"]) == ("created", "invalid", "invalid")
    stored = client.post(
        f"{ACCOUNT}/resolutions",
        json={"project_id": "shop", "image": "ghcr.io/imported/app", "operation": "pull"},
    ).json
    assert stored is not None
    assert stored["selected"]["credential_id"] == created["credential_id"]
    assert "names another host" in other["reason"]
    assert "the registry is docker.io" in website["reason"]


def test_web_sites_are_refused_wherever_a_registry_is_named(client: FlaskClient) -> None:
    site = "https://github.com/orgs/acme/packages"
    assert refused(added(client, "site", "custom", registry_url=site)) == {
        ("/registry_url", "not_a_registry")
    }
    test = {"provider": "custom", "registry_url": "hub.docker.com", "credential": PASSWORD}
    assert refused(client.post(f"{ACCOUNT}/verifications", json=test)) == {
        ("/registry_url", "not_a_registry")
    }
    workload = {"project_id": "shop", "workload": {"kind": "app", "name": "web"}}
    for of, pointer in (
        ({"images": ["hub.docker.com/acme/shop"]}, "/images/0"),
        ({"repository": "github.com/acme/shop"}, "/repository"),
        ({"registry_host": "hub.docker.com"}, "/registry_host"),
    ):
        answer = client.post(f"{ACCOUNT}/pull-secrets", json=workload | of)
        assert refused(answer) == {(pointer, "not_a_registry")}
    for query in ("credentials?registry_host=hub.docker.com", "audit-events?image=gitlab.com/acme/app"):
        answer = client.get(f"{ACCOUNT}/{query}")
        assert answer.status_code == 422
        assert "of a web site" in answer.text
