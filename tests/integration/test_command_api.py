"""All APIs on a real database, without the processes behind them: no registry is connected to."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.authentication.errors import IssuerUnavailable
from chassis.database import DatabaseUnavailable
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.problem_types import PROBLEMS
from credentials.api import commands
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from secretstore.store import SecretStoreUnavailable
from tests.support.keyfiles import keyfile
from tests.support.servers import ROOT
from tests.support.system import add_body
from verifier.bootstrap import registry_api

Json = dict[str, Any]
_numbers = count(1)


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})


@pytest.fixture(scope="module")
def client(settings: Settings, database_url: str) -> Iterator[FlaskClient]:
    keys = prepare_keys(settings.key_file)
    token = settings.home / "admin.token"
    prepare_admin_token(token, database_url, keys)
    parts = [command_api(settings), query_api(settings), registry_api(settings)]
    client = join(parts).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token.read_text().strip()}"
    yield client
    for part in parts:
        part.close()


PASSWORD = {"kind": "username_password", "username": "octo", "password": "a-token"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("dockerhub", None, None), ("docker.io", "octo")),
        (("dockerhub", "registry.hub.docker.com", None), ("docker.io", "octo")),
        (("gcr", None, "eu"), ("eu.gcr.io", "_json_key")),
        (("gar", None, "europe-west3"), ("europe-west3-docker.pkg.dev", "_json_key")),
        (("github", None, None), ("ghcr.io", "octo")),
        (("gitlab", None, None), ("registry.gitlab.com", "octo")),
        (("gitlab", "registry.example.com:5050", None), ("registry.example.com:5050", "octo")),
        (("custom", "https://registry.example.org/", None), ("registry.example.org", "octo")),
    ],
)
def test_every_kind_of_registry_is_stored(
    client: FlaskClient, asked: tuple[str, str | None, str | None], expected: tuple[str, str]
) -> None:
    provider, url, location = asked
    body = add_body(f"credential {next(_numbers)}", "", "", "") | {
        "provider": provider,
        "registry_url": url,
        "location": location,
        "credential": PASSWORD if location is None else {"kind": "keyfile", "keyfile": keyfile()},
    }
    answer = client.post("/v1/accounts/acme/credentials", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert (answer.json["registry_host"], answer.json["username"]) == expected
    assert answer.json["location"] == location


@pytest.mark.parametrize(
    ("url", "host", "prefixes"),
    [
        ("https://index.docker.io/v1/", "docker.io", []),
        ("https://gcr.io/my-project", "gcr.io", ["my-project"]),
        ("reg.example.com:5000", "reg.example.com:5000", []),
    ],
)
def test_a_docker_config_sets_registry_and_prefixes(
    client: FlaskClient, url: str, host: str, prefixes: list[str]
) -> None:
    provider = {"docker.io": "dockerhub", "gcr.io": "gcr"}.get(host, "custom")
    document = {"auths": {url: {"username": "octo", "password": "a-token"}}}
    if provider == "gcr":
        document["auths"][url] = {"username": "oauth2accesstoken", "password": "a-token"}
    body = add_body(f"config-{provider}", "", "", "") | {
        "provider": provider,
        "registry_url": None,
        "credential": {"kind": "docker_config", "docker_config": document},
    }
    answer = client.post("/v1/accounts/configs/credentials", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert (answer.json["registry_host"], answer.json["repository_prefixes"]) == (host, prefixes)


def test_every_invalid_value_is_reported_in_order(client: FlaskClient) -> None:
    body = add_body("1", "not a host", "octo", "a-token") | {
        "description": "\0",
        "scope": {"pull": False, "push": False},
        "repository_prefixes": ["acme/", "Not-Ok"],
        "restrictions": {"restricted": False, "projects": ["shop"]},
        "expires_at": "2001-01-01T00:00:00Z",
    }
    answer = client.post("/v1/accounts/acme/credentials", json=body)
    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["pointer"] for error in answer.json["errors"]] == [
        "/registry_url",
        "/name",
        "/description",
        "/scope",
        "/repository_prefixes/1",
        "/expires_at",
        "/restrictions/projects",
    ]


def test_a_rotation_may_move_the_registry_with_the_secret(client: FlaskClient) -> None:
    added = client.post(
        "/v1/accounts/acme/credentials", json=add_body("mover", "old.example.com", "octo", "a-token")
    )
    assert added.json is not None
    path = f"/v1/accounts/acme/credentials/{added.json['id']}"
    moved = client.put(
        f"{path}/secret",
        json={
            "credential": PASSWORD,
            "registry_url": "new.example.com",
            "expires_at": "2099-01-01T00:00:00Z",
        },
        headers={"If-Match": '"1"'},
    )
    assert moved.json is not None
    assert (moved.json["registry_host"], moved.json["expires_at"]) == (
        "new.example.com",
        "2099-01-01T00:00:00Z",
    )
    rotated = client.put(f"{path}/secret", json={"credential": PASSWORD}, headers={"If-Match": '"2"'})
    assert rotated.json is not None
    assert (rotated.json["registry_host"], rotated.json["expires_at"]) == ("new.example.com", None)
    host_alone = client.patch(path, json={"registry_url": "x.example.com"}, headers={"If-Match": "*"})
    assert host_alone.status_code == 422


@pytest.mark.parametrize("path", ["/v1/accounts/acme/credentials", "/v1/service-tokens"])
def test_a_repeated_request_succeeds_after_its_expiry_has_passed(
    client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires_at = now() + timedelta(hours=1)
    body: dict[str, object] = {"expires_at": expires_at.isoformat()}
    if "accounts" in path:
        body |= add_body("short", "reg.example.com", "octo", "a-password")
    else:
        body |= {"name": "short", "scopes": ["secrets:issue"], "accounts": ["acme"]}
    key = {"Idempotency-Key": f"short-{next(_numbers)}"}
    first = client.post(path, json=body, headers=key)
    assert first.status_code == 201, first.text
    monkeypatch.setattr(commands, "now", lambda: expires_at + timedelta(hours=1))
    again = client.post(path, json=body, headers=key)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    late = client.post(path, json=body)
    assert [error["code"] for error in late.get_json()["errors"]] == ["in_the_past"]


def test_no_table_contains_a_secret(client: FlaskClient, database_url: str) -> None:
    canary = "canary-7f3a9c51"
    body = add_body("canary", "reg.example.com", "octo", canary)
    answer = client.post("/v1/accounts/acme/credentials", json=body, headers={"Idempotency-Key": "c"})
    assert answer.status_code == 201
    assert canary not in answer.text
    body["credential"]["surprise"] = canary
    refused = client.post("/v1/accounts/acme/credentials", json=body)
    assert refused.status_code == 422
    assert canary not in refused.text
    with psycopg.connect(database_url) as superuser:
        tables = superuser.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname IN ('es', 'credentials', 'encrypted', 'rm', 'auth', 'public')"
        ).fetchall()
        for schema, table in tables:
            rows = superuser.execute(f'SELECT t::text FROM "{schema}"."{table}" t').fetchall()  # noqa: S608
            assert not [row for row in rows if canary in row[0] or canary.encode().hex() in row[0]]
    assert len(tables) >= 12


def test_every_problem_code_is_documented() -> None:
    """Every code in the sources is on the documentation page."""
    sources = "".join(
        file.read_text()
        for folder in (
            "libs/chassis/web",
            "services/credentials/api",
            "services/projector/read/api",
            "services/verifier/api",
        )
        for file in (ROOT / folder).glob("*.py")
    )
    named = set(re.findall(r'Problem\(\s*(?:\d+|HTTPStatus\.\w+),\s*"([a-z_]+)"', sources))
    named |= set(re.findall(r'unavailable\(\s*"([a-z_]+)"', sources))
    named |= {error.code for error in (DatabaseUnavailable, IssuerUnavailable, SecretStoreUnavailable)}
    assert len(named) > 15
    assert named <= set(PROBLEMS)


def test_the_documentation_page_shows_every_route(client: FlaskClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json
    assert document is not None
    for path in document["paths"]:
        assert path in page
    assert "<script" not in page
    for code in PROBLEMS:
        assert f'id="problem-{code}"' in page


def test_a_key_is_free_for_another_token_after_a_day(client: FlaskClient, settings: Settings) -> None:
    body = {"name": "deployer", "scopes": ["secrets:issue"], "accounts": ["acme"]}
    key = {"Idempotency-Key": f"make-{next(_numbers)}"}
    first = client.post("/v1/service-tokens", json=body, headers=key).get_json()
    assert client.delete(f"/v1/service-tokens/{first['id']}").status_code == 204
    with psycopg.connect(settings.required_database_url()) as connection:
        connection.execute(
            "UPDATE auth.tokens SET created_at = created_at - interval '24 hours' WHERE token_id = %s",
            (first["id"],),
        )
    second = client.post("/v1/service-tokens", json={**body, "name": "its successor"}, headers=key)
    assert (second.status_code, "Idempotency-Replayed" in second.headers) == (201, False), second.text
    bearer = {"Authorization": f"Bearer {second.get_json()['token']}"}
    assert client.get("/v1/providers", headers=bearer).status_code != 401


def test_a_repeated_request_for_a_token_returns_the_same_token(
    client: FlaskClient, settings: Settings
) -> None:
    body = {"name": "deployer", "scopes": ["secrets:issue"], "accounts": ["acme"]}
    key = {"Idempotency-Key": f"make-{next(_numbers)}"}
    first = client.post("/v1/service-tokens", json=body, headers=key)
    again = client.post("/v1/service-tokens", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    listed = [token["id"] for token in client.get("/v1/service-tokens").get_json()["items"]]
    unknown = client.get("/v1/service-tokens?cursor=unknown")
    assert (unknown.status_code, unknown.get_json()["code"]) == (400, "invalid_cursor")
    assert listed.count(first.get_json()["id"]) == 1

    other = client.post("/v1/service-tokens", json={**body, "accounts": None}, headers=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    wrong = client.post("/v1/service-tokens", json=body, headers={"Idempotency-Key": "a key"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (400, "invalid_idempotency_key")
    assert client.post("/v1/service-tokens", json=body).get_json()["id"] not in listed

    # The key belongs to the caller: another caller does not get the token with it.
    admin = client.post("/v1/service-tokens", json={"name": "second admin", "scopes": ["admin"]}).get_json()
    theirs = client.post(
        "/v1/service-tokens", json=body, headers={**key, "Authorization": f"Bearer {admin['token']}"}
    )
    assert theirs.get_json()["token"] != first.get_json()["token"]

    # The database contains no text of the token.
    with psycopg.connect(settings.required_database_url()) as connection:
        everything = connection.execute("SELECT t::text FROM auth.tokens t").fetchall()
    assert first.get_json()["token"] not in str(everything)
