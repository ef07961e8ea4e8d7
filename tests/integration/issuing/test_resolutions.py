"""Resolutions over HTTP."""

from flask.testing import FlaskClient

from tests.integration.issuing.calls import CANARY, add, pull, resolve


def test_a_resolution_explains_every_candidate(client: FlaskClient, account: str) -> None:
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


def test_a_change_is_seen_by_the_next_request(client: FlaskClient, account: str) -> None:
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


def test_a_resolution_of_no_image_is_refused(client: FlaskClient, account: str) -> None:
    answer = resolve(client, account, "https://reg.io/x", project_id="?")
    assert {error["pointer"] for error in answer.get_json()["errors"]} == {"/image", "/project_id"}
    assert resolve(client, account, "nginx", operation="delete").status_code == 422
