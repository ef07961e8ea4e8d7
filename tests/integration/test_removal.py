"""Removal and restriction of credentials in use, over HTTP on a real database: refused, forced, as a dry run, in a race."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.settings.invalid_setting import InvalidSetting
from chassis.web.api_part import join
from contracts.credential_events import CredentialRemoved
from contracts.streams import credential_stream
from credentials.bootstrap import command_api
from credentials.domain.commands import MAX_WORKLOADS
from eventlog.storage import load_newest
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.support.system import add_body

Json = dict[str, Any]
ANY = {"If-Match": "*"}
_numbers = count(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def app(database_url: str, home: Path) -> Iterator[tuple[Flask, str]]:
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    part = command_api(settings)
    yield join([part]), token.read_text().strip()
    part.close()


def client_of(app: tuple[Flask, str]) -> FlaskClient:
    client = app[0].test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {app[1]}"
    return client


@pytest.fixture
def client(app: tuple[Flask, str]) -> FlaskClient:
    return client_of(app)


@pytest.fixture
def account() -> str:
    return f"removal-{next(_numbers)}"


def add(client: FlaskClient, account: str, host: str = "reg.example.com") -> str:
    """The path of a new credential."""
    body = add_body(f"team {next(_numbers)}", host, "octo", "secret")
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    return f"/v1/accounts/{account}/credentials/{answer.get_json()['id']}"


def pull(client: FlaskClient, account: str, project: str, host: str = "reg.example.com") -> int:
    body = {
        "images": [f"{host}/app"],
        "project_id": project,
        "workload": {"kind": "deployment", "name": "front"},
    }
    return client.post(f"/v1/accounts/{account}/pull-secrets", json=body).status_code


def test_a_credential_in_use_is_removed_only_with_force(
    client: FlaskClient, account: str, database_url: str, home: Path
) -> None:
    path = add(client, account)
    assert pull(client, account, "shop") == 200
    assert pull(client, account, "blog") == 200
    assert pull(client, account, "shop") == 200
    refused = client.delete(path, headers=ANY)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")
    users = refused.get_json()["users"]
    assert [user["project_id"] for user in users] == ["shop", "blog"]
    assert users[0]["workload"] == {"kind": "deployment", "name": "front"}
    assert users[0]["secret_version"] == 1
    assert users[0]["last_used_at"] >= users[1]["last_used_at"]

    for query in ("force=true", "force=true&reason="):
        without = client.delete(f"{path}?{query}", headers=ANY)
        assert (without.status_code, without.get_json()["errors"][0]["pointer"]) == (422, "/reason")
    assert client.delete(f"{path}?force=true&reason=leaked", headers=ANY).status_code == 204
    assert pull(client, account, "shop") == 404
    stream = credential_stream(UUID(path.rpartition("/")[2]))
    with psycopg.connect(database_url) as superuser:
        *_, last = load_newest(superuser, stream, open_personal_keys(KeyFile.load(home / "keys.json")))
    assert isinstance(last.payload, CredentialRemoved)
    assert (last.payload.forced, last.payload.reason) == (True, "leaked")


def test_an_unused_credential_is_removed(client: FlaskClient, account: str, database_url: str) -> None:
    path = add(client, account)
    assert pull(client, account, "shop") == 200
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(
            "UPDATE credentials.usages SET last_issued_at = last_issued_at - %s WHERE credential_id = %s",
            (timedelta(days=30), path.rpartition("/")[2]),
        )
    assert client.delete(path, headers=ANY).status_code == 204


def test_lists_of_workloads_have_a_limit_and_say_that_there_are_more(
    client: FlaskClient, account: str, database_url: str
) -> None:
    path = add(client, account)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(
            "INSERT INTO credentials.usages SELECT %s, 'shop', 'job', 'job ' || n, now(), 1"
            " FROM generate_series(1, %s) AS n",
            (path.rpartition("/")[2], MAX_WORKLOADS + 1),
        )
    refused = client.delete(path, headers=ANY).get_json()
    assert (refused["code"], len(refused["users"]), refused["more_users"]) == (
        "credential_in_use",
        MAX_WORKLOADS,
        True,
    )
    planned = client.delete(f"{path}?dry_run=true", headers=ANY).get_json()
    assert (len(planned["users"]), planned["more_users"]) == (MAX_WORKLOADS, True)


def test_a_dry_run_returns_the_workloads_that_would_lose_it_and_changes_nothing(
    client: FlaskClient, account: str
) -> None:
    path = add(client, account)
    unused = client.delete(f"{path}?dry_run=true", headers={"If-Match": '"1"'})
    assert (unused.status_code, unused.headers["ETag"]) == (200, '"1"')
    assert unused.get_json() == {"dry_run": True, "users": [], "more_users": False, "needs_force": False}
    pull(client, account, "shop")
    pull(client, account, "blog")
    removal = client.delete(f"{path}?dry_run=true&force=true", headers=ANY).get_json()
    assert [user["project_id"] for user in removal["users"]] == ["blog", "shop"]
    assert removal["needs_force"] is True

    def restriction(body: Json) -> list[str]:
        answer = client.put(f"{path}/restrictions?dry_run=true", json=body, headers=ANY)
        assert answer.status_code == 200, answer.text
        users = [user["project_id"] for user in answer.get_json()["users"]]
        assert answer.get_json()["needs_force"] is bool(users)
        return users

    assert restriction({"restricted": True, "projects": ["shop"]}) == ["blog"]
    assert restriction({"restricted": True}) == ["blog", "shop"]
    assert restriction({"restricted": False}) == []
    assert pull(client, account, "blog") == 200

    assert client.delete(f"{path}?dry_run=true").status_code == 428
    assert client.delete(f"{path}?dry_run=true", headers={"If-Match": '"7"'}).status_code == 412
    other = path.replace(account, "somebody-else")
    assert client.delete(f"{other}?dry_run=true", headers=ANY).status_code == 404
    wrong = client.put(f"{path}/restrictions?dry_run=true", json={"restricted": 7}, headers=ANY)
    assert wrong.status_code == 422


def test_a_dry_run_returns_the_alternatives(client: FlaskClient, account: str) -> None:
    def keep(name: str, prefixes: list[str], *projects: str) -> str:
        body = add_body(name, "reg.example.com", "octo", "secret") | {
            "repository_prefixes": prefixes,
            "restrictions": {"restricted": bool(projects), "projects": list(projects)},
        }
        answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["id"])

    lost = keep("lost", ["shop", "front/"])
    path = f"/v1/accounts/{account}/credentials/{lost}"
    for project in ("one", "two"):
        body = {
            "images": ["reg.example.com/shop/app:1"],
            "project_id": project,
            "workload": {"kind": "deployment", "name": "web"},
            "format": "docker_config",
        }
        assert client.post(f"/v1/accounts/{account}/pull-secrets", json=body).status_code == 200

    def served() -> dict[str, list[str]]:
        users = client.delete(f"{path}?dry_run=true", headers=ANY).get_json()["users"]
        return {user["project_id"]: user["served_by"] for user in users}

    assert served() == {"one": [], "two": []}
    shop = keep("shop", ["shop"])
    assert served() == {"one": [], "two": []}  # nothing for front/
    keep("narrow", ["front/page"])
    assert served() == {"one": [], "two": []}  # only for a part of it
    front = keep("front", ["front"], "one")
    assert served() == {"one": [front, shop], "two": []}  # in the order of the prefixes
    everything = keep("everything", [], "two")
    assert served() == {"one": [front, shop], "two": [everything, shop]}
    keep("elsewhere", [], "three")
    nobody = client.put(f"{path}/restrictions?dry_run=true", json={"restricted": True}, headers=ANY)
    assert [user["served_by"] for user in nobody.get_json()["users"]] == [[everything, shop], [front, shop]]


def test_only_one_of_a_concurrent_removal_and_issuance_succeeds(
    app: tuple[Flask, str], account: str, database_url: str
) -> None:
    """Each secret is issued while its credential is removed. One of the two is refused."""
    client = client_of(app)
    paths = {
        f"reg-{number}.example.com": add(client, account, f"reg-{number}.example.com") for number in range(20)
    }
    with ThreadPoolExecutor(2) as threads:
        for host, path in paths.items():
            given = threads.submit(pull, client_of(app), account, "shop", host)
            removed = threads.submit(client_of(app).delete, path, headers=ANY)
            assert (given.result(), removed.result().status_code) in {(200, 409), (404, 204)}
    with psycopg.connect(database_url) as superuser:
        both = superuser.execute(
            "SELECT count(*) FROM es.events i JOIN es.events r ON r.type = 'credential.removed'"
            " AND r.data->>'credential_id' = i.data->>'credential_id' AND NOT (r.data->>'forced')::boolean"
            " JOIN es.streams s ON s.stream_id = i.stream_id AND s.account_id = %s WHERE i.type = 'secret.issued'",
            (account,),
        ).fetchone()
    assert both == (0,)


@pytest.mark.parametrize("text", ["0d", "30", "a month"])
def test_an_invalid_use_window_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="REGCRED_USE_WINDOW"):
        Settings.from_environment({"REGCRED_USE_WINDOW": text})
