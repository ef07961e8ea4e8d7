"""Commands carried out on the in-memory adapters: which secrets are stored when something goes wrong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential import Active, fold
from contracts.credential_events import Registry
from contracts.streams import outcome_event_id, verification_stream
from contracts.verification_events import VerificationSucceeded
from credentials.application.command_handler import CommandRequest, CommandResult, RequestKey
from credentials.application.credentials import Credentials
from credentials.application.store import RecordedOutcome
from credentials.domain.commands import ChangeDetails
from credentials.domain.errors import CredentialNotFound, NameTaken, StaleVersion
from eventlog.events import Actor, NewEvent
from eventlog.storage import (
    Appended,
    EventStoreUnavailable,
    IdempotencyKeyReused,
    IdempotentRequest,
    OutcomeUnknown,
)
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from secretstore.keyfile import KeyFile
from secretstore.store import SecretDestroyed, SecretPath, SecretStoreUnavailable
from tests.support.builders import EVERYBODY, MOMENT, details
from tests.support.memory_credentials import MemoryCredentialStore
from tests.support.memory_secretstore import MemorySecretStore

NOW = MOMENT
DETAILS = details(expires_at=NOW + timedelta(days=30))


class FailingStore(MemoryCredentialStore):
    """A store whose next append fails, before or after it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Exception | None = None
        self.after: Exception | None = None

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        if self.before:
            raise self.before
        appended = super().append(credential_id, expected_version, events, current=current, request=request)
        if self.after:
            raise self.after
        return appended


class World:
    def __init__(self) -> None:
        numbers = count(1)
        self.store = FailingStore()
        self.secrets = MemorySecretStore()
        self.credentials = Credentials(
            self.store,
            self.secrets,
            secret_fingerprint=lambda secret: f"{len(secret.reveal()):032x}",
            new_id=lambda: UUID(int=next(numbers)),
        )

    def add(self, key: str | None = None, *, name: str = "team", password: str = "old") -> CommandResult:
        """As the route does: the stored result of a repeated request, else a new credential."""
        return self.credentials.replay(request(key)) or self.credentials.add(
            request(key), secret(password), replace(DETAILS, name=name), EVERYBODY
        )

    def rotate(self, credential_id: UUID, expected: int | None, password: str = "new") -> CommandResult:
        def given(_credential: Active) -> NewSecret:
            return secret(password)

        return self.credentials.rotations.rotate(request(), credential_id, expected, given)

    def kept(self) -> dict[str, list[int]]:
        """Readable versions by path."""
        return {
            str(path): [version.version for version in self.secrets.versions(path) if not version.destroyed]
            for path in self.secrets.paths()
        }


def secret(password: str) -> NewSecret:
    return NewSecret(
        registry=Registry(provider="github", host="ghcr.io", location=None),
        kind="username_password",
        login=RegistryLogin(username="octo", password=Secret(password)),
    )


def request(
    key: str | None = None, *, account: str = "acme", fingerprint: bytes = b"f" * 32
) -> CommandRequest:
    return CommandRequest(
        account_id=account,
        actor=Actor(type="service", id="svc", name="a service"),
        now=NOW,
        request_id="r-1",
        key=RequestKey(key=key, fingerprint=fingerprint) if key else None,
    )


@pytest.fixture
def world() -> World:
    return World()


def test_equal_secrets_have_equal_fingerprints_in_one_credential_only(world: World) -> None:
    keys = KeyFile(primary="k1", keys={"k1": b"k" * 32}, pepper=b"p" * 32)
    numbers = count(1)
    credentials = Credentials(
        world.store,
        world.secrets,
        secret_fingerprint=keys.secret_fingerprint,
        new_id=lambda: UUID(int=next(numbers)),
    )

    def added(account: str, name: str) -> UUID:
        details = replace(DETAILS, name=name)
        return credentials.add(request(account=account), secret("old"), details, EVERYBODY).credential_id

    def fingerprint(credential_id: UUID) -> str:
        state = fold(event.payload for event in world.store.load(credential_id))
        assert isinstance(state, Active)
        return state.secret.fingerprint

    one, same, other = added("acme", "one"), added("acme", "same"), added("other", "one")
    first = fingerprint(one)
    assert len({first, fingerprint(same), fingerprint(other)}) == 3
    credentials.rotations.rotate(request(), one, None, lambda _: secret("new"))
    assert fingerprint(one) != first
    credentials.rotations.rotate(request(), one, None, lambda _: secret("old"))
    assert fingerprint(one) == first


def test_adding_stores_the_secret_and_returns_no_secret(world: World) -> None:
    answer = world.add()
    path = SecretPath("acme", answer.credential_id)
    login = RegistryLogin.from_secret(world.secrets.get(path, 1))
    assert login.password == Secret("old")
    assert answer.version == 1
    assert answer.body["verification"]["status"] == "pending"
    assert answer.body["expires_at"] == "2026-02-01T00:00:00Z"
    assert "old" not in str(answer.body)


def test_a_taken_name_writes_no_secret(world: World) -> None:
    world.add()
    with pytest.raises(NameTaken):
        world.add(name="TEAM")
    assert len(world.kept()) == 1


def test_a_failed_append_leaves_no_secret(world: World) -> None:
    world.store.before = NameTaken("team")
    with pytest.raises(NameTaken):
        world.add()
    assert world.kept() == {}


def test_an_append_of_unknown_outcome_leaves_the_secret(world: World) -> None:
    world.store.after = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        world.add()
    assert list(world.kept().values()) == [[1]]


@pytest.mark.parametrize("written", [True, False], ids=["had been written", "had not"])
def test_a_repeated_request_succeeds_after_an_unknown_outcome(world: World, written: bool) -> None:
    if written:
        world.store.after = OutcomeUnknown()
    else:
        world.store.before = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        world.add("k-1")
    world.store.before = world.store.after = None
    answer = world.add("k-1")
    assert answer.replayed is written
    assert list(world.kept().values()) == [[1]]
    assert len(world.store.load(answer.credential_id)) == 1


@pytest.mark.parametrize("written", [True, False], ids=["had been written", "had not"])
def test_a_reused_key_finds_its_own_credential_after_an_unknown_outcome(world: World, written: bool) -> None:
    removed = world.add("k-1")
    world.credentials.remove(request(), removed.credential_id, 1, reason=None, forced=False)
    world.store.delete_responses()
    if written:
        world.store.after = OutcomeUnknown()
    else:
        world.store.before = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        world.add("k-1")
    world.store.before = world.store.after = None
    answer = world.add("k-1")
    assert answer.replayed is written
    assert answer.credential_id != removed.credential_id
    assert len(world.store.load(answer.credential_id)) == 1
    assert len(world.kept()) == 2


def test_a_repeated_request_returns_the_first_result(world: World) -> None:
    first, second = world.add("k-1"), world.add("k-1")
    assert (first.replayed, second.replayed) == (False, True)
    assert first.body == second.body
    with pytest.raises(IdempotencyKeyReused):
        world.credentials.replay(request("k-1", fingerprint=b"g" * 32))


def test_nothing_changes_while_the_secret_store_is_unavailable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_named: object) -> int:
        raise SecretStoreUnavailable("sealed", retry_after=7)

    with monkeypatch.context() as patched:
        patched.setattr(world.secrets, "put", away)
        with pytest.raises(SecretStoreUnavailable):
            world.add()
    assert not world.store.name_taken("acme", "team")
    assert world.add().version == 1


def test_both_versions_can_be_read_after_a_rotation(world: World) -> None:
    credential_id = world.add().credential_id
    answer = world.rotate(credential_id, 1)
    assert answer.body["secret_version"] == 2
    assert answer.body["expires_at"] is None  # it was the old secret's
    assert list(world.kept().values()) == [[1, 2]]


def test_a_rotation_on_a_stale_version_writes_nothing(world: World) -> None:
    credential_id = world.add().credential_id
    with pytest.raises(StaleVersion) as refused:
        world.rotate(credential_id, 7)
    assert (refused.value.expected, refused.value.actual) == (7, 1)
    assert list(world.kept().values()) == [[1]]


def test_a_rotation_with_a_conflict_destroys_its_secret(world: World) -> None:
    credential_id = world.add().credential_id

    def meanwhile(_credential: Active) -> NewSecret:
        world.credentials.change(request(), credential_id, 1, lambda _: ChangeDetails(name="renamed"))
        return secret("new")

    with pytest.raises(StaleVersion):
        world.credentials.rotations.rotate(request(), credential_id, 1, meanwhile)
    assert list(world.kept().values()) == [[1]]


def test_a_rotation_writes_after_the_version_of_a_failed_append(world: World) -> None:
    credential_id = world.add().credential_id
    path = SecretPath("acme", credential_id)
    world.secrets.put(path, Secret("orphan"), write_id="w", expected_version=1)
    assert world.rotate(credential_id, 1).body["secret_version"] == 3


def test_a_rotation_whose_append_fails_destroys_only_its_own_secret(world: World) -> None:
    credential_id = world.add().credential_id
    world.store.before = ValueError("the database says no")
    with pytest.raises(ValueError, match="says no"):
        world.rotate(credential_id, 1)
    path = SecretPath("acme", credential_id)
    with pytest.raises(SecretDestroyed):
        world.secrets.get(path, 2)
    assert world.secrets.get(path, 1)


def test_changes_without_a_version_are_retried(world: World) -> None:
    credential_id = world.add().credential_id
    racing = iter([True, False])
    load = world.store.load

    def load_and_lose(wanted: UUID) -> Sequence[object]:
        events = load(wanted)
        if next(racing, False):
            world.store.load = load  # type: ignore[method-assign]
            world.credentials.change(
                request(), credential_id, None, lambda _: ChangeDetails(description="first")
            )
        return events

    world.store.load = load_and_lose  # type: ignore[method-assign, assignment]
    answer = world.credentials.change(request(), credential_id, None, lambda _: ChangeDetails(name="second"))
    assert (answer.body["name"], answer.body["description"], answer.version) == ("second", "first", 3)


def test_a_command_without_effect_leaves_the_version(world: World) -> None:
    credential_id = world.add().credential_id
    answer = world.credentials.change(request(), credential_id, 1, lambda _: ChangeDetails(name="team"))
    assert answer.version == 1
    assert answer.body["updated_at"] == "2026-01-02T00:00:00Z"


def everything(world: World, credential_id: UUID, account: str) -> list[Callable[[], object]]:
    asked = request(account=account)
    return [
        lambda: world.credentials.change(asked, credential_id, None, lambda _: ChangeDetails(name="mine")),
        lambda: world.credentials.restrict(asked, credential_id, None, EVERYBODY),
        lambda: world.credentials.request_verification(asked, credential_id),
        lambda: world.credentials.remove(asked, credential_id, None, reason=None, forced=False),
        lambda: world.credentials.rotations.rotate(asked, credential_id, None, lambda _: secret("theirs")),
    ]


def test_a_credential_of_another_account_is_not_found(world: World) -> None:
    credential_id = world.add().credential_id
    for ask in everything(world, credential_id, "umbrella"):
        with pytest.raises(CredentialNotFound):
            ask()
    assert list(world.kept().values()) == [[1]]


def test_a_removed_credential_is_not_found_by_any_command(world: World) -> None:
    credential_id = world.add().credential_id
    world.credentials.remove(request(), credential_id, 1, reason="left", forced=False)
    for ask in everything(world, credential_id, "acme"):
        with pytest.raises(CredentialNotFound):
            ask()
    assert world.add().version == 1  # its name is free


def test_a_result_has_the_newest_outcome_of_the_current_secret(world: World) -> None:
    credential_id = world.add().credential_id
    asked = world.credentials.request_verification(request("k-v"), credential_id)
    verification_id = UUID(asked.body["id"])
    assert asked.body["status"] == "pending"
    assert world.credentials.outcome_of(verification_id) is None
    outcome = VerificationSucceeded(
        verification_id=verification_id,
        credential_id=credential_id,
        registry_host="ghcr.io",
        provider="github",
        secret_version=1,
        trigger="requested",
        detail="the registry took it",
        confidence="strong",
        checked_at=NOW,
        duration_ms=3,
    )
    event = NewEvent(
        event_id=outcome_event_id(verification_id), payload=outcome, metadata=request().metadata()
    )
    world.store.events.append(verification_stream(credential_id), 0, [event])
    recorded = world.credentials.outcome_of(verification_id)
    assert recorded == RecordedOutcome(outcome, verification_stream(credential_id).id, 1)
    answer = world.credentials.change(request(), credential_id, None, lambda _: ChangeDetails(name="other"))
    assert answer.body["verification"]["status"] == "verified"
    hosts = ChangeDetails(additional_hosts=("docker.acme.com",))
    later = replace(request(), now=NOW + timedelta(seconds=1))
    assert (
        world.credentials.change(later, credential_id, None, lambda _: hosts).body["verification"]["status"]
        == "pending"
    )
    named = world.credentials.change(later, credential_id, None, lambda _: ChangeDetails(name="others"))
    assert named.body["verification"]["status"] == "pending", "the outcome is that of the other hosts"
    assert world.rotate(credential_id, None).body["verification"]["status"] == "pending"
    assert world.credentials.request_verification(request("k-v"), credential_id).replayed


def test_an_unavailable_database_is_reported(world: World) -> None:
    world.store.before = EventStoreUnavailable()
    with pytest.raises(EventStoreUnavailable):
        world.add()
    assert world.kept() == {}
