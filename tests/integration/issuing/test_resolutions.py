"""Resolutions over HTTP."""

import json

from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from credentials.api.resolutions import MAX_CANDIDATES
from tests.integration.issuing.calls import CANARY, Api, add, pull, resolve


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
        "mirrors": [],
        "more_candidates": 0,
        "reasons": {"selected": 1, "less_specific": 1, "restricted": 1, "no_pull_scope": 1},
    }
    pushed = resolve(client, account, "reg.example.com/team/app", operation="push").get_json()
    assert pushed["selected"] == {"credential_id": push["id"], "reason": "only_eligible"}
    nothing = resolve(client, account, "nginx").get_json()
    assert (nothing["selected"], nothing["candidates"]) == (None, [])
    assert nothing["image"]["repository"] == "library/nginx"
    assert CANARY not in answer.text


def test_a_response_lists_the_first_candidates_and_counts_all(client: FlaskClient, account: str) -> None:
    team = add(client, account, "team", "reg.example.com", repository_prefixes=["team"])
    for number in range(MAX_CANDIDATES + 4):
        restrictions = {"restricted": number % 2 == 0, "projects": []}
        add(client, account, f"other {number}", "reg.example.com", restrictions=restrictions)
    found = resolve(client, account, "reg.example.com/team/app").get_json()
    half = (MAX_CANDIDATES + 4) // 2
    assert found["selected"]["credential_id"] == found["candidates"][0]["credential_id"] == team["id"]
    assert (len(found["candidates"]), found["more_candidates"]) == (MAX_CANDIDATES, 5)
    assert found["reasons"] == {"selected": 1, "less_specific": half, "restricted": half}
    assert [one["eligible"] for one in found["candidates"]] == [True] * (half + 1) + [False] * (half - 5)


def test_a_change_is_seen_by_the_next_request(client: FlaskClient, account: str) -> None:
    credential = add(client, account, "team", "reg.example.com")
    path = f"/v1/accounts/{account}/credentials/{credential['id']}"
    assert pull(client, account, "reg.example.com/x").status_code == 200
    client.put(
        f"{path}/restrictions?force=true&reason=test", json={"restricted": True}, headers={"If-Match": "*"}
    )
    refused = pull(client, account, "reg.example.com/x")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "no_eligible_credential")
    assert resolve(client, account, "reg.example.com/x").get_json()["selected"] is None
    client.put(f"{path}/restrictions", json={"restricted": False}, headers={"If-Match": "*"})
    moved = {
        "credential": {"kind": "username_password", "username": "cat", "password": "new"},
        "registry_url": "new.example.com",
    }
    client.put(f"{path}/secret?force=true&reason=test", json=moved, headers={"If-Match": "*"})
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


def test_a_token_of_a_project_sees_no_credential_of_others(
    api: Api, client: FlaskClient, account: str
) -> None:
    """Whatever excludes them first. They are counted, so that the reasons explain the result."""
    everyone = add(client, account, "everyone", "reg.example.com", repository_prefixes=["team"])
    blog = {"restricted": True, "projects": ["blog"]}
    secret = [
        add(client, account, "hidden one", "reg.example.com", restrictions=blog),
        add(client, account, "hidden two", "reg.example.com", restrictions=blog, repository_prefixes=["x"]),
        add(client, account, "hidden three", "reg.example.com", restrictions={**blog, "projects": []}),
    ]
    shop = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"shop"})))
    answers = [
        resolve(shop, account, "reg.example.com/team/app"),
        resolve(shop, account, "reg.example.com/other"),
        pull(shop, account, "reg.example.com/other"),
        pull(shop, account, registry_host="reg.example.com"),
    ]
    found = answers[0].get_json()
    assert [one["credential_id"] for one in found["candidates"]] == [everyone["id"]]
    assert found["more_candidates"] == len(secret)
    assert found["reasons"] == {"selected": 1, "other_repository": 1, "restricted": 2}
    assert answers[1].get_json()["selected"] is None
    for answer in answers:
        text = json.dumps([answer.get_json(), dict(answer.headers)])
        assert not [one for one in secret if one["id"] in text or one["name"] in text], text
    both = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"shop", "blog"})))
    seen = resolve(both, account, "reg.example.com/team/app").get_json()
    assert {one["name"] for one in seen["candidates"]} == {"everyone", "hidden one", "hidden two"}
    assert len(resolve(client, account, "reg.example.com/x").get_json()["candidates"]) == 1 + len(secret)
