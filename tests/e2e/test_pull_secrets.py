"""Pull secrets as a deployment uses them: images are pulled from a real registry with an issued secret."""

import base64
import json
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.read_models import get_after
from tests.support.system import add_body
from tests.support.timing import waiting

_numbers = count(1)
Json = dict[str, Any]
WORKLOAD = {"kind": "deployment", "name": "storefront"}


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"pulls-{next(_numbers)}"


@pytest.fixture
def client(running: Running) -> Iterator[httpx2.Client]:
    with running.system.client() as client:
        yield client


def add(client: httpx2.Client, account: str, body: Json) -> Json:
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


def pull(client: httpx2.Client, account: str, *images: str, **more: Any) -> httpx2.Response:
    body = {"images": list(images), "project_id": "shop", "workload": WORKLOAD, **more}
    return client.post(f"/v1/accounts/{account}/pull-secrets", json=body)


def ask(skopeo: str, verb: str, auth_file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tls = "--tls-verify=false" if verb == "inspect" else "--src-tls-verify=false"
    return subprocess.run(
        [skopeo, verb, tls, "--authfile", str(auth_file), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.clients
def test_an_image_is_pulled_with_an_issued_secret(
    client: httpx2.Client, account: str, pushed: str, skopeo: str, tmp_path: Path
) -> None:
    add(client, account, add_body("team", pushed, USER, PASSWORD))
    image = f"{pushed}/team/app:1"
    anonymous = tmp_path / "none.json"
    anonymous.write_text('{"auths": {}}')
    assert "auth" in ask(skopeo, "inspect", anonymous, f"docker://{image}").stderr

    given = pull(client, account, image)
    assert given.status_code == 200, given.text
    assert given.headers["Cache-Control"] == "no-store"
    config = tmp_path / "config.json"
    config.write_text(json.dumps(given.json()["docker_config"]))
    inspected = ask(skopeo, "inspect", config, f"docker://{image}")
    assert inspected.returncode == 0, inspected.stderr
    [name] = given.json()["credentials"][0]["images"]
    assert (name, json.loads(inspected.stdout)["Name"]) == (image, f"{pushed}/team/app")
    copied = ask(skopeo, "copy", config, f"docker://{image}", f"oci:{tmp_path / 'copy'}:1")
    assert copied.returncode == 0, copied.stderr
    assert len(list((tmp_path / "copy" / "blobs" / "sha256").iterdir())) == 3

    secret = pull(client, account, image, format="kubernetes_secret").json()["kubernetes_secret"]
    config.write_bytes(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert ask(skopeo, "inspect", config, f"docker://{image}").returncode == 0


@pytest.mark.clients
def test_each_image_is_pulled_with_its_own_credential(
    client: httpx2.Client, account: str, pushed: str, skopeo: str, tmp_path: Path
) -> None:
    """Only the credential for `team/` is valid: the registry refuses the other one."""
    team = add(client, account, add_body("team", pushed, USER, PASSWORD, repository_prefixes=["team/"]))
    add(client, account, add_body("whole", pushed, USER, "not-it"))
    one, two = f"{pushed}/team/app:1", f"{pushed}/other/app:1"
    asked = {"image": one, "project_id": "shop"}
    resolved = client.post(f"/v1/accounts/{account}/resolutions", json=asked).json()
    assert resolved["selected"] == {"credential_id": team["id"], "reason": "most_specific"}
    given = pull(client, account, one, two).json()
    assert set(given["docker_config"]["auths"]) == {f"{pushed}/team/app", pushed}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(given["docker_config"]))
    good = ask(skopeo, "inspect", config, f"docker://{one}")
    assert good.returncode == 0, good.stderr
    bad = ask(skopeo, "inspect", config, f"docker://{two}")
    assert bad.returncode != 0
    assert "unauthorized" in bad.stderr or "authentication required" in bad.stderr


def test_a_verified_credential_is_preferred_to_a_failed_one(
    client: httpx2.Client, account: str, pushed: str
) -> None:
    good = add(client, account, add_body("good", pushed, USER, PASSWORD))
    bad = add(client, account, add_body("bad", pushed, USER, "not-it"))
    body = {"image": f"{pushed}/team/app:1", "project_id": "shop"}
    expected = [
        {"credential_id": good["id"], "name": "good", "eligible": True, "reason": "selected"},
        {"credential_id": bad["id"], "name": "bad", "eligible": True, "reason": "verification_failed"},
    ]

    def settled() -> bool:
        answer = client.post(f"/v1/accounts/{account}/resolutions", json=body).json()
        return bool(answer["candidates"] == expected and answer["selected"]["reason"] == "best_verified")

    waiting(settled, "both were verified")


def test_issued_and_refused_secrets_are_in_the_audit_log(
    client: httpx2.Client, account: str, pushed: str
) -> None:
    added = add(client, account, add_body("team", pushed, USER, PASSWORD))
    image = f"{pushed}/team/app:1"
    assert pull(client, account, image).status_code == 200
    restricted = client.put(
        f"/v1/accounts/{account}/credentials/{added['id']}/restrictions?force=true&reason=test",
        json={"restricted": True, "projects": ["blog"]},
        headers={"If-Match": "*"},
    )
    assert restricted.status_code == 200
    refused = pull(client, account, image)
    assert (refused.status_code, refused.json()["code"]) == (403, "no_eligible_credential")
    trail = get_after(refused, client, f"/v1/accounts/{account}/audit-events", {"project_id": "shop"})
    assert trail.status_code == 200, trail.text
    newest, earlier = trail.json()["items"]
    assert [
        (event["action"], event["outcome"], event["reason"], event["image"]) for event in (newest, earlier)
    ] == [
        ("secret.refused", "denied", "no_eligible_credential", image),
        ("secret.issued", "success", None, image),
    ]
    assert (earlier["credential_id"], earlier["credential_name"], earlier["secret_version"]) == (
        added["id"],
        "team",
        1,
    )
    assert {event["registry_host"] for event in (newest, earlier)} == {pushed}
    assert PASSWORD not in trail.text
