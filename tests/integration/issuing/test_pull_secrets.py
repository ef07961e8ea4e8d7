"""Pull secrets over HTTP: refusals, records and rights."""

from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from chassis.secret import Secret
from secretstore.encrypted_table import EncryptedStore
from secretstore.store import SecretPath, SecretStoreUnavailable
from tests.integration.issuing.calls import CANARY, WORKLOAD, Api, Json, add, pull, resolve


def test_a_refusal_names_each_image_and_is_recorded(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    credential = add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    refused = pull(client, account, "reg.example.com/team/x", "nginx", "reg.example.com/other")
    assert refused.status_code == 403
    problem = refused.get_json()
    assert problem["code"] == "no_eligible_credential"
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/images/1", "no_matching_credential"),
        ("/images/2", "no_eligible_credential"),
    ]
    events = recorded(account)
    assert [(event["type"], event["images"], event["reason"]) for event in events] == [
        ("secret.refused", ["docker.io/library/nginx:latest"], "no_matching_credential"),
        ("secret.refused", ["reg.example.com/other:latest"], "no_eligible_credential"),
    ]
    assert events[1]["candidates"] == [{"credential_id": credential["id"], "reason": "other_repository"}]
    assert refused.headers["Regcred-Position"] == f"{events[0]['issuance_id']}:2"


def test_a_secret_for_a_whole_registry_is_issued(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    """For clients that know hosts only."""
    hub = add(client, account, "hub", "docker.io", provider="dockerhub", registry_url=None)
    given = pull(client, account, registry_host="https://index.docker.io/v1/").get_json()
    assert list(given["docker_config"]["auths"]) == ["https://index.docker.io/v1/"]
    assert given["credentials"] == [
        {
            "credential_id": hub["id"],
            "secret_version": 1,
            "images": ["docker.io/*"],
            "registry_host": "docker.io",
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
    assert [(event["type"], event["images"]) for event in recorded(account)] == [
        ("secret.issued", ["docker.io/*"]),
        ("secret.issued", ["reg.example.com/*"]),
        ("secret.refused", ["reg.example.com/*"]),
        ("secret.issued", ["reg.example.com/*"]),
        ("secret.refused", ["quay.io/*"]),
    ]


def test_a_refusal_of_many_images_is_one_event_for_each_registry(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    images = [f"reg{n % 10}.example.com/app-{n}" for n in range(100)]
    refused = pull(client, account, *images)
    assert (refused.status_code, len(refused.get_json()["errors"])) == (404, 100)
    events = recorded(account)
    assert len(events) == 10
    assert sorted(image for event in events for image in event["images"]) == sorted(
        f"{image}:latest" for image in images
    )
    spread = pull(client, account, *[f"reg{n}.example.com/app" for n in range(11)])
    assert [error["code"] for error in spread.get_json()["errors"]] == ["too_many_registries"]
    assert len(recorded(account)) == 10


def test_anonymous_pull_needs_the_permission_of_the_caller(
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
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('es', 'credentials', 'encrypted')"
        ).fetchall()
        for schema, table in tables:
            rows = superuser.execute(f'SELECT t::text FROM "{schema}"."{table}" t').fetchall()  # noqa: S608
            assert not [row for row in rows if CANARY in row[0] or CANARY.encode().hex() in row[0]]


def test_a_repository_is_recorded_without_a_tag(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    add(client, account, "team", "reg.example.com:5000", repository_prefixes=["team"])
    add(client, account, "other", "reg.example.com:5000", repository_prefixes=["other"])
    issued = pull(client, account, repository="REG.example.com:5000/team/app")
    assert issued.status_code == 200, issued.text
    assert issued.get_json()["credentials"][0]["images"] == ["reg.example.com:5000/team/app"]
    assert list(issued.get_json()["docker_config"]["auths"]) == [
        "reg.example.com:5000",
        "REG.example.com:5000",
    ]
    refused = pull(client, account, repository="reg.example.com:5000/third")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["/repository"]
    anonymous = pull(client, account, repository="nginx", allow_anonymous=True, format="basic")
    assert anonymous.get_json()["anonymous_images"] == ["docker.io/library/nginx"]
    assert [event["images"] for event in recorded(account)] == [
        ["reg.example.com:5000/team/app"],
        ["reg.example.com:5000/third"],
        ["docker.io/library/nginx"],
    ]


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
        ({"repository": "ghcr.io/acme"}, {("/repository", "not_with_images")}),
        ({"images": [], "repository": "x", "registry_host": "y.io"}, {("/registry_host", "not_with_images")}),
        ({"images": [], "repository": "ghcr.io/acme:1"}, {("/repository", "tag_not_allowed")}),
        ({"images": [], "repository": "nginx:1"}, {("/repository", "tag_not_allowed")}),
        ({"images": [], "repository": f"nginx@sha256:{'a' * 64}"}, {("/repository", "tag_not_allowed")}),
        ({"images": [], "repository": "ghcr.io/Acme"}, {("/repository", "uppercase")}),
        ({"images": [], "repository": "oci://ghcr.io/acme"}, {("/repository", "scheme_not_allowed")}),
    ],
)
def test_an_invalid_request_is_refused_and_not_recorded(
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
def test_a_rotation_sets_the_grace_of_the_replaced_secret(
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
        stored_grace = superuser.execute(
            "SELECT extract(epoch FROM (data->>'previous_valid_until')::timestamptz"
            " - (meta->>'occurred_at')::timestamptz)::int FROM es.events"
            " WHERE stream_id = %s AND type = 'credential.secret_rotated'",
            (credential["id"],),
        ).fetchone()
    assert stored_grace == (grace,)
    assert pull(client, account, "reg.example.com/x", format="basic").get_json()["basic"]["password"] == "new"


def test_a_token_needs_scope_account_and_project(api: Api, client: FlaskClient, account: str) -> None:
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


def test_an_unavailable_secret_store_records_nothing(
    client: FlaskClient,
    account: str,
    recorded: Callable[[str], list[Json]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_store: EncryptedStore, _path: SecretPath, _version: int) -> Secret:
        raise SecretStoreUnavailable("sealed", retry_after=7)

    add(client, account, "team", "reg.example.com")
    with monkeypatch.context() as patched:
        patched.setattr(EncryptedStore, "get", away)
        answer = pull(client, account, "reg.example.com/x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.get_json()["code"] == "secret_store_unavailable"
    assert recorded(account) == []
    assert pull(client, account, "reg.example.com/x").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        "DELETE FROM encrypted.secrets WHERE credential_id = %s",
        "UPDATE encrypted.secrets SET ciphertext = NULL, nonce = NULL WHERE credential_id = %s",
        "UPDATE encrypted.secrets SET ciphertext = ciphertext || '0'::bytea WHERE credential_id = %s",
        "UPDATE encrypted.secrets SET key = 'k9' WHERE credential_id = %s",
    ],
    ids=["missing", "destroyed", "tampered", "of another key"],
)
def test_a_secret_that_can_never_be_read_again_is_no_reason_to_wait(
    client: FlaskClient,
    account: str,
    database_url: str,
    recorded: Callable[[str], list[Json]],
    fault: LiteralString,
) -> None:
    credential = add(client, account, "lost", "reg.example.com")
    with psycopg.connect(database_url) as owner:
        owner.execute(fault, (credential["id"],))
    refused = pull(client, account, "reg.example.com/team/x")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "secret_unreadable")
    assert "Retry-After" not in refused.headers
    [error] = refused.get_json()["errors"]
    assert (error["pointer"], error["code"]) == ("/images/0", "secret_unreadable")
    assert [event["reason"] for event in recorded(account)] == ["secret_unreadable"]
    rotation = {"credential": {"kind": "username_password", "username": "octo", "password": "new"}}
    path = f"/v1/accounts/{account}/credentials/{credential['id']}/secret"
    rotated = client.put(path, json=rotation, headers={"If-Match": '"1"'})
    assert rotated.status_code == 200, rotated.text
    assert pull(client, account, "reg.example.com/team/x").status_code == 200


def test_images_without_an_eligible_credential_can_be_anonymous(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    """A credential of one project does not prevent the others from pulling public images of its host."""
    restricted = add(client, account, "hub", "docker.io", provider="dockerhub")
    restricting = client.put(
        f"/v1/accounts/{account}/credentials/{restricted['id']}/restrictions",
        json={"restricted": True, "projects": ["blog"]},
        headers={"If-Match": "*"},
    )
    assert restricting.status_code == 200
    team = add(client, account, "team", "ghcr.io", repository_prefixes=["team"])
    images = ("nginx", "ghcr.io/fluxcd/flux-cli", "ghcr.io/team/app", "reg.example.com/x")
    refused = pull(client, account, *images, allow_anonymous=True)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    answer = pull(client, account, *images, allow_anonymous="not_eligible")
    assert answer.status_code == 200, answer.text
    assert [issued["credential_id"] for issued in answer.get_json()["credentials"]] == [team["id"]]
    assert answer.get_json()["anonymous_images"] == [
        "docker.io/library/nginx:latest",
        "ghcr.io/fluxcd/flux-cli:latest",
        "reg.example.com/x:latest",
    ]
    of_answer = [
        event
        for event in recorded(account)
        if event["issuance_id"] == answer.headers["Regcred-Position"].split(":")[0]
    ]
    assert [(event["type"], event.get("reason"), event.get("anonymous")) for event in of_answer] == [
        ("secret.issued", None, None),
        ("secret.refused", "no_eligible_credential", True),
        ("secret.refused", "no_eligible_credential", True),
        ("secret.refused", "no_matching_credential", True),
    ]
    assert of_answer[1]["candidates"] == [{"credential_id": restricted["id"], "reason": "restricted"}]
    whole = pull(client, account, registry_host="docker.io", format="basic", allow_anonymous="not_eligible")
    assert (whole.get_json()["basic"], whole.get_json()["anonymous_images"]) == (None, ["docker.io/*"])
    invalid = pull(client, account, *images, allow_anonymous="always")
    assert (invalid.status_code, invalid.get_json()["errors"][0]["pointer"]) == (422, "/allow_anonymous")
