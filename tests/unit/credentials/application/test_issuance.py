"""Pull secrets on the in-memory adapters: what is recorded and issued when something changes in between."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential_events import Registry, Restrictions
from contracts.issuance_events import SecretIssued, SecretRefusedV2, Workload
from contracts.streams import issuance_stream
from credentials.application.command_handler import CommandRequest, RequestKey
from credentials.application.credentials import Credentials
from credentials.application.issuance import Issuer, PullSecret, StillChanging
from credentials.domain.issuance import NotIssued, PullSecretRequest
from eventlog.events import Actor, NewEvent
from eventlog.storage import Appended, IdempotentRequest, OutcomeUnknown
from registries.dialer.addresses import NetworkPolicy
from registries.image_reference import ImageReference
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from registries.token_minter.minter import Endpoints, Minter
from registries.token_minter.token_calls import TokenCalls
from secretstore.store import SecretPath, SecretStoreUnavailable
from tests.support.builders import EVERYBODY, details
from tests.support.memory_credentials import MemoryCredentialStore
from tests.support.memory_secretstore import MemorySecretStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOBODY = Restrictions(restricted=True, projects=())
WANTED = PullSecretRequest(
    images=(ImageReference.parse("ghcr.io/acme/shop"),),
    project_id="shop",
    workload=Workload(kind="deployment", name="storefront"),
    format="docker_config",
    allow_anonymous=False,
)


class RacingStore(MemoryCredentialStore):
    """Does something just before it records an issuance, and keeps what was recorded, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None
        self.every_time = False
        self.lost = False
        self.recorded: list[NewEvent] = []

    def issue(
        self,
        issuance_id: UUID,
        events: Sequence[NewEvent],
        *,
        decided_on: Mapping[UUID, int],
        request: IdempotentRequest | None,
    ) -> Appended:
        if self.meanwhile and decided_on:
            meanwhile, self.meanwhile = self.meanwhile, self.meanwhile if self.every_time else None
            meanwhile()
        appended = super().issue(issuance_id, events, decided_on=decided_on, request=request)
        if not appended.replayed:
            self.recorded += events
        if self.lost:
            raise OutcomeUnknown
        return appended


class World:
    def __init__(self) -> None:
        numbers = count(1)

        def new_id() -> UUID:
            return UUID(int=next(numbers))

        self.store = RacingStore()
        self.secrets = MemorySecretStore()
        self.credentials = Credentials(
            self.store, self.secrets, secret_fingerprint=lambda _: "ab" * 16, new_id=new_id
        )
        minter = Minter(
            TokenCalls(NetworkPolicy(), ssl.create_default_context()), Endpoints(), now=lambda: NOW
        )
        self.issuing = Issuer(self.store, self.secrets, minter, new_id=new_id)

    def add(self, name: str = "team", login: RegistryLogin | None = None, host: str = "ghcr.io") -> UUID:
        added = self.credentials.add(request(), secret("old", login, host), details(name), EVERYBODY)
        return added.credential_id

    def rotate(self, credential_id: UUID) -> None:
        self.credentials.rotations.rotate(request(), credential_id, None, lambda _: secret("new"))

    def remove(self, credential_id: UUID) -> None:
        """As the service and its housekeeping do it."""
        self.credentials.remove(request(), credential_id, None, reason="a test", forced=True)
        self.secrets.remove(SecretPath("acme", credential_id))

    def restrict(self, credential_id: UUID) -> None:
        forced = replace(request(), force_reason="a test")
        self.credentials.restrict(forced, credential_id, None, NOBODY)

    def events(self) -> list[tuple[str, str | int]]:
        """What was recorded: the version that was issued, or the reason why none was."""
        return [
            ("issued", payload.secret_version)
            if isinstance(payload, SecretIssued)
            else ("refused", payload.reason if isinstance(payload, SecretRefusedV2) else "?")
            for payload in (event.payload for event in self.store.recorded)
        ]


def secret(password: str, login: RegistryLogin | None = None, host: str = "ghcr.io") -> NewSecret:
    return NewSecret(
        registry=Registry(provider="github", host=host, location=None),
        kind="username_password",
        login=login or RegistryLogin(username="octo", password=Secret(password)),
    )


def request(key: str | None = None) -> CommandRequest:
    return CommandRequest(
        account_id="acme",
        actor=Actor(type="service", id="svc", name="a service"),
        now=NOW,
        request_id="r-1",
        key=RequestKey(key=key, fingerprint=b"f" * 32) if key else None,
    )


def passwords(given: PullSecret) -> list[str]:
    return [one.login.password.reveal() for one in given.issued if one.login.password]


@pytest.fixture
def world() -> World:
    return World()


def test_an_issuance_is_recorded_with_its_caller_and_without_secrets(world: World) -> None:
    credential_id = world.add()
    given = world.issuing.issue(request(), WANTED)
    assert passwords(given) == ["old"]
    [event] = world.store.events.load(issuance_stream(given.issuance_id))
    assert (event.type, event.version, given.version, given.replayed) == ("secret.issued", 1, 1, False)
    assert isinstance(event.payload, SecretIssued)
    assert (event.payload.credential_id, event.payload.secret_version) == (credential_id, 1)
    assert (event.metadata.account_id, event.metadata.request_id) == ("acme", "r-1")
    assert "old" not in str(event)


def test_a_refusal_is_recorded_before_it_is_returned(world: World) -> None:
    with pytest.raises(NotIssued) as refused:
        world.issuing.issue(request(), WANTED)
    assert [refusal.reason for refusal in refused.value.refusals] == ["no_matching_credential"]
    [event] = world.store.events.load(issuance_stream(refused.value.issuance_id))
    assert event.type == "secret.refused"
    world.restrict(world.add())
    with pytest.raises(NotIssued):
        world.issuing.issue(request(), WANTED)
    assert world.events() == [("refused", "no_matching_credential"), ("refused", "no_eligible_credential")]


def test_a_refused_image_prevents_the_issuance_and_only_it_is_recorded(world: World) -> None:
    world.add()
    asked = replace(WANTED, images=(*WANTED.images, ImageReference.parse("nginx")))
    with pytest.raises(NotIssued) as refused:
        world.issuing.issue(request(), asked)
    assert [(refusal.index, refusal.reason) for refusal in refused.value.refusals] == [
        (1, "no_matching_credential")
    ]
    assert world.events() == [("refused", "no_matching_credential")]
    given = world.issuing.issue(request(), replace(asked, allow_anonymous=True))
    assert [str(image) for image in given.anonymous] == ["docker.io/library/nginx:latest"]
    assert passwords(given) == ["old"]
    assert world.events()[1:] == [("issued", 1), ("refused", "no_matching_credential")]


def test_a_concurrent_restriction_is_applied(world: World) -> None:
    credential_id = world.add()
    world.store.meanwhile = lambda: world.restrict(credential_id)
    with pytest.raises(NotIssued):
        world.issuing.issue(request(), WANTED)
    assert world.events() == [("refused", "no_eligible_credential")]


def test_a_concurrent_removal_is_applied(world: World) -> None:
    credential_id = world.add()
    world.store.meanwhile = lambda: world.remove(credential_id)
    with pytest.raises(NotIssued):
        world.issuing.issue(request(), WANTED)
    assert world.events() == [("refused", "no_matching_credential")]


def test_the_new_secret_is_issued_after_a_concurrent_rotation(world: World) -> None:
    credential_id = world.add()
    world.store.meanwhile = lambda: world.rotate(credential_id)
    given = world.issuing.issue(request(), WANTED)
    assert passwords(given) == ["new"]
    assert world.events() == [("issued", 2)]


def test_a_request_is_decided_again_when_its_secret_is_removed_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, get = world.add("first"), world.secrets.get
    other = world.add("other")

    def removed_before(path: SecretPath, version: int) -> Secret:
        monkeypatch.undo()
        world.remove(other)  # the newer one, which was selected
        return get(path, version)

    monkeypatch.setattr(world.secrets, "get", removed_before)
    given = world.issuing.issue(request(), WANTED)
    assert [one.grant.candidate.credential_id for one in given.issued] == [first]
    assert world.events() == [("issued", 1)]


def test_a_lost_secret_is_refused_with_its_own_reason(world: World) -> None:
    world.secrets.remove(SecretPath("acme", world.add()))
    with pytest.raises(NotIssued) as refused:
        world.issuing.issue(request(), WANTED)
    assert [refusal.reason for refusal in refused.value.refusals] == ["secret_unreadable"]
    [event] = world.store.recorded
    assert isinstance(event.payload, SecretRefusedV2)
    assert event.payload.reason == "secret_unreadable"


def test_what_can_be_issued_is_issued_if_the_caller_allows_it(world: World) -> None:
    """A refused image, a lost secret and an image without a credential do not prevent the others."""
    usable = world.add()
    lost = world.add("lost", host="quay.io")
    world.secrets.remove(SecretPath("acme", lost))
    images = ("quay.io/x", "ghcr.io/acme/shop", "nginx", "quay.io/y")
    asked = replace(WANTED, images=tuple(map(ImageReference.parse, images)), allow_partial=True)
    issued = world.issuing.issue(request("key"), asked)
    assert [one.grant.candidate.credential_id for one in issued.issued] == [usable]
    assert [(refusal.index, refusal.reason) for refusal in issued.decided.refusals] == [
        (0, "secret_unreadable"),
        (2, "no_matching_credential"),
        (3, "secret_unreadable"),
    ]
    recorded = [
        (event.payload.images, event.payload.anonymous)
        for event in world.store.recorded
        if isinstance(event.payload, SecretRefusedV2)
    ]
    assert recorded == [
        (("quay.io/x:latest", "quay.io/y:latest"), False),
        (("docker.io/library/nginx:latest",), False),
    ]
    assert len(world.store.recorded) == 3
    assert world.issuing.issue(request("key"), asked).replayed
    with pytest.raises(NotIssued) as refused:
        world.issuing.issue(request(), replace(asked, images=asked.images[2:]))
    assert [refusal.index for refusal in refused.value.refusals] == [0, 1]


def test_a_credential_that_changes_at_every_attempt_is_reported(world: World) -> None:
    credential_id = world.add()
    world.store.every_time = True
    world.store.meanwhile = lambda: world.rotate(credential_id)
    with pytest.raises(StillChanging):
        world.issuing.issue(request(), WANTED)
    assert world.events() == []


def test_nothing_is_recorded_while_the_secret_store_is_unavailable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_path: SecretPath, _version: int) -> Secret:
        raise SecretStoreUnavailable("sealed", retry_after=7)

    world.add()
    monkeypatch.setattr(world.secrets, "get", away)
    with pytest.raises(SecretStoreUnavailable):
        world.issuing.issue(request(), WANTED)
    assert world.events() == []


def test_nothing_is_issued_when_the_outcome_of_the_record_is_unknown(world: World) -> None:
    world.add()
    world.store.lost = True
    with pytest.raises(OutcomeUnknown):
        world.issuing.issue(request("k"), WANTED)
    world.store.lost = False
    assert world.issuing.issue(request("k"), WANTED).replayed
    assert world.events() == [("issued", 1)]


def test_an_identity_token_is_refused_in_the_basic_format(world: World) -> None:
    world.add(login=RegistryLogin(username="<token>", identity_token=Secret("refresh")))
    assert world.issuing.issue(request(), WANTED).issued[0].login.identity_token == Secret("refresh")
    with pytest.raises(NotIssued) as refused:
        world.issuing.issue(request(), replace(WANTED, format="basic"))
    assert [refusal.reason for refusal in refused.value.refusals] == ["identity_token"]
    assert world.events() == [("issued", 1), ("refused", "identity_token")]


def test_a_repeated_request_returns_the_secret_and_is_recorded_once(world: World) -> None:
    world.add()
    first = world.issuing.issue(request("k"), WANTED)
    second = world.issuing.issue(request("k"), WANTED)
    assert (first.replayed, second.replayed) == (False, True)
    assert (second.issuance_id, second.version) == (first.issuance_id, first.version)
    assert passwords(first) == passwords(second) == ["old"]
    assert world.events() == [("issued", 1)]
    known = world.store.replay("acme", "k", b"f" * 32)
    assert known is not None
    assert "old" not in str(known.response)


def test_a_repeated_request_after_a_rotation_is_a_new_issuance(world: World) -> None:
    credential_id = world.add()
    first = world.issuing.issue(request("k"), WANTED)
    world.rotate(credential_id)
    second = world.issuing.issue(request("k"), WANTED)
    assert passwords(second) == ["new"]
    assert not second.replayed
    assert second.issuance_id != first.issuance_id
    assert world.events() == [("issued", 1), ("issued", 2)]


def test_a_repeated_request_after_a_restriction_is_refused(world: World) -> None:
    credential_id = world.add()
    world.issuing.issue(request("k"), WANTED)
    world.restrict(credential_id)
    with pytest.raises(NotIssued):
        world.issuing.issue(request("k"), WANTED)
    assert world.events() == [("issued", 1), ("refused", "no_eligible_credential")]


def test_a_request_with_the_same_key_can_succeed_after_a_refusal(world: World) -> None:
    with pytest.raises(NotIssued):
        world.issuing.issue(request("k"), WANTED)
    world.add()
    assert not world.issuing.issue(request("k"), WANTED).replayed
