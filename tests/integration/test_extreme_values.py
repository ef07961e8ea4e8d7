"""Times at the ends of the calendar, and text that PostgreSQL cannot store: refused in every place, never a 5xx."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.interface import document
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from tests.support.system import add_body
from verifier.bootstrap import registry_api

ACCOUNT = "/v1/accounts/acme"
TIMES = (
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T12:00:00+00:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2027-01-01T00:00:00+99:99",
)
TEXTS = ("a\x00b", "\ud800", "\udfff\ud800", "\U0010ffff")


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    parts = [command_api(settings), query_api(settings), registry_api(settings)]
    made = join(parts).test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token.read_text().strip()}"
    yield made
    for part in parts:
        part.close()


def add(client: FlaskClient, name: str, **more: Any) -> Any:
    return client.post(
        f"{ACCOUNT}/credentials", json=add_body(name, "registry.example.com", "u", "p", **more)
    )


def secrets(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM encrypted.secrets").fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("time", TIMES)
def test_a_time_outside_the_calendar_is_refused_before_a_secret_is_stored(
    client: FlaskClient, database_url: str, time: str
) -> None:
    added = add(client, f"calendar-{TIMES.index(time)}")
    assert added.status_code == 201
    path, etag = f"{ACCOUNT}/credentials/{added.json['id']}", {"If-Match": added.headers["ETag"]}
    before = secrets(database_url)
    secret = {"kind": "username_password", "username": "u", "password": "p"}
    answers = {
        "add": add(client, "never", expires_at=time),
        "change": client.patch(path, json={"expires_at": time}, headers=etag),
        "rotate": client.put(f"{path}/secret", json={"credential": secret, "expires_at": time}, headers=etag),
        "token": client.post(
            "/v1/service-tokens", json={"name": "t", "scopes": ["credentials:read"], "expires_at": time}
        ),
        "test": client.post(
            f"{ACCOUNT}/verifications", json={**add_body("n", "127.0.0.1:9", "u", "p"), "expires_at": time}
        ),
        "since": client.get(f"{ACCOUNT}/audit-events", query_string={"since": time}),
        "until": client.get(f"{ACCOUNT}/audit-events", query_string={"until": time}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 422)
    assert secrets(database_url) == before


def test_the_latest_and_the_earliest_time_are_accepted(client: FlaskClient, database_url: str) -> None:
    """Also where the sessions of the database have a time zone in which it is the next day."""
    added = add(client, "latest", expires_at="9999-12-29T23:59:59Z")
    assert (added.status_code, added.json["expires_at"]) == (201, "9999-12-29T23:59:59Z")
    with psycopg.connect(database_url, options="-c timezone=Pacific/Kiritimati") as connection:
        found = connection.execute(
            "SELECT expires_at FROM credentials.current WHERE credential_id = %s", (added.json["id"],)
        ).fetchone()
    assert found is not None
    answer = client.get(f"{ACCOUNT}/audit-events", query_string={"since": "0001-01-03T00:00:00Z"})
    assert answer.status_code == 200


def cursors() -> list[str]:
    keys: list[list[Any]] = []
    for text in (*TEXTS, *TIMES[:4]):
        keys += [[text], [text, text], [text, str(UUID(int=1))], [TIMES[1], text], [">", text]]
    keys += [[number] for number in (10**30, -(10**30), 2**63, 1.5e308)]
    keys += [["<", number] for number in (10**30, -(10**30), 2**63)]
    texts = [json.dumps(key) for key in keys] + ["[" * 5000, "nul", "{}", '["\\ud800", 1]']
    encoded = [base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in texts]
    return [*encoded, *TEXTS, "", "=", "====", "é", "a" * 1001]


def places(client: FlaskClient) -> list[tuple[str, str]]:
    """Every query parameter of the API with its path."""
    known = add(client, "known")
    identifier = known.json["id"] if known.status_code == 201 else str(UUID(int=1))
    found = []
    for path, operations in document()["paths"].items():
        concrete = path.replace("{account_id}", "acme").replace("{credential_id}", identifier)
        concrete = concrete.replace("{project_id}", "shop").replace("{token_id}", "t")
        parameters = operations.get("parameters", []) + operations.get("get", {}).get("parameters", [])
        # Two routes ask the registry, which does not exist.
        if "get" in operations and not path.endswith(("/tags", "/images")):
            found += [(concrete, one["name"]) for one in parameters if one.get("in") == "query"]
    return found


def test_no_text_in_a_query_is_an_error_of_the_server(client: FlaskClient) -> None:
    asked = places(client)
    assert len(asked) > 20
    failed = []
    for path, name in asked:
        for text in cursors() if name == "cursor" else TEXTS:
            query = f"{name}={quoted(text)}"
            answer = client.get(f"{path}?{query}")
            if answer.status_code >= 500:
                failed.append((path, name, text[:60], answer.status_code))
    assert failed == []


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_in_a_path_or_header_is_an_error_of_the_server(client: FlaskClient, text: str) -> None:
    ids = [f"/v1/accounts/{quoted(text)}/credentials", f"{ACCOUNT}/credentials/{quoted(text)}"]
    for path in [*ids, f"/v1/service-tokens/{quoted(text)}"]:
        for method in ("get", "delete", "patch"):
            answer = getattr(client, method)(path, headers={"If-Match": "*"})
            assert answer.status_code < 500, (method, path[:80])
    raw = text.encode("utf-8", "surrogatepass").decode("latin-1").replace("\n", "").replace("\r", "")
    for header in (
        "X-Request-Id",
        "Regcred-On-Behalf-Of",
        "Regcred-Wait-For",
        "If-Match",
        "Idempotency-Key",
        "traceparent",
        "Accept",
        "Authorization",
        "If-None-Match",
        "Last-Event-ID",
    ):
        answer = client.get(f"{ACCOUNT}/credentials", headers={header: raw})
        assert answer.status_code < 500, header
        answer = client.post(f"{ACCOUNT}/credentials", json={}, headers={header: raw})
        assert answer.status_code < 500, header


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_in_a_body_is_an_error_of_the_server(client: FlaskClient, text: str) -> None:
    added = add(client, f"body-{TEXTS.index(text)}")
    path, etag = f"{ACCOUNT}/credentials/{added.json['id']}", {"If-Match": "*"}
    secret = {"kind": "username_password", "username": text, "password": text}
    whole: dict[str, Any] = {
        "name": text,
        "provider": text,
        "registry_url": text,
        "location": text,
        "description": text,
        "credential": secret,
        "scope": text,
        "repository_prefixes": [text],
        "restrictions": {"restricted": True, "projects": [text]},
        "expires_at": text,
        text: text,
    }
    requests: list[tuple[str, str, Any]] = [("post", f"{ACCOUNT}/credentials", whole)]
    for field, value in whole.items():
        one = {**add_body("one", "registry.example.com", "u", "p"), field: value}
        requests += [
            ("post", f"{ACCOUNT}/credentials", one),
            ("post", f"{ACCOUNT}/resolutions", {field: value, "images": [text], "project_id": text}),
            ("patch", path, {field: value}),
            ("put", f"{path}/secret", {field: value}),
            (
                "post",
                f"{ACCOUNT}/imports",
                {"docker_config": {"auths": {text: {"auth": text}}}, field: value},
            ),
            ("post", "/v1/service-tokens", {"scopes": ["audit:read"], field: value}),
            (
                "post",
                "/v1/service-tokens",
                {"name": text, "scopes": [text], "accounts": [text], "projects": [text]},
            ),
            ("put", f"{path}/restrictions", {"restricted": True, "projects": [text]}),
            (
                "post",
                f"{ACCOUNT}/pull-secrets",
                {"project_id": "shop", "images": [text], "format": text, "workload": text},
            ),
            ("delete", f"{path}?reason={quoted(text)}", None),
        ]
    for method, where, body in requests:
        answer = getattr(client, method)(where, json=body, headers=etag)
        assert answer.status_code < 500, (method, where, json.dumps(body)[:300])
