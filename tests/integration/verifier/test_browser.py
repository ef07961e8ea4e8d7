"""Reading tags and images of registries: Debian's docker-registry, and fake ones."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.secret import Secret
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.tls import tls_context
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.protocol.browser import (
    Browser,
    RegistryAccount,
    RegistryError,
    RegistryRefused,
    RegistryUnreachable,
    RepositoryNotFound,
)
from tests.integration.verifier.attempts import (
    IDENTITY_LOGIN,
    PASSWORD,
    PASSWORD_LOGIN,
    SHORT_DEADLINE,
    USER,
    assert_nothing_leaks,
    loopback,
)
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import (
    MARK,
    TOKEN,
    Behaviour,
    FakeServer,
    Raw,
    Reply,
    Seen,
    after,
    always,
    basic,
    basic_of,
    by_path,
    challenge,
    tokens,
)
from tests.support.pushed_images import INDEX, MANIFEST, push_image, push_index
from tests.support.servers import free_port
from tests.support.timing import PATIENCE

HEADERS = {"Authorization": basic_of(USER, PASSWORD)}
TLS = tls_context(None)


@pytest.fixture(scope="module")
def registry() -> Iterator[DockerRegistry]:
    with DockerRegistry(users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="module")
def pushed(registry: DockerRegistry) -> dict[str, dict[str, Any]]:
    """What was pushed to team/app, by its tag."""
    url = f"http://{registry.address}"
    made = {tag: push_image(url, "team/app", tag, HEADERS) for tag in ("1", "2", "3", "4", "5")}
    platforms = {"linux/amd64": made["1"], "linux/arm64": made["2"]}
    return made | {"all": push_index(url, "team/app", "all", HEADERS, platforms)}


def account(address: str, login: RegistryLogin = PASSWORD_LOGIN) -> RegistryAccount:
    return RegistryAccount(registry_host=address, provider="custom", login=login)


def browser(*http: str, seconds: float = PATIENCE) -> Browser:
    return Browser(policy=loopback(*http), deadline_seconds=seconds, tls=TLS)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 100])
def test_every_tag_is_listed_once(registry: DockerRegistry, pushed: dict[str, Any], limit: int) -> None:
    found: list[str] = []
    place = None
    while True:
        page = browser(registry.address).tags(account(registry.address), "team/app", limit=limit, after=place)
        assert len(page.tags) <= limit
        found += page.tags
        place = page.next
        if place is None:
            break
    assert sorted(found) == sorted(pushed)


def test_an_image_is_shown_by_tag_and_by_digest(registry: DockerRegistry, pushed: dict[str, Any]) -> None:
    digest = pushed["1"]["digest"]
    for name in ("team/app:1", f"team/app@{digest}", f"team/app:9@{digest}"):
        image = ImageReference.parse(f"{registry.address}/{name}")
        found = browser(registry.address).image(account(registry.address), image)
        assert found is not None
        assert (found.digest, found.media_type, found.platforms) == (digest, MANIFEST, ())
        assert found.size is not None
        assert found.size > 0


def test_an_index_is_shown_with_its_platforms(registry: DockerRegistry, pushed: dict[str, Any]) -> None:
    image = ImageReference.parse(f"{registry.address}/team/app:all")
    found = browser(registry.address).image(account(registry.address), image)
    assert found is not None
    assert (found.digest, found.media_type, found.size) == (pushed["all"]["digest"], INDEX, None)
    assert [(platform.architecture, platform.digest) for platform in found.platforms] == [
        ("amd64", pushed["1"]["digest"]),
        ("arm64", pushed["2"]["digest"]),
    ]


def test_a_missing_repository_is_not_found(registry: DockerRegistry) -> None:
    here = browser(registry.address)
    missing = ImageReference.parse(f"{registry.address}/team/none:1")
    assert here.image(account(registry.address), missing) is None
    with pytest.raises(RepositoryNotFound):
        here.tags(account(registry.address), "team/none", limit=5, after=None)


def test_a_wrong_login_is_sent_once_and_refused(registry: DockerRegistry) -> None:
    wrong = RegistryLogin(username=USER, password=Secret("wrong"))
    with pytest.raises(RegistryRefused, match="HTTP 401"):
        browser(registry.address).tags(account(registry.address, wrong), "team/app", limit=5, after=None)
    with FakeServer(basic(USER, "another")) as server, pytest.raises(RegistryRefused):
        browser(server.address).tags(account(server.address), "team/app", limit=5, after=None)
    assert [seen.authorization is not None for seen in server.seen] == [False, True]


def with_tokens(answer: Reply, *, scope: str = "") -> Behaviour:
    """A registry that requires a token and then responds so; its challenge names this scope."""

    def registry(seen: Seen) -> Reply | Raw:
        if seen.authorization == f"Bearer {TOKEN}":
            return answer
        named = f',scope="{scope}"' if scope else ""
        return challenge(f'Bearer realm="/token",service="{MARK}"{named}')

    return by_path(registry, tokens(USER, PASSWORD))


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("", "repository:team/app:pull"),
        ("repository:team/app:metadata_read", "repository:team/app:metadata_read"),
        ("repository:team/app:pull", "repository:team/app:pull"),
        ("registry:catalog:*", "repository:team/app:pull"),
        ("repository:other/app:pull,push", "repository:team/app:pull"),
        ("repository:team/app:" + "x" * 2000, "repository:team/app:pull"),
    ],
    ids=["none", "azure", "pull", "catalog", "other", "long"],
)
def test_the_token_is_requested_for_the_repository(named: str, asked: str) -> None:
    with FakeServer(with_tokens(Reply(200, body=b'{"tags": ["a"]}'), scope=named)) as server:
        page = browser(server.address).tags(account(server.address), "team/app", limit=5, after=None)
    assert page.tags == ("a",)
    [token] = [seen for seen in server.seen if seen.path == "/token"]
    assert dict(token.query)["scope"] == asked
    assert len(server.seen) == 3


def test_an_open_registry_gets_no_login() -> None:
    with FakeServer(always(Reply(200, body=b'{"tags": []}'))) as server:
        assert browser(server.address).tags(account(server.address), "a/b", limit=5, after=None).tags == ()
    assert [seen.authorization for seen in server.seen] == [None]


def test_an_identity_token_goes_to_the_token_server_only() -> None:
    given = Reply(200, body=json.dumps({"access_token": TOKEN}).encode())
    with FakeServer(
        by_path(
            lambda seen: (
                Reply(200, body=b'{"tags": []}') if seen.authorization else challenge('Bearer realm="/token"')
            ),
            always(given),
        )
    ) as server:
        browser(server.address).tags(account(server.address, IDENTITY_LOGIN), "a/b", limit=5, after=None)
    assert all(PASSWORD not in str(seen.headers) for seen in server.seen)
    with FakeServer(basic(USER, PASSWORD)) as server, pytest.raises(RegistryRefused, match="identity token"):
        browser(server.address).tags(account(server.address, IDENTITY_LOGIN), "a/b", limit=5, after=None)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (always(challenge('Bearer realm="http://169.254.169.254/latest"')), RegistryUnreachable),
        (always(challenge('Bearer realm="https://elsewhere.example/token"')), RegistryUnreachable),
        (always(challenge("Negotiate")), RegistryRefused),
        (always(challenge('Bearer realm="/token')), RegistryUnreachable),
        (always(Reply(401)), RegistryRefused),
        (always(Reply(302, (("Location", "http://169.254.169.254/"),))), RegistryRefused),
        (always(Reply(403)), RegistryRefused),
        (always(Reply(429, (("Retry-After", "9"),))), RegistryRefused),
        (always(Reply(500)), RegistryUnreachable),
        (always(Reply(200, body=b"<html>")), RegistryRefused),
        (always(Reply(200, body=b"x" * 5_000_000)), RegistryRefused),
        (always(Raw([b"SSH-2.0-x\r\n"])), RegistryUnreachable),
        (with_tokens(Reply(403)), RegistryRefused),
        (by_path(lambda _seen: challenge('Bearer realm="/token"'), always(Reply(403))), RegistryRefused),
        (by_path(lambda _seen: challenge('Bearer realm="/token"'), always(Reply(200))), RegistryUnreachable),
    ],
    ids=[
        *("metadata", "stranger", "negotiate", "unclosed", "bare", "redirect", "403", "429", "500", "html"),
        *("huge", "ssh", "denied", "no-token", "odd-token"),
    ],
)  # fmt: skip
def test_every_fault_of_a_registry_is_one_error(behaviour: Behaviour, error: type[RegistryError]) -> None:
    with FakeServer(behaviour) as server:
        for call in (
            lambda: browser(server.address).tags(account(server.address), "a/b", limit=5, after=None),
            lambda: browser(server.address).image(
                account(server.address), ImageReference.parse(f"{server.address}/a/b:1")
            ),
        ):
            with pytest.raises(error) as raised:
                call()
            assert_nothing_leaks(str(raised.value))
            assert len(str(raised.value)) < 300


def test_a_registry_that_responds_too_late_is_unreachable() -> None:
    with FakeServer(after(2, always(Reply(200)))) as server, pytest.raises(RegistryUnreachable):
        browser(server.address, seconds=SHORT_DEADLINE).tags(
            account(server.address), "a/b", limit=5, after=None
        )


def test_blocked_and_unreachable_registries_have_the_same_error() -> None:
    messages = set()
    nobody = f"127.0.0.1:{free_port()}"
    with FakeServer(always(Reply(200))) as server:
        blocked = Browser(policy=NetworkPolicy.parse("", server.address), deadline_seconds=PATIENCE, tls=TLS)
        for here, address in ((blocked, server.address), (browser(nobody), nobody)):
            with pytest.raises(RegistryUnreachable) as raised:
                here.tags(account(address), "a/b", limit=5, after=None)
            messages.add(str(raised.value))
        assert server.connections == 0
    assert len(messages) == 1
