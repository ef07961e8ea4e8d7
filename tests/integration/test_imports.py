"""Imports on a real database: repeated and concurrent."""

import json
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest
from flask import Flask

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api

Json = dict[str, Any]
CANARY = "canary-c0ffee"
OCTO = {"username": "octo", "password": CANARY}
_numbers = count(1)


@pytest.fixture(scope="module")
def app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, str]]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    keys = prepare_keys(settings.key_file)
    prepare_admin_token(home / "admin.token", database_url, keys)
    parts = [command_api(settings), query_api(settings)]
    yield join(parts), (home / "admin.token").read_text().strip()
    for part in parts:
        part.close()


@pytest.fixture
def account() -> str:
    return f"importer-{next(_numbers)}"


def send(app: tuple[Flask, str], account: str, body: Json, key: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {app[1]}", **({"Idempotency-Key": key} if key else {})}
    return (
        app[0]
        .test_client()
        .post(
            f"/v1/accounts/{account}/imports",
            data=json.dumps(body),
            content_type="application/json",
            headers=headers,
        )
    )


def test_a_repeated_import_adds_nothing(app: tuple[Flask, str], account: str, database_url: str) -> None:
    body = {"docker_config": {"auths": {"reg.io": OCTO, "ghcr.io": OCTO, "x.io": {}}}, "name_prefix": "ci"}
    first = send(app, account, body, "key")
    assert first.status_code == 200, first.text
    assert [item["status"] for item in first.json["items"]] == ["created", "created", "unsupported"]
    assert [item["name"] for item in first.json["items"]] == ["ci-reg-io", "ci-ghcr-io", None]
    assert first.headers["Regcred-Position"].startswith(first.json["items"][1]["credential_id"])
    assert CANARY not in first.text
    assert send(app, account, body, "key").json == first.json
    again = send(app, account, body).json["items"]
    assert [item["status"] for item in again] == ["duplicate", "duplicate", "unsupported"]
    other = send(app, account, {"docker_config": {"auths": {"y.io": OCTO}}}, "key")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT type, count(*) FROM es.events e JOIN es.streams s USING (stream_id)"
            " WHERE s.account_id = %s GROUP BY type",
            (account,),
        ).fetchall()
        stored = connection.execute(
            "SELECT count(*) FROM encrypted.secrets WHERE account_id = %s AND NOT destroyed", (account,)
        ).fetchone()
    assert rows == [("credential.added", 2)]
    assert stored == (2,)


def test_concurrent_imports_create_different_names(app: tuple[Flask, str], account: str) -> None:
    bodies = [{"docker_config": {"auths": {f"reg.io/team-{n}": OCTO for n in range(5)}}}]
    bodies.append({"docker_config": {"auths": {f"reg.io/other-{n}": OCTO for n in range(5)}}})
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda body: send(app, account, body), bodies))
    items = [item for answer in answers for item in answer.json["items"]]
    assert [item["status"] for item in items] == ["created"] * 10
    assert len({item["name"] for item in items}) == 10


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"docker_config": {}}, "/docker_config", "no_entries"),
        ({"docker_config": CANARY}, "/docker_config", "malformed"),
        ({"docker_config": {"auths": {}}, "name_prefix": "-"}, "/name_prefix", "invalid_name"),
        ({"docker_config": {"auths": {}}, "scope": {"pull": False, "push": False}}, "/scope", "empty_scope"),
        ({"docker_config": {"auths": {f"r{n}.io": OCTO for n in range(101)}}}, "/docker_config", "too_many"),
        ({"docker_config": {"auths": {}}, "surprise": CANARY}, "/surprise", "unknown_field"),
        ({}, "/docker_config", "required"),
    ],
)
def test_an_invalid_import_is_refused(
    app: tuple[Flask, str], account: str, body: Json, pointer: str, code: str
) -> None:
    answer = send(app, account, body)
    assert answer.status_code == 422
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in answer.json["errors"]}
    assert CANARY not in answer.text


def test_secrets_of_other_types_are_left_out_and_named(app: tuple[Flask, str], account: str) -> None:
    config = b64encode(json.dumps({"auths": {"reg.io": OCTO}}).encode()).decode()
    manifest = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- kind: Secret\n  type: kubernetes.io/dockerconfigjson\n  metadata: {name: pull, namespace: shop}\n"
        f"  data:\n    .dockerconfigjson: {config}\n"
        "- kind: Secret\n  type: Opaque\n  metadata: {name: db, namespace: shop}\n"
        f"  data: {{password: {CANARY}}}\n"
    )
    answer = send(app, account, {"docker_config": manifest})
    assert answer.status_code == 200, answer.text
    assert [(item["key"], item["status"]) for item in answer.json["items"]] == [
        ("shop/pull: reg.io", "created")
    ]
    (left,) = answer.json["left_out"]
    assert left["name"] == "shop/db"
    assert "Opaque" in left["reason"]
    assert answer.json["more_left_out"] == 0
    assert CANARY not in answer.text
    many = {"kind": "List", "items": [{"kind": "ConfigMap"}] * 150}
    left_out = send(app, account, {"docker_config": many}).json
    assert (left_out["items"], len(left_out["left_out"]), left_out["more_left_out"]) == ([], 100, 50)
