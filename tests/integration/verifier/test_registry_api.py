"""The HTTP part of the verifier on a real database and a real registry, alone and with the command API."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, takewhile
from threading import Event
from typing import Any
from uuid import uuid5

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from tests.integration.verifier.attempts import PASSWORD, USER
from tests.support.docker_registry import DockerRegistry
from tests.support.eventstore_suite import an_id
from tests.support.fake_registry import FakeServer, Raw, Reply, Seen, basic, basic_of
from tests.support.postgres import migrated_database
from tests.support.pushed_images import push_image
from tests.support.servers import free_port
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting
from verifier import bootstrap
from verifier.bootstrap import registry_api

Json = dict[str, Any]
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Site:
    """The API, and the registries that it may reach."""

    app: Flask
    token: str
    registry: DockerRegistry
    held: FakeServer  # it responds once `go_on` is set
    go_on: Event
    shared: FakeServer  # it responds to logins of others than `USER` once `go_on_shared` is set
    go_on_shared: Event

    def client(self, token: str | None = None) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token or self.token}"
        return client

    def post(self, account: str, path: str, body: Json) -> Any:
        return self.client().post(f"/v1/accounts/{account}/{path}", json=body)

    def get(self, account: str, path: str, **query: Any) -> Any:
        return self.client().get(f"/v1/accounts/{account}/{path}", query_string=query)

    def added(self, account: str, host: str, password: str = PASSWORD, **more: Any) -> str:
        body = add_body(f"credential {next(_numbers)}", host, USER, password) | more
        answer = self.post(account, "credentials", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])


@pytest.fixture(scope="module")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, go_on, go_on_shared = tmp_path_factory.mktemp("home"), Event(), Event()

    def when_released(_seen: Seen) -> Reply:
        go_on.wait(PATIENCE)
        return Reply(500)

    def slow_for_others(seen: Seen) -> Reply | Raw:
        if seen.authorization not in (None, basic_of(USER, PASSWORD)):
            go_on_shared.wait(PATIENCE)
        return basic(USER, PASSWORD)(seen)

    with (
        DockerRegistry(users={USER: PASSWORD}) as registry,
        FakeServer(when_released) as held,
        FakeServer(slow_for_others) as shared,
    ):
        for tag in ("1", "2", "3"):
            push_image(
                f"http://{registry.address}", "team/app", tag, {"Authorization": basic_of(USER, PASSWORD)}
            )
        settings = Settings.from_environment(
            {
                "REGCRED_HOME": str(home),
                "REGCRED_DATABASE_URL": database_url,
                "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
                "REGCRED_VERIFIER_ALLOW_HTTP": f"{registry.address},{held.address},127.0.0.1:9,{shared.address}",
            }
        )
        keys = prepare_keys(settings.key_file)
        prepare_admin_token(home / "admin.token", database_url, keys)
        parts = [command_api(settings), registry_api(settings)]
        token = (home / "admin.token").read_text().strip()
        yield Site(join(parts), token, registry, held, go_on, shared, go_on_shared)
        for part in parts:
            part.close()


@pytest.fixture
def account() -> str:
    return f"browser-{next(_numbers)}"


def events(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM es.events) + (SELECT count(*) FROM encrypted.secrets)"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ((PASSWORD, None, False), "verified", None),
        ((PASSWORD, "team/app:1", False), "verified", None),
        ((PASSWORD, "team/app:1", True), "verified", None),
        (("canary-wrong", "team/app:1", False), "failed", "bad_credential"),
    ],
)
def test_a_login_test_stores_nothing(
    site: Site, database_url: str, asked: tuple[str, str | None, bool], status: str, code: str | None
) -> None:
    password, image, push = asked
    before = events(database_url)
    body = add_body("a name", site.registry.address, USER, password)
    body |= {"scope": {"pull": True, "push": push}}
    body |= {"image": f"{site.registry.address}/{image}"} if image else {}
    answer = site.post("trying", "verifications", body)
    assert answer.status_code == 200, answer.text
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["id"] is None
    assert answer.json["secret_version"] is None
    assert answer.json["checked_at"].endswith("Z")
    assert answer.json["duration_ms"] >= 0
    assert (answer.json["help"] is None) == (code is None)
    assert (image is None) or ("team/app" in answer.json["detail"]) == (code is None)
    assert "canary" not in answer.text
    assert events(database_url) == before


def test_a_login_test_needs_no_name_and_reports_invalid_fields(site: Site, account: str) -> None:
    body = add_body("", site.registry.address, USER, PASSWORD)
    del body["name"]
    assert site.post(account, "verifications", body).status_code == 200
    wrong = body | {"provider": "nobody", "surprise": 1}
    assert site.post(account, "verifications", wrong).json["errors"][0]["pointer"] == "/surprise"
    cases = [
        ({"provider": "nobody"}, "/provider"),
        ({"registry_url": "http://reg.io"}, "/registry_url"),
        ({"image": "nginx:1"}, "/image"),
        ({"image": "NGINX"}, "/image"),
    ]
    for change, pointer in cases:
        answer = site.post(account, "verifications", body | change)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_an_account_has_a_share_of_the_login_tests_and_delays_no_other(site: Site) -> None:
    share = bootstrap.API_SLOTS_PER_ACCOUNT
    bodies = [add_body("held", site.held.address, f"user-{number}", PASSWORD) for number in range(share + 2)]
    with ThreadPoolExecutor(share) as threads:
        try:
            admitted = [threads.submit(site.post, "greedy", "verifications", body) for body in bodies[:share]]
            waiting(lambda: len(site.held.seen) == share, "all of them wait for the registry")
            for body in bodies[share:]:
                refused = site.post("greedy", "verifications", body)
                assert (refused.status_code, refused.json["code"]) == (429, "too_many_at_once")
                assert refused.headers["Retry-After"] == str(bootstrap.API_RETRY_SECONDS)
            other = add_body("quick", site.registry.address, USER, PASSWORD)
            assert site.post("patient", "verifications", other).json["status"] == "verified"
        finally:
            site.go_on.set()
        assert {one.result().json["code"] for one in admitted} == {"unreachable"}


def test_slow_login_tests_of_two_accounts_leave_room_at_the_same_registry(site: Site) -> None:
    share, shared = bootstrap.API_SLOTS_PER_ACCOUNT, site.shared
    with ThreadPoolExecutor(2 * share) as threads:
        try:
            for account in ("greedy-1", "greedy-2"):
                for number in range(share):
                    body = add_body("held", shared.address, f"{account}-{number}", PASSWORD)
                    threads.submit(site.post, account, "verifications", body)
            waiting(
                lambda: sum(seen.authorization is not None for seen in shared.seen) == 5,
                "they have the slots of the host but one",
            )
            quick = add_body("quick", shared.address, USER, PASSWORD)
            assert site.post("patient", "verifications", quick).json["status"] == "verified"
        finally:
            site.go_on_shared.set()


def test_tags_are_paginated(site: Site, account: str) -> None:
    credential_id = site.added(account, site.registry.address)
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = site.get(account, f"credentials/{credential_id}/repositories/team/app/tags", **query)
        assert answer.status_code == 200, answer.text
        found += [item["name"] for item in answer.json["items"]]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == ["1", "2", "3"]


def test_an_image_is_shown(site: Site, account: str) -> None:
    credential_id = site.added(account, site.registry.address)
    reference = f"{site.registry.address}/team/app:2"
    answer = site.get(account, f"credentials/{credential_id}/images", reference=reference)
    assert answer.status_code == 200, answer.text
    assert (answer.json["reference"], answer.json["exists"]) == (reference, True)
    assert answer.json["digest"].startswith("sha256:")
    absent = site.get(
        account, f"credentials/{credential_id}/images", reference=f"{site.registry.address}/team/app:9"
    )
    assert (absent.status_code, absent.json["exists"], absent.json["digest"]) == (200, False, None)


@pytest.mark.parametrize(
    ("path", "query", "refusal"),
    [
        ("repositories/team/none/tags", {}, (404, "repository_not_found")),
        ("repositories/team/app:1/tags", {}, (422, "invalid_request")),
        ("repositories/Team/app/tags", {}, (422, "invalid_request")),
        ("repositories/team/../app/tags", {}, (422, "invalid_request")),
        ("repositories/team/app/tags", {"cursor": "nonsense!"}, (400, "invalid_cursor")),
        ("repositories/team/app/tags", {"limit": 0}, (422, "invalid_request")),
        ("images", {}, (422, "invalid_request")),
        ("images", {"reference": "nginx"}, (422, "invalid_request")),
        ("images", {"reference": "a b"}, (422, "invalid_request")),
    ],
)
def test_invalid_repositories_and_images_are_refused(
    site: Site, account: str, path: str, query: Json, refusal: tuple[int, str]
) -> None:
    credential_id = site.added(account, site.registry.address)
    answer = site.get(account, f"credentials/{credential_id}/{path}", **query)
    assert (answer.status_code, answer.json["code"]) == refusal, answer.text


def test_refusing_and_unreachable_registries_are_reported(site: Site, account: str) -> None:
    wrong = site.added(account, site.registry.address, "canary-wrong")
    answer = site.get(account, f"credentials/{wrong}/repositories/team/app/tags")
    assert (answer.status_code, answer.json["code"]) == (502, "registry_refused")
    assert "canary" not in answer.text
    details = set()
    for host in (f"127.0.0.1:{free_port()}", "127.0.0.1:9", "169.254.169.254"):
        credential_id = site.added(account, host)
        answer = site.get(account, f"credentials/{credential_id}/images", reference=f"{host}/a/b:1")
        assert (answer.status_code, answer.json["code"]) == (502, "registry_unreachable")
        details.add(answer.json["detail"])
    assert len(details) == 1


@pytest.mark.parametrize(
    ("more", "repository", "refusal"),
    [
        ({"repository_prefixes": ["team/"]}, "team/app", None),
        ({"repository_prefixes": ["team/app"]}, "team/app", None),
        ({"repository_prefixes": ["tea"]}, "team/app", "other_repository"),
        ({"repository_prefixes": ["other/"]}, "team/app", "other_repository"),
        ({"scope": {"pull": False, "push": True}}, "team/app", "no_pull_scope"),
    ],
)
def test_a_credential_is_used_within_its_prefixes_and_scope(
    site: Site, account: str, more: Json, repository: str, refusal: str | None
) -> None:
    credential_id = site.added(account, site.registry.address, **more)
    image = f"{site.registry.address}/{repository}:1"
    for answer in (
        site.get(account, f"credentials/{credential_id}/repositories/{repository}/tags"),
        site.get(account, f"credentials/{credential_id}/images", reference=image),
    ):
        assert answer.status_code == (403 if refusal else 200), answer.text
        assert answer.json.get("code") == refusal


def test_repeated_login_tests_of_a_username_are_held(site: Site, account: str) -> None:

    def guess(number: int) -> Any:
        spelling = "guessed" if number % 2 else "Guessed"
        body = add_body("x", site.registry.address, spelling, f"canary-{number}")
        return site.post(account, "verifications", body)

    # Each refusal doubles the hold, from a second on: a slow machine gets a few guesses more until one is refused.
    answers = list(takewhile(lambda answer: answer.status_code == 200, map(guess, range(12))))
    assert {answer.json["code"] for answer in answers} == {"bad_credential"}
    assert 3 <= len(answers) < 12
    refused = guess(12)
    assert (refused.status_code, refused.json["code"]) == (429, "login_held_back")
    assert int(refused.headers["Retry-After"]) >= 1
    other = add_body("x", site.registry.address, USER, PASSWORD)
    assert site.post(account, "verifications", other).json["status"] == "verified"


def test_a_refused_secret_is_not_used_for_browsing(site: Site, account: str, database_url: str) -> None:
    credential_id = site.added(account, site.registry.address)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO verifier.schedule (credential_id, stream_version, account_id, provider, registry_host,"
            " username, secret_version, outcome) VALUES (%s, 1, %s, 'custom', %s, %s, 1, 'bad_credential')",
            (credential_id, account, site.registry.address, USER),
        )
    path = f"credentials/{credential_id}/repositories/team/app/tags"
    answer = site.get(account, path)
    assert (answer.status_code, answer.json["code"]) == (409, "verification_failed")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE verifier.schedule SET outcome = 'verified' WHERE credential_id = %s", (credential_id,)
        )
    assert site.get(account, path).status_code == 200


def test_a_removed_or_foreign_credential_is_not_found(site: Site, account: str) -> None:
    credential_id = site.added(account, site.registry.address)
    path = "repositories/team/app/tags"
    assert (
        site.get("somebody-else", f"credentials/{credential_id}/{path}").json["code"]
        == "credential_not_found"
    )
    nobody = uuid5(an_id("none"), account)
    assert site.get(account, f"credentials/{nobody}/{path}").status_code == 404
    gone = site.client().delete(
        f"/v1/accounts/{account}/credentials/{credential_id}", headers={"If-Match": "*"}
    )
    assert gone.status_code == 204
    assert site.get(account, f"credentials/{credential_id}/{path}").json["code"] == "credential_not_found"


def test_the_newest_secret_is_used(site: Site, account: str) -> None:
    credential_id = site.added(account, site.registry.address, "old-and-wrong")
    path = f"credentials/{credential_id}/repositories/team/app/tags"
    assert site.get(account, path).json["code"] == "registry_refused"
    body = {"credential": {"kind": "username_password", "username": USER, "password": PASSWORD}}
    site.client().put(
        f"/v1/accounts/{account}/credentials/{credential_id}/secret", json=body, headers={"If-Match": "*"}
    )
    assert site.get(account, path).status_code == 200


@pytest.mark.parametrize(
    ("scope", "trial", "browse"),
    [("credentials:read", 403, 200), ("credentials:write", 200, 403), ("audit:read", 403, 403)],
)
def test_each_scope_permits_its_routes_only(
    site: Site, account: str, scope: str, trial: int, browse: int
) -> None:
    credential_id = site.added(account, site.registry.address)
    made = site.client().post(
        "/v1/service-tokens", json={"name": scope, "scopes": [scope], "accounts": [account]}
    )
    assert made.json is not None
    client = site.client(made.json["token"])
    body = add_body("x", site.registry.address, USER, PASSWORD)
    assert client.post(f"/v1/accounts/{account}/verifications", json=body).status_code == trial
    path = f"/v1/accounts/{account}/credentials/{credential_id}/repositories/team/app/tags"
    assert client.get(path).status_code == browse
    assert client.get(path.replace(account, "other")).status_code == 403


@pytest.fixture
def other_database() -> Iterator[str]:
    """The database of another installation, which has a key file of its own."""
    with migrated_database() as url:
        yield url


def test_the_registry_api_alone_is_ready_and_read_only(other_database: str, tmp_path: Any) -> None:
    settings = Settings.from_environment(
        {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": other_database}
    )
    keys = prepare_keys(settings.key_file)
    token = tmp_path / "admin.token"
    prepare_admin_token(token, other_database, keys)
    part = registry_api(settings)
    client = join([part]).test_client()
    assert client.get("/readyz").json == {"ready": True, "checks": {"database": "ok", "secret_store": "ok"}}
    answer = client.post(
        "/v1/accounts/a/verifications",
        json=add_body("x", "127.0.0.1:1", "u", "p"),
        headers={"Authorization": f"Bearer {token.read_text().strip()}"},
    )
    assert answer.json is not None
    assert answer.json["code"] == "blocked_host"
    assert client.post("/v1/service-tokens", json={}).status_code == 404
    with psycopg.connect(other_database) as connection:
        connection.execute(f"SET ROLE {bootstrap.ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM auth.tokens")
    part.close()
