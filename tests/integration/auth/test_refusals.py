"""Requests that a caller has no right to are in the audit trail. Each service records them with its own role."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg import errors as pg

from chassis.authentication.tokens import TokenScope
from chassis.ids import new_id
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, join
from contracts.access_events import AccessDenied
from contracts.audit_events import AuditFilters, AuditRead
from contracts.streams import refusal_stream
from credentials.bootstrap import command_api
from eventlog.events import NewEvent
from eventlog.storage import append_request
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api
from secretstore.keyfile import KeyFile
from tests.support.system import add_body
from tests.support.tokens import metadata, store_token
from verifier.bootstrap import registry_api

ROLES = {"regcred_credentials": command_api, "regcred_query": query_api, "regcred_verifier": registry_api}
# A request that each service serves.
REQUESTS = {
    "regcred_credentials": ("POST", "/v1/accounts/acme/imports"),
    "regcred_query": ("GET", "/v1/accounts/acme/credentials"),
    "regcred_verifier": ("POST", "/v1/accounts/acme/verifications"),
}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})


@pytest.fixture(scope="module")
def keys(settings: Settings, database_url: str) -> KeyFile:
    """The keys of an installation in which the account acme has a credential."""
    keys = prepare_keys(settings.key_file)
    with opened(command_api, settings, store_token(database_url, keys, [TokenScope.ADMIN])) as admin:
        body = add_body("team", "reg.example.com", "octo", "a-password")
        assert admin.post("/v1/accounts/acme/credentials", json=body).status_code == 201
    return keys


@contextmanager
def opened(api: Callable[[Settings], ApiPart], settings: Settings, token: str) -> Iterator[FlaskClient]:
    part = api(settings)
    client = join([part]).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield client
    part.close()  # records what is waiting


def recorded(url: str) -> list[tuple[str, Json, Json]]:
    """Account, data and metadata of each refusal in the log, which are deleted from the answer of the next call."""
    with psycopg.connect(url) as owner:
        return owner.execute(
            "SELECT s.account_id, e.data, e.meta FROM es.events e JOIN es.streams s USING (stream_id)"
            " WHERE e.type = 'access.denied' AND s.category = 'refusal' ORDER BY e.seq"
        ).fetchall()


@pytest.mark.parametrize("role", ROLES)
def test_each_service_records_what_it_refuses(
    role: str, settings: Settings, keys: KeyFile, database_url: str
) -> None:
    method, path = REQUESTS[role]
    before = len(recorded(database_url))
    other = store_token(database_url, keys, [TokenScope.ADMIN], accounts=frozenset({"other"}))
    reader = store_token(database_url, keys, [TokenScope.METRICS_READ], accounts=frozenset({"acme"}))
    project = store_token(database_url, keys, [TokenScope.ADMIN], projects=frozenset({"shop"}))
    for token in (other, reader, project):
        with opened(ROLES[role], settings, token) as client:
            answer = client.open(path, method=method, json={} if method == "POST" else None)
            assert answer.status_code == 403
            assert client.open(path.replace("acme", "unknown"), method=method).status_code == 403
    found = recorded(database_url)[before:]
    assert [(account, data["reason"], data["requested_account"]) for account, data, _ in found] == [
        ("acme", "account_forbidden", "acme"),
        ("*", "account_forbidden", "unknown"),
        ("acme", "insufficient_scope", "acme"),
        ("*", "insufficient_scope", "unknown"),
        ("acme", "project_forbidden", "acme"),
        ("*", "project_forbidden", "unknown"),
    ]
    for _, data, meta in found:
        assert data["method"] == method
        assert data["route"].startswith("/v1/accounts/<account_id>/")
        assert "a test" not in str(meta)  # the principal is personal data, and encrypted


def test_routes_of_the_installation_and_refused_tokens_are_recorded(
    settings: Settings, keys: KeyFile, database_url: str
) -> None:
    before = len(recorded(database_url))
    acme = store_token(database_url, keys, [TokenScope.ADMIN], accounts=frozenset({"acme"}))
    with opened(query_api, settings, acme) as client:
        for path in ("/v1/system", "/metrics", "/v1/audit-events"):
            assert client.get(path).status_code == 403
        assert client.get("/v1/providers").status_code == 200
    with opened(command_api, settings, acme) as client:
        body = {"name": "wide", "scopes": ["admin"]}
        assert client.post("/v1/service-tokens", json=body).status_code == 403
    found = [(account, data["route"], data["reason"]) for account, data, _ in recorded(database_url)[before:]]
    assert found == [
        ("*", "/v1/system", "account_forbidden"),
        ("*", "/metrics", "account_forbidden"),
        ("*", "/v1/audit-events", "account_forbidden"),
        ("*", "/v1/service-tokens", "exceeds_own_rights"),
    ]


def test_a_flood_leaves_few_events(settings: Settings, keys: KeyFile, database_url: str) -> None:
    before = len(recorded(database_url))
    other = store_token(database_url, keys, [TokenScope.ADMIN], accounts=frozenset({"other"}))
    with opened(query_api, settings, other) as client:
        for _ in range(200):
            assert client.get("/v1/accounts/acme/credentials").status_code == 403
        client.get("/v1/accounts/acme/credentials", headers={"Authorization": "Bearer nobody"})
    found = recorded(database_url)[before:]
    assert len(found) == 10
    assert len(found) + sum(data["omitted"] for _, data, _ in found) == 200


@pytest.mark.parametrize("role", ROLES)
def test_a_role_appends_only_refusals_to_new_streams_of_known_accounts(
    role: str, database_url: str, keys: KeyFile
) -> None:
    refusal_id = new_id()
    denied = AccessDenied(
        refusal_id=refusal_id,
        method="GET",
        route="/",
        reason="account_forbidden",
        requested_account=None,
        project_id=None,
        credential_id=None,
        images=(),
        further_images=0,
        omitted=0,
    )
    read = AuditRead(
        read_id=refusal_id,
        form="page",
        filters=AuditFilters(),
        events=0,
        first_position=None,
        last_position=None,
    )
    stream = refusal_stream(refusal_id)
    cases: list[tuple[object, str, int, Any]] = [
        (read, "*", 0, stream),
        (denied, "unknown", 0, stream),
        (denied, "*", 1, stream),
        (denied, "*", 0, refusal_stream(new_id())),
    ]
    with psycopg.connect(database_url, options=f"-c role={role}", autocommit=True) as connection:
        for payload, account, version, into in cases:
            event = NewEvent(event_id=new_id(), payload=payload, metadata=metadata(account))
            argument = append_request(into, version, [event], None, None)
            with pytest.raises(pg.InsufficientPrivilege):
                connection.execute("SELECT auth.append_denied(%s)", (argument,))
        event = NewEvent(event_id=new_id(), payload=denied, metadata=metadata())
        connection.execute("SELECT auth.append_denied(%s)", (append_request(stream, 0, [event], None, None),))


REFUSED_IMAGES: dict[str, tuple[str, Json, list[str], int]] = {
    "images": (
        "pull-secrets",
        {"images": ["registry.hub.docker.com/acme/shop:1", "nginx", "canary-4f1e pasted secret", 7]},
        ["docker.io/acme/shop:1", "docker.io/library/nginx:latest"],
        0,
    ),
    "many": (
        "pull-secrets",
        {"images": [f"ghcr.io/acme/app:{number}" for number in range(100)]},
        [f"ghcr.io/acme/app:{number}" for number in range(10)],
        90,
    ),
    "repository": ("pull-secrets", {"repository": "ghcr.io/acme/shop"}, ["ghcr.io/acme/shop"], 0),
    "registry": ("pull-secrets", {"registry_host": "GHCR.io:443"}, ["ghcr.io/*"], 0),
    "resolution": ("resolutions", {"image": "ghcr.io/acme/shop"}, ["ghcr.io/acme/shop:latest"], 0),
}


@pytest.mark.parametrize("case", REFUSED_IMAGES)
def test_a_refused_pull_secret_names_its_images(
    case: str, settings: Settings, keys: KeyFile, database_url: str
) -> None:
    route, body, images, further = REFUSED_IMAGES[case]
    sent = body | {"project_id": "blog"}
    if route == "pull-secrets" and case != "images":
        sent["workload"] = {"kind": "job", "name": "nightly"}
    shop = store_token(database_url, keys, [TokenScope.SECRETS_ISSUE], projects=frozenset({"shop"}))
    other = store_token(database_url, keys, [TokenScope.SECRETS_ISSUE], accounts=frozenset({"other"}))
    reader = store_token(database_url, keys, [TokenScope.METRICS_READ])
    before = len(recorded(database_url))
    for token in (
        (other, reader) if case == "images" else (shop, other, reader)
    ):  # the schema refuses `7` first
        with opened(command_api, settings, token) as client:
            assert client.post(f"/v1/accounts/acme/{route}", json=sent).status_code == 403
    found = [data for _, data, _ in recorded(database_url)[before:]]
    assert len(found) == (2 if case == "images" else 3)
    for data in found:
        assert (data["images"], data["further_images"]) == (images, further)
        assert "canary" not in str(data)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"images": 3}', b'{"images": [[]]}', b"[" * 90_000, b"\xff"]
)
def test_a_refused_body_need_not_be_valid(
    body: bytes, settings: Settings, keys: KeyFile, database_url: str
) -> None:
    before = len(recorded(database_url))
    other = store_token(database_url, keys, [TokenScope.SECRETS_ISSUE], accounts=frozenset({"other"}))
    with opened(command_api, settings, other) as client:
        path = "/v1/accounts/acme/pull-secrets"
        assert client.post(path, data=body, content_type="application/json").status_code == 403
    ((_, data, _),) = recorded(database_url)[before:]
    assert data["images"] == []


def test_a_refused_request_for_a_credential_names_it(
    settings: Settings, keys: KeyFile, database_url: str
) -> None:
    credential_id, before = new_id(), len(recorded(database_url))
    other = store_token(database_url, keys, [TokenScope.ADMIN], accounts=frozenset({"other"}))
    with opened(command_api, settings, other) as client:
        assert client.delete(f"/v1/accounts/acme/credentials/{credential_id}").status_code == 403
    ((_, data, _),) = recorded(database_url)[before:]
    assert data["credential_id"] == str(credential_id)
