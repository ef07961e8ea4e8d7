"""Resolutions and pull secrets over HTTP, on a real database and the sealed store."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from secrets import token_bytes
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from credentials.bootstrap import command_api
from regcred.preparation import prepare_admin_token, prepare_keys
from shared.auth.opening import open_tokens, token_hash
from shared.auth.tokens import StoredToken, TokenScope, compose
from shared.eventstore.postgres import open_pool
from shared.runtime.clock import now
from shared.runtime.settings import Settings
from shared.secretstore.sealed import SealedStore
from shared.secretstore.secret import Secret
from shared.secretstore.store import SecretPath, SecretStoreUnavailable
from shared.web.api_part import join
from tests.support.system import add_body

Json = dict[str, Any]
CANARY = "canary-5b1e77a0"
WORKLOAD = {"kind": "deployment", "name": "storefront"}
_numbers = count(1)


@dataclass(frozen=True)
class Api:
    app: Flask
    settings: Settings
    admin: str

    def client(self, token: str) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def token(self, *scopes: TokenScope, projects: frozenset[str] | None = None) -> str:
        keys = prepare_keys(self.settings.key_file)
        token_id, text = compose(token_bytes(38))
        stored = StoredToken(
            token_id=token_id,
            name="a test",
            hash=token_hash(keys)(text),
            scopes=frozenset(scopes),
            accounts=None,
            projects=projects,
            created_at=now(),
            created_by="a test",
            expires_at=None,
        )
        url = self.settings.required_database_url()
        with open_pool(url, role="regcred_credentials", size=1) as pool:
            open_tokens(pool, keys).add(stored)
        return text.reveal()


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    part = command_api(settings)
    yield Api(join([part]), settings, token.read_text().strip())
    part.close()


@pytest.fixture
def client(api: Api) -> FlaskClient:
    return api.client(api.admin)


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"pull-{next(_numbers)}"


def add(client: FlaskClient, account: str, name: str, registry: str, **more: Any) -> Json:
    body = add_body(name, registry, "octo", f"{CANARY}-{name}", **more)
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert answer.status_code == 201, answer.text
    return answer.get_json()  # type: ignore[no-any-return]


def pull(
    client: FlaskClient, account: str, *images: str, headers: Json | None = None, **more: Any
) -> TestResponse:
    body = {"images": list(images), "project_id": "shop", "workload": WORKLOAD, **more}
    return client.post(f"/v1/accounts/{account}/pull-secrets", json=body, headers=headers)


def resolve(client: FlaskClient, account: str, image: str, **more: Any) -> TestResponse:
    body = {"image": image, "project_id": "shop", **more}
    return client.post(f"/v1/accounts/{account}/resolutions", json=body)


@pytest.fixture
def recorded(database_url: str) -> Callable[[str], list[Json]]:
    """The events of an account's issuances, in the order in which they were written."""

    def read(account: str) -> list[Json]:
        with psycopg.connect(database_url) as superuser:
            rows = superuser.execute(
                "SELECT e.type, e.data FROM es.events e JOIN es.streams s USING (stream_id)"
                " WHERE s.category = 'issuance' AND s.account_id = %s ORDER BY e.xid, e.seq",
                (account,),
            ).fetchall()
        return [{"type": name, **data} for name, data in rows]

    return read


def test_a_resolution_says_which_and_why_and_why_not(client: FlaskClient, account: str) -> None:
    whole = add(client, account, "whole", "reg.example.com")
    team = add(client, account, "team", "https://reg.example.com/", repository_prefixes=["team/"])
    push = add(client, account, "push", "reg.example.com", scope={"pull": False, "push": True})
    other = add(
        client, account, "other", "reg.example.com", restrictions={"restricted": True, "projects": ["blog"]}
    )
    add(client, account, "elsewhere", "reg.example.com:5000")
    answer = resolve(client, account, "REG.example.com:443/team/app:1")
    assert answer.status_code == 200, answer.text
    assert answer.get_json() == {
        "image": {
            "registry_host": "reg.example.com",
            "repository": "team/app",
            "tag": "1",
            "digest": None,
        },
        "selected": {"credential_id": team["id"], "reason": "most_specific"},
        "candidates": [
            {"credential_id": team["id"], "name": "team", "eligible": True, "reason": "selected"},
            {"credential_id": whole["id"], "name": "whole", "eligible": True, "reason": "less_specific"},
            {"credential_id": other["id"], "name": "other", "eligible": False, "reason": "restricted"},
            {"credential_id": push["id"], "name": "push", "eligible": False, "reason": "no_pull_scope"},
        ],
    }
    pushed = resolve(client, account, "reg.example.com/team/app", operation="push").get_json()
    assert pushed["selected"] == {"credential_id": push["id"], "reason": "only_eligible"}
    nothing = resolve(client, account, "nginx").get_json()
    assert (nothing["selected"], nothing["candidates"]) == (None, [])
    assert nothing["image"]["repository"] == "library/nginx"
    assert CANARY not in answer.text


def test_a_change_is_seen_by_the_very_next_request(client: FlaskClient, account: str) -> None:
    credential = add(client, account, "team", "reg.example.com")
    path = f"/v1/accounts/{account}/credentials/{credential['id']}"
    assert pull(client, account, "reg.example.com/x").status_code == 200
    client.put(f"{path}/restrictions", json={"restricted": True}, headers={"If-Match": "*"})
    refused = pull(client, account, "reg.example.com/x")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    assert resolve(client, account, "reg.example.com/x").get_json()["selected"] is None
    client.put(f"{path}/restrictions", json={"restricted": False}, headers={"If-Match": "*"})
    moved = {
        "credential": {"kind": "username_password", "username": "cat", "password": "new"},
        "registry_url": "new.example.com",
    }
    client.put(f"{path}/secret", json=moved, headers={"If-Match": "*"})
    assert pull(client, account, "reg.example.com/x").get_json()["code"] == "no_matching_credential"
    rotated = pull(client, account, "new.example.com/x", format="basic").get_json()
    assert rotated["basic"] == {"username": "cat", "password": "new"}
    assert rotated["credentials"][0]["secret_version"] == 2
    client.delete(f"{path}?force=true&reason=over", headers={"If-Match": "*"})
    assert pull(client, account, "new.example.com/x").status_code == 404


def test_a_docker_config_for_many_images(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    ends = "2099-01-01T00:00:00Z"
    hub = add(client, account, "hub", "docker.io", provider="dockerhub", expires_at=ends)
    team = add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    whole = add(client, account, "whole", "reg.example.com", expires_at="2099-02-01T00:00:00Z")
    answer = pull(
        client,
        account,
        "nginx",
        "reg.example.com/team/app@sha256:" + "a" * 64,
        "reg.example.com/x:1",
        "index.docker.io/acme/shop",
        "nginx:latest",
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert set(body) == {"format", "docker_config", "credentials", "anonymous_images", "expires_at"}
    auths = body["docker_config"]["auths"]
    assert {key: entry["password"] for key, entry in auths.items()} == {
        "https://index.docker.io/v1/": f"{CANARY}-hub",
        "reg.example.com/team/app": f"{CANARY}-team",
        "reg.example.com/x": f"{CANARY}-whole",
    }
    assert [
        (given["credential_id"], given["images"], given["auth_keys"]) for given in body["credentials"]
    ] == [
        (
            hub["id"],
            ["docker.io/library/nginx:latest", "docker.io/acme/shop:latest"],
            ["https://index.docker.io/v1/"],
        ),
        (team["id"], ["reg.example.com/team/app@sha256:" + "a" * 64], ["reg.example.com/team/app"]),
        (whole["id"], ["reg.example.com/x:1"], ["reg.example.com/x"]),
    ]
    assert body["expires_at"] == ends
    events = recorded(account)
    assert [(event["type"], event["credential_id"]) for event in events] == [
        ("secret.issued", hub["id"]),
        ("secret.issued", team["id"]),
        ("secret.issued", whole["id"]),
    ]
    assert {event["issuance_id"] for event in events} == {answer.headers["Regcred-Position"].split(":")[0]}
    assert answer.headers["ETag"] == '"3"'
    assert events[0]["workload"] == WORKLOAD


def test_a_kubernetes_secret(client: FlaskClient, account: str) -> None:
    add(client, account, "team", "reg.example.com")
    one = pull(client, account, "reg.example.com/x", format="kubernetes_secret").get_json()
    two = pull(client, account, "reg.example.com/y", format="kubernetes_secret").get_json()
    secret = one["kubernetes_secret"]
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert list(config["auths"]) == ["reg.example.com"]
    assert secret["metadata"]["name"] == two["kubernetes_secret"]["metadata"]["name"]
    assert re.fullmatch(r"regcred-storefront-[0-9a-f]{10}", secret["metadata"]["name"])
    assert one["credentials"][0]["secret_version"] == 1
    assert one["expires_at"] is None


def test_a_keyfile_is_given_out_as_google_s_registry_wants_it(client: FlaskClient, account: str) -> None:
    from tests.support.keyfiles import keyfile

    body = add_body("google", "", "", "") | {
        "provider": "gar",
        "registry_url": None,
        "location": "europe-west3",
        "credential": {"kind": "keyfile", "keyfile": keyfile()},
    }
    assert client.post(f"/v1/accounts/{account}/credentials", json=body).status_code == 201
    given = pull(client, account, "europe-west3-docker.pkg.dev/p/r/app", format="basic").get_json()
    assert given["basic"]["username"] == "_json_key"
    assert json.loads(given["basic"]["password"])["type"] == "service_account"


def test_an_identity_token_stays_one(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    auths = {"reg.example.com": {"identitytoken": "refresh-me"}}
    body = add_body("identity", "reg.example.com", "", "") | {
        "credential": {"kind": "docker_config", "docker_config": {"auths": auths}}
    }
    added = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert added.status_code == 201, added.text
    config = pull(client, account, "reg.example.com/x").get_json()["docker_config"]
    assert config["auths"]["reg.example.com"]["identitytoken"] == "refresh-me"
    refused = pull(client, account, "reg.example.com/x", format="basic")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "format_not_possible")
    assert recorded(account)[-1]["reason"] == "identity_token"


def test_a_refusal_names_each_image_and_is_recorded(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    kept = add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    refused = pull(client, account, "reg.example.com/team/x", "nginx", "reg.example.com/other")
    assert refused.status_code == 403
    problem = refused.get_json()
    assert problem["code"] == "no_eligible_credential"
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/images/1", "no_matching_credential"),
        ("/images/2", "no_eligible_credential"),
    ]
    events = recorded(account)
    assert [(event["type"], event["image"], event["reason"]) for event in events] == [
        ("secret.refused", "docker.io/library/nginx:latest", "no_matching_credential"),
        ("secret.refused", "reg.example.com/other:latest", "no_eligible_credential"),
    ]
    assert events[1]["candidates"] == [{"credential_id": kept["id"], "reason": "other_repository"}]
    assert refused.headers["Regcred-Position"] == f"{events[0]['issuance_id']}:2"


def test_a_registry_as_a_whole(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    """For clients that know hosts only, under whatever name."""
    hub = add(client, account, "hub", "docker.io", provider="dockerhub", registry_url=None)
    given = pull(client, account, registry_host="https://index.docker.io/v1/").get_json()
    assert list(given["docker_config"]["auths"]) == ["https://index.docker.io/v1/"]
    assert given["credentials"] == [
        {
            "credential_id": hub["id"],
            "secret_version": 1,
            "images": ["docker.io/*"],
            "auth_keys": ["https://index.docker.io/v1/"],
        }
    ]
    add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    only = pull(client, account, registry_host="reg.example.com", format="basic")
    assert only.get_json()["basic"]["password"] == f"{CANARY}-team"
    add(client, account, "other", "reg.example.com", repository_prefixes=["other"])
    refused = pull(client, account, registry_host="reg.example.com")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/registry_host"]
    add(client, account, "whole", "reg.example.com")
    whole = pull(client, account, registry_host="reg.example.com", format="basic")
    assert whole.get_json()["basic"]["password"] == f"{CANARY}-whole"
    none = pull(client, account, registry_host="quay.io", allow_anonymous=True).get_json()
    assert (none["docker_config"], none["anonymous_images"]) == ({"auths": {}}, ["quay.io/*"])
    assert [(event["type"], event.get("images") or event["image"]) for event in recorded(account)] == [
        ("secret.issued", ["docker.io/*"]),
        ("secret.issued", ["reg.example.com/*"]),
        ("secret.refused", "reg.example.com/*"),
        ("secret.issued", ["reg.example.com/*"]),
        ("secret.refused", "quay.io/*"),
    ]


def test_anonymous_pull_is_only_where_the_caller_allows_it(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    add(client, account, "team", "reg.example.com")
    given = pull(client, account, "nginx", "reg.example.com/x", allow_anonymous=True).get_json()
    assert list(given["docker_config"]["auths"]) == ["reg.example.com"]
    assert given["anonymous_images"] == ["docker.io/library/nginx:latest"]
    alone = pull(client, account, "nginx", allow_anonymous=True, format="basic").get_json()
    assert (alone["basic"], alone["credentials"]) == (None, [])
    assert pull(client, account, "nginx", allow_anonymous=True).get_json()["docker_config"] == {"auths": {}}
    assert [event["type"] for event in recorded(account)] == [
        "secret.issued",
        "secret.refused",
        "secret.refused",
        "secret.refused",
    ]
    assert all(event["anonymous"] for event in recorded(account)[1:])
    assert pull(client, account, "nginx").status_code == 404


def test_an_idempotency_key_stores_no_secret_and_records_once(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]], database_url: str
) -> None:
    add(client, account, "team", "reg.example.com")
    key = {"Idempotency-Key": "k-1"}
    first = pull(client, account, "reg.example.com/x", headers=key)
    second = pull(client, account, "reg.example.com/x", headers=key)
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Regcred-Position"] == first.headers["Regcred-Position"]
    assert len(recorded(account)) == 1
    other = pull(client, account, "reg.example.com/y", headers=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    with psycopg.connect(database_url) as superuser:
        tables = superuser.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('es', 'credentials', 'sealed')"
        ).fetchall()
        for schema, table in tables:
            rows = superuser.execute(f'SELECT t::text FROM "{schema}"."{table}" t').fetchall()  # noqa: S608
            assert not [row for row in rows if CANARY in row[0] or CANARY.encode().hex() in row[0]]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"images": []}, {("/images", "invalid_length")}),
        ({"images": ["x"] * 101}, {("/images", "invalid_length")}),
        (
            {"images": ["nginx", "https://reg.io/x", "reg.io/X", "a" * 64]},
            {
                ("/images/1", "scheme_not_allowed"),
                ("/images/2", "uppercase"),
                ("/images/3", "image_id"),
            },
        ),
        ({"images": ["nginx", "redis"], "format": "basic"}, {("/images", "one_image")}),
        ({"project_id": "-shop"}, {("/project_id", "invalid_project")}),
        ({"workload": {"kind": "a b", "name": "x"}}, {("/workload/kind", "invalid_workload")}),
        ({"workload": {"kind": "job", "name": " "}}, {("/workload/name", "invalid_workload")}),
        ({"workload": {"kind": "job", "name": "x" * 254}}, {("/workload/name", "invalid_workload")}),
        ({"workload": {"kind": "job"}}, {("/workload/name", "required")}),
        ({"format": "yaml"}, {("/format", "invalid")}),
        ({"surprise": 1}, {("/surprise", "unknown_field")}),
        ({"images": "nginx"}, {("/images", "invalid_type")}),
        ({"registry_host": "ghcr.io"}, {("/registry_host", "not_with_images")}),
        ({"images": [], "registry_host": "ghcr.io/acme"}, {("/registry_host", "path_not_allowed")}),
    ],
)
def test_what_cannot_be_asked_is_named_and_not_recorded(
    client: FlaskClient,
    account: str,
    recorded: Callable[[str], list[Json]],
    changes: Json,
    errors: set[tuple[str, str]],
) -> None:
    body = {"images": ["nginx"], "project_id": "shop", "workload": WORKLOAD, **changes}
    answer = client.post(f"/v1/accounts/{account}/pull-secrets", json=body)
    assert answer.status_code == 422, answer.text
    assert {(error["pointer"], error["code"]) for error in answer.get_json()["errors"]} == errors
    assert recorded(account) == []


@pytest.mark.parametrize(
    ("grace", "status"),
    [(0, 200), (604_800, 200), (None, 422), (-1, 422), (604_801, 422), (1.5, 422), ("60", 422)],
)
def test_how_long_a_replaced_secret_is_kept(
    client: FlaskClient, account: str, database_url: str, grace: object, status: int
) -> None:
    credential = add(client, account, "team", "reg.example.com")
    secret = {"kind": "username_password", "username": "octo", "password": "new"}
    answer = client.put(
        f"/v1/accounts/{account}/credentials/{credential['id']}/secret",
        json={"credential": secret, "grace_seconds": grace},
        headers={"If-Match": "*"},
    )
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.get_json()["errors"][0]["pointer"] == "/grace_seconds"
        return
    with psycopg.connect(database_url) as superuser:
        kept = superuser.execute(
            "SELECT extract(epoch FROM (data->>'previous_valid_until')::timestamptz"
            " - (meta->>'occurred_at')::timestamptz)::int FROM es.events"
            " WHERE stream_id = %s AND type = 'credential.secret_rotated'",
            (credential["id"],),
        ).fetchone()
    assert kept == (grace,)
    assert pull(client, account, "reg.example.com/x", format="basic").get_json()["basic"]["password"] == "new"


def test_a_resolution_of_no_image_is_refused(client: FlaskClient, account: str) -> None:
    answer = resolve(client, account, "https://reg.io/x", project_id="?")
    assert {error["pointer"] for error in answer.get_json()["errors"]} == {"/image", "/project_id"}
    assert resolve(client, account, "nginx", operation="delete").status_code == 422


def test_who_may_ask(api: Api, client: FlaskClient, account: str) -> None:
    add(client, account, "team", "reg.example.com")
    image = "reg.example.com/x"
    reader = api.client(api.token(TokenScope.CREDENTIALS_READ))
    assert resolve(reader, account, image).status_code == 200
    assert pull(reader, account, image).get_json()["code"] == "insufficient_scope"
    issuer = api.client(api.token(TokenScope.SECRETS_ISSUE))
    assert resolve(issuer, account, image).status_code == 200
    assert pull(issuer, account, image).status_code == 200
    writer = api.client(api.token(TokenScope.CREDENTIALS_WRITE))
    for ask in (resolve, pull):
        assert ask(writer, account, image).get_json()["code"] == "insufficient_scope"
    shop = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"shop"})))
    blog = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"blog"})))
    for ask in (resolve, pull):
        assert ask(shop, account, image).status_code == 200
        assert (ask(blog, account, image).status_code, ask(blog, account, image).get_json()["code"]) == (
            403,
            "project_forbidden",
        )
        assert ask(shop, account, image, project_id="blog").get_json()["code"] == "project_forbidden"


def test_while_the_secret_store_is_away_nothing_is_recorded(
    client: FlaskClient,
    account: str,
    recorded: Callable[[str], list[Json]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_store: SealedStore, _path: SecretPath, _version: int) -> Secret:
        raise SecretStoreUnavailable("sealed", retry_after=7)

    add(client, account, "team", "reg.example.com")
    with monkeypatch.context() as patched:
        patched.setattr(SealedStore, "get", away)
        answer = pull(client, account, "reg.example.com/x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.get_json()["code"] == "secret_store_unavailable"
    assert recorded(account) == []
    assert pull(client, account, "reg.example.com/x").status_code == 200
