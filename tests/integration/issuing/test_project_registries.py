"""The registries of a project are those for which a pull secret by `registry_host` is issued."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from chassis.runtime.clock import now
from tests.integration.issuing.calls import CANARY, Api, Json, add, pull
from tests.support.timing import waiting


def registries(client: FlaskClient, account: str, project: str = "shop", **arguments: object) -> Json:
    answer = client.get(f"/v1/accounts/{account}/projects/{project}/registries", query_string=arguments)
    assert answer.status_code == 200, answer.text
    assert CANARY not in answer.text
    return answer.get_json()  # type: ignore[no-any-return]


@pytest.fixture
def hosts(client: FlaskClient, account: str) -> list[str]:
    """Hosts with all kinds of credentials. The credential of `two.example.com` to use is `new`."""
    expiry = now() + timedelta(seconds=1)
    add(client, account, "expired", "expired.example.com", expires_at=expiry.isoformat())
    add(client, account, "push", "push.example.com", scope={"pull": False, "push": True})
    blog = {"restricted": True, "projects": ["blog"]}
    add(client, account, "restricted", "restricted.example.com", restrictions=blog)
    add(client, account, "old", "two.example.com")
    add(client, account, "new", "two.example.com")
    add(client, account, "prefixed", "two.example.com", repository_prefixes=["team"])
    add(client, account, "hub", "docker.io", provider="dockerhub", registry_url=None)
    for name in ("one", "two"):
        add(client, account, f"prefix {name}", "prefixes.example.com", repository_prefixes=[name])
    add(client, account, "only", "only.example.com", repository_prefixes=["team"])
    waiting(lambda: now() > expiry)
    return [
        *(f"{name}.example.com" for name in ("expired", "push", "restricted", "two", "prefixes", "only")),
        "docker.io",
    ]


def test_a_registry_is_listed_if_its_secret_is_issued(
    client: FlaskClient, account: str, hosts: list[str]
) -> None:
    listed: dict[str, Json] = {}
    for project in ("shop", "blog"):
        listed = {one["registry_host"]: one for one in registries(client, account, project)["items"]}
        for host in hosts:
            issued = pull(client, account, registry_host=host, project_id=project)
            assert (host in listed) == (issued.status_code == 200), (host, issued.text)
            if host in listed:
                [credential] = issued.get_json()["credentials"]
                assert listed[host]["credential_id"] == credential["credential_id"]
    assert {host: one["name"] for host, one in listed.items()} == {
        "docker.io": "hub",
        "only.example.com": "only",
        "restricted.example.com": "restricted",
        "two.example.com": "new",
    }
    assert (listed["two.example.com"]["username"], listed["two.example.com"]["reason"]) == ("octo", "newest")


def test_registries_are_listed_in_pages(client: FlaskClient, account: str, hosts: list[str]) -> None:
    whole = registries(client, account)
    assert whole["next_cursor"] is None
    found: list[Json] = []
    cursor, pages = "", 0
    while cursor is not None:
        page = registries(client, account, limit=2, cursor=cursor)
        found, cursor, pages = found + page["items"], page["next_cursor"], pages + 1
        assert len(page["items"]) <= 2
    assert found == whole["items"]
    assert pages == (len(hosts) + 1) // 2


def test_a_token_that_issues_secrets_lists_registries(api: Api, client: FlaskClient, account: str) -> None:
    add(client, account, "team", "reg.example.com")
    shop = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"shop"})))
    assert [one["registry_host"] for one in registries(shop, account)["items"]] == ["reg.example.com"]
    other = shop.get(f"/v1/accounts/{account}/projects/blog/registries")
    assert (other.status_code, other.get_json()["code"]) == (403, "project_forbidden")


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": 201}, {"cursor": "a\0b"}, {"project": "x"}])
def test_invalid_arguments_are_refused(client: FlaskClient, account: str, arguments: Json) -> None:
    path = f"/v1/accounts/{account}/projects/shop/registries"
    assert client.get(path, query_string=arguments).status_code == 422
