"""A Docker configuration imported on the in-memory adapters: what each entry comes to, also when something fails."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential import Active
from credentials.application.command_handler import CommandRequest, RequestKey
from credentials.application.credentials import Credentials
from credentials.application.imports import Import, Importer, ImportResult
from credentials.domain.errors import NameTaken
from eventlog.events import Actor, NewEvent
from eventlog.storage import Appended, IdempotencyKeyReused, IdempotentRequest
from registries.catalogue import http_never_allowed
from registries.input.docker_config import read_docker_config
from registries.input.new_secret import Target, read_new_secret
from secretstore.store import SecretPath, SecretStoreUnavailable
from tests.support.builders import EVERYBODY, PULL, details
from tests.support.memory_credentials import MemoryCredentialStore
from tests.support.memory_secretstore import MemorySecretStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OCTO = {"username": "octo", "password": "pa55"}


class Secrets(MemorySecretStore):
    """A secret store that goes away after `lasts` writes."""

    lasts = 1000

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        if self.lasts == 0:
            raise SecretStoreUnavailable("sealed")
        self.lasts -= 1
        return super().put(path, secret, write_id=write_id, expected_version=expected_version)


class Store(MemoryCredentialStore):
    """A store in which somebody else takes these names between the look and the append."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[str] = set()

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        if current and current.details.name in self.lost:
            raise NameTaken(current.details.name)
        return super().append(credential_id, expected_version, events, current=current, request=request)


class World:
    def __init__(self) -> None:
        numbers = count(1)
        self.store = Store()
        self.secrets = Secrets()
        self.credentials = Credentials(
            self.store, self.secrets, secret_fingerprint=fingerprint, new_id=lambda: UUID(int=next(numbers))
        )
        self.importing = Importer(self.credentials, self.store)

    def run(
        self,
        auths: dict[str, Any],
        *,
        key: str | None = None,
        prefix: str = "",
        dry: bool = False,
        **more: Any,
    ) -> list[ImportResult]:
        wanted = Import(
            entries=read_docker_config({"auths": auths, **more}),
            scope=PULL,
            restrictions=EVERYBODY,
            name_prefix=prefix,
            dry_run=dry,
        )
        asked = repr((auths, prefix, dry, more)).encode()
        return self.importing.run(request(key, sha256(asked).digest()), wanted)

    def add(self, name: str, registry: str, username: str, password: str, *prefixes: str) -> UUID:
        secret = read_new_secret(
            Target(provider="custom", registry_url=registry, location=None),
            {"kind": "username_password", "username": username, "password": Secret(password)},
            http_allowed=http_never_allowed,
        )
        added = self.credentials.add(
            request(), secret, details(name, repository_prefixes=prefixes), EVERYBODY
        )
        return added.credential_id

    def orphans(self) -> list[SecretPath]:
        """Secrets that no credential refers to."""
        return [path for path in self.secrets.paths() if not self.store.load(path.credential_id)]


def fingerprint(secret: Secret) -> str:
    return sha256(secret.reveal().encode()).hexdigest()[:32]


def request(key: str | None = None, asked: bytes = b"f" * 32) -> CommandRequest:
    return CommandRequest(
        account_id="acme",
        actor=Actor(type="service", id="svc", name="a service"),
        now=NOW,
        request_id="r-1",
        key=RequestKey(key=key, fingerprint=asked) if key else None,
    )


def told(results: list[ImportResult]) -> list[tuple[str, str | None]]:
    return [(result.status, result.name) for result in results]


@pytest.fixture
def world() -> World:
    return World()


def test_every_login_becomes_a_credential_in_the_order_of_the_file(world: World) -> None:
    results = world.run(
        {
            "https://index.docker.io/v1/": OCTO,
            "ghcr.io": OCTO,
            "gcr.io/my-project": {"username": "oauth2accesstoken", "password": "t"},
            "127.0.0.1:5000": {"identitytoken": "t.o.k"},
        }
    )
    assert told(results) == [
        ("created", "docker-io"),
        ("created", "ghcr-io"),
        ("created", "gcr-io"),
        ("created", "registry-127-0-0-1-5000"),
    ]
    kept = {c.name: c for c in world.store.candidates("acme", ["docker.io", "gcr.io", "127.0.0.1:5000"])}
    assert kept["gcr-io"].repository_prefixes == ("my-project",)
    providers = {str(event.payload.registry.provider) for event in _added(world, results)}
    assert providers == {"dockerhub", "github", "gcr", "custom"}
    assert world.orphans() == []


def _added(world: World, results: list[ImportResult]) -> list[Any]:
    return [event for r in results if r.credential_id for event in world.store.load(r.credential_id)]


def test_an_entry_without_a_secret_is_unsupported_and_an_unreadable_one_invalid(world: World) -> None:
    results = world.run(
        {
            "reg.io": {},
            "reg.io/a": {"auth": "%"},
            "reg.io/b": OCTO,
            "https://reg.io/b/": OCTO,
            "no host at all": OCTO,
            "1" * 12 + ".dkr.ecr.eu-west-1.amazonaws.com": OCTO,
        },
        credsStore="desktop",
    )
    statuses = [result.status for result in results]
    assert statuses[:3] == ["unsupported", "invalid", "created"]
    assert statuses[4:] == ["invalid", "invalid"]
    assert "credsStore" in str(results[0].reason)
    assert (results[4].key, results[4].registry_host) == ("entry 5", None)
    assert "AWS" in str(results[5].reason)


def test_a_repeated_entry_is_one_credential(world: World) -> None:
    results = world.run({"reg.io": OCTO, "https://reg.io/v2/": OCTO, "http://reg.io": OCTO})
    assert [result.status for result in results] == ["created", "duplicate", "duplicate"]
    assert "the same login as under reg.io" in str(results[1].reason)


def test_an_entry_of_a_stored_credential_is_a_duplicate(world: World) -> None:
    kept = world.add("mine", "reg.io", "octo", "pa55")
    [result] = world.run({"reg.io": OCTO})
    assert (result.status, result.credential_id, result.name) == ("duplicate", kept, "mine")
    assert "rotate" in str(result.reason)


def test_an_import_does_not_tell_whether_the_secret_is_the_same(world: World) -> None:
    world.add("old", "reg.io", "octo", "0ther")
    [other] = world.run({"reg.io": OCTO})
    world.add("newer", "reg.io", "octo", "pa55")
    [same] = world.run({"reg.io": OCTO})
    assert other == same
    assert other.status == "duplicate"


@pytest.mark.parametrize(
    ("username", "prefixes", "status"),
    [("other", (), "created"), ("octo", ("team/",), "created"), ("octo", (), "duplicate")],
)
def test_another_username_or_other_repositories_are_no_duplicate(
    world: World, username: str, prefixes: tuple[str, ...], status: str
) -> None:
    world.add("mine", "reg.io", username, "pa55", *prefixes)
    [result] = world.run({"reg.io": OCTO})
    assert result.status == status


def test_a_trailing_slash_of_a_prefix_makes_no_difference(world: World) -> None:
    world.add("mine", "reg.io", "octo", "pa55", "team/")
    [result] = world.run({"reg.io/team": OCTO})
    assert result.status == "duplicate"


def test_names_are_unique_also_with_concurrent_requests(world: World) -> None:
    world.add("Reg-IO", "elsewhere.io", "octo", "x")
    world.store.lost = {"reg-io-2"}
    results = world.run({"reg.io/a": OCTO, "reg.io/b": OCTO})
    assert told(results) == [("created", "reg-io-3"), ("created", "reg-io-4")]
    assert world.orphans() == []


def test_a_dry_run_changes_nothing(world: World) -> None:
    results = world.run({"reg.io/a": OCTO, "reg.io/b": OCTO, "x.io": {}}, prefix="ci-", dry=True, key="k")
    assert told(results) == [("created", "ci-reg-io"), ("created", "ci-reg-io-2"), ("unsupported", None)]
    assert [result.credential_id for result in results] == [None, None, None]
    assert list(world.secrets.paths()) == []


def test_a_repeated_import_creates_each_credential_once(world: World) -> None:
    first = world.run({"reg.io": OCTO, "x.io": OCTO}, key="k")
    assert world.run({"reg.io": OCTO, "x.io": OCTO}, key="k") == first
    without = world.run({"reg.io": OCTO, "x.io": OCTO})
    assert [result.status for result in without] == ["duplicate", "duplicate"]
    assert len(list(world.secrets.paths())) == 2


def test_another_import_under_the_same_key_changes_nothing(world: World) -> None:
    world.run({"reg.io": {}, "x.io": OCTO}, key="k")
    with pytest.raises(IdempotencyKeyReused):
        world.run({"first.io": OCTO, "second.io": OCTO}, key="k")
    assert len(list(world.secrets.paths())) == 1


def test_the_request_fails_while_the_secret_store_is_unavailable(world: World) -> None:
    world.secrets.lasts = 0
    with pytest.raises(SecretStoreUnavailable):
        world.run({"y.io": {}, "reg.io": OCTO})
    assert world.orphans() == []


@pytest.mark.parametrize("key", [None, "k"])
def test_remaining_entries_fail_without_the_secret_store_and_the_import_can_be_repeated(
    world: World, key: str | None
) -> None:
    world.secrets.lasts = 1
    auths = {"a.io": OCTO, "b.io": OCTO, "c.io": {}, "d.io": OCTO}
    results = world.run(auths, key=key)
    assert [result.status for result in results] == ["created", "failed", "unsupported", "failed"]
    assert world.orphans() == []
    world.secrets.lasts = 1000
    again = world.run(auths, key=key)
    first = "duplicate" if key is None else "created"
    assert [result.status for result in again] == [first, "created", "unsupported", "created"]
    assert again[0].credential_id == results[0].credential_id
    assert len(list(world.secrets.paths())) == 3
