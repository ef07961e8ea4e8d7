"""Pull secrets over HTTP, in every format."""

import base64
import json
import re
from collections.abc import Callable

from flask.testing import FlaskClient

from tests.integration.issuing.calls import CANARY, WORKLOAD, Json, add, pull
from tests.support.system import add_body


def test_a_docker_config_has_an_entry_for_each_image(
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
        "reg.example.com": f"{CANARY}-whole",
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
        (whole["id"], ["reg.example.com/x:1"], ["reg.example.com"]),
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
    assert events[0]["workload"] == {"kind": "erased", "name": "erased"}  # encrypted beside the event


def test_a_kubernetes_secret_has_the_docker_config(client: FlaskClient, account: str) -> None:
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


def test_a_key_file_is_issued_as_a_json_key_login(client: FlaskClient, account: str) -> None:
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


def test_an_identity_token_is_issued_as_an_identity_token(
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
    ignored = pull(client, account, "reg.example.com/x", format="kubernetes_secret", client="kubernetes")
    assert (ignored.status_code, ignored.get_json()["code"]) == (409, "format_not_possible")
    assert pull(client, account, "reg.example.com/x", format="kubernetes_secret").status_code == 200


def test_what_a_client_cannot_find_is_refused_and_recorded(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    add(client, account, "whole", "reg.example.com")
    images = ("reg.example.com/x", "reg.example.com/team/app")
    refused = pull(client, account, *images, client="docker")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "one_login_per_host")
    assert [(error["pointer"], error["code"]) for error in refused.get_json()["errors"]] == [
        ("/images/1", "one_login_per_host")
    ]
    [event] = recorded(account)
    assert (event["type"], event["reason"], event["images"]) == (
        "secret.refused",
        "one_login_per_host",
        ["reg.example.com/team/app:latest"],
    )
    assert pull(client, account, *images, client="podman").status_code == 200
    unknown = pull(client, account, *images, client="nomad")
    assert (unknown.status_code, unknown.get_json()["errors"][0]["pointer"]) == (422, "/client")


def test_a_repository_has_the_key_of_its_spelling_and_a_whole_registry_one_key(
    client: FlaskClient, account: str
) -> None:
    add(client, account, "hub", "docker.io", provider="dockerhub")
    hub = "https://index.docker.io/v1/"
    requests: list[tuple[Json, list[str]]] = [
        ({"registry_host": "https://registry.hub.docker.com/v2/"}, [hub]),
        ({"registry_host": hub}, [hub]),
        ({"repository": "registry-1.docker.io/acme/x"}, [hub, "registry-1.docker.io"]),
        ({"repository": "acme/x"}, [hub]),
    ]
    for wanted, keys in requests:
        [issued] = pull(client, account, **wanted).get_json()["credentials"]
        assert issued["auth_keys"] == keys


def test_the_result_of_each_image_is_returned_on_request(
    client: FlaskClient, account: str, recorded: Callable[[str], list[Json]]
) -> None:
    whole = add(client, account, "whole", "reg.example.com")
    add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    add(client, account, "other", "ghcr.io", repository_prefixes=["other"])
    body: Json = {"client": "docker", "allow_anonymous": True, "allow_partial": True}
    images = ("reg.example.com/team/app", "reg.example.com/x", "ghcr.io/y", "nginx", "reg.example.com/x")
    answer = pull(client, account, *images, **body)
    assert answer.status_code == 200, answer.text
    results = answer.get_json()["results"]
    assert [
        (result["pointer"], result["result"], result["code"], result["credential_id"]) for result in results
    ] == [
        ("/images/0", "refused", "one_login_per_host", None),
        ("/images/1", "issued", None, whole["id"]),
        ("/images/2", "refused", "no_eligible_credential", None),
        ("/images/3", "anonymous", "no_matching_credential", None),
    ]
    assert results[1]["image"] == "reg.example.com/x:latest"
    assert "other_repository" in results[2]["detail"]
    assert list(answer.get_json()["docker_config"]["auths"]) == ["reg.example.com"]
    assert [(event["type"], event.get("reason"), event.get("anonymous")) for event in recorded(account)] == [
        ("secret.issued", None, None),
        ("secret.refused", "no_matching_credential", True),
        ("secret.refused", "one_login_per_host", False),
        ("secret.refused", "no_eligible_credential", False),
    ]
    dry = client.post(
        f"/v1/accounts/{account}/pull-secrets?dry_run=true",
        json={"images": list(images), "project_id": "shop", "workload": WORKLOAD, **body},
    )
    assert dry.get_json()["results"] == results
    refused = pull(client, account, *images[::2], **{**body, "allow_anonymous": False})
    assert refused.status_code == 200  # of three images, one is issued
    refused = pull(client, account, "ghcr.io/y", **body)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
