"""The pull secret of a credential with cloud keys: a minted login and its expiry."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential_events import Registry, SecretKind
from contracts.issuance_events import SecretRefusedV2, Workload
from contracts.streams import issuance_stream
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.application.issuance import Issuer
from credentials.domain.issuance import NotIssued, PullSecretRequest
from credentials.domain.pull_secret_formats import docker_config
from eventlog.events import Actor
from registries.image_reference import ImageReference
from registries.input.keyfile import read_keyfile
from registries.input.new_secret import NewSecret
from registries.logins.cloud_keys import StoredLogin
from registries.token_minter.minter import Endpoints
from registries.token_service import NotMinted
from tests.integration.token_minter.clouds import AWS, ECR_HOST, MovedClock, minter
from tests.support.builders import EVERYBODY, details
from tests.support.fake_clouds import ACCESS_TOKEN, ECR_PASSWORD, aws_error, ecr
from tests.support.fake_registry import FakeServer, Raw, Reply, Seen
from tests.support.keyfiles import keyfile
from tests.support.memory_credentials import MemoryCredentialStore
from tests.support.memory_secretstore import MemorySecretStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Account:
    """An account on the in-memory adapters, and a cloud whose answers a test can change."""

    def __init__(self, cloud: FakeServer, clock: MovedClock) -> None:
        numbers = count(1)

        def new_id() -> UUID:
            return UUID(int=next(numbers))

        store, secrets = MemoryCredentialStore(), MemorySecretStore()
        endpoints = Endpoints(amazon=f"http://{cloud.address}/", google=f"http://{cloud.address}/")
        self.cloud = cloud
        self.events = store.events
        self.credentials = Credentials(store, secrets, secret_fingerprint=lambda _: "ab" * 16, new_id=new_id)
        self.issuing = Issuer(store, secrets, minter(endpoints, clock, cloud.address), new_id=new_id)

    def add(self, provider: str, host: str, kind: SecretKind, login: StoredLogin) -> None:
        registry = Registry(provider=provider, host=host, location=None)
        secret = NewSecret(registry=registry, kind=kind, login=login)
        self.credentials.add(request(), secret, details(provider), EVERYBODY)


def request() -> CommandRequest:
    return CommandRequest(
        account_id="acme",
        actor=Actor(type="service", id="svc", name="a service"),
        now=NOW,
        request_id="r-1",
        key=None,
    )


def wanted(image: str, *, short_lived: bool = False) -> PullSecretRequest:
    return PullSecretRequest(
        images=(ImageReference.parse(image),),
        project_id="shop",
        workload=Workload(kind="deployment", name="storefront"),
        format="docker_config",
        allow_anonymous=False,
        short_lived=short_lived,
    )


@pytest.fixture
def account() -> Iterator[Account]:
    clock = MovedClock()
    good = ecr(AWS, now=clock)

    def answer(seen: Seen) -> Reply | Raw:
        if "x-amz-target" in seen.headers:
            return good(seen)
        return Reply(200, body=f'{{"access_token": "{ACCESS_TOKEN}", "expires_in": 3599}}'.encode())

    with FakeServer(answer) as cloud:
        yield Account(cloud, clock)


def test_a_pull_secret_has_amazons_password_in_place_of_the_keys(account: Account) -> None:
    account.add("ecr", ECR_HOST, "aws_keys", AWS)
    for _ in range(3):
        given = account.issuing.issue(request(), wanted(f"{ECR_HOST}/shop"))
        [one] = given.issued
        assert one.expires_at == NOW + timedelta(hours=12)
        [entry] = docker_config(given.issued)["auths"].values()
        assert (entry["username"], entry["password"]) == ("AWS", ECR_PASSWORD)
        assert "canary" not in str(docker_config(given.issued))
    assert len(account.cloud.seen) == 1


def test_a_pull_secret_has_googles_token_on_request_only(account: Account) -> None:
    account.add("gar", "europe-docker.pkg.dev", "keyfile", read_keyfile(keyfile()))
    image = "europe-docker.pkg.dev/acme/images/shop"
    [issued] = account.issuing.issue(request(), wanted(image)).issued
    assert (issued.login.username, issued.expires_at) == ("_json_key", None)
    [made] = account.issuing.issue(request(), wanted(image, short_lived=True)).issued
    assert made.login.username == "oauth2accesstoken"
    assert made.login.password == Secret(ACCESS_TOKEN)
    assert made.expires_at == NOW + timedelta(seconds=3599)


def test_refused_keys_are_recorded_as_a_refusal(account: Account) -> None:
    account.add("ecr", ECR_HOST, "aws_keys", AWS)
    account.cloud.behaviour = lambda _: aws_error(400, "UnrecognizedClientException", "invalid")
    with pytest.raises(NotIssued) as refused:
        account.issuing.issue(request(), wanted(f"{ECR_HOST}/shop"))
    assert [refusal.reason for refusal in refused.value.refusals] == ["login_refused"]
    [event] = account.events.load(issuance_stream(refused.value.issuance_id))
    assert isinstance(event.payload, SecretRefusedV2)
    assert event.payload.reason == "login_refused"


def test_an_unreachable_cloud_is_no_refusal(account: Account) -> None:
    account.add("ecr", ECR_HOST, "aws_keys", AWS)
    account.cloud.behaviour = lambda _: Reply(503, (("Retry-After", "20"),))
    with pytest.raises(NotMinted) as failure:
        account.issuing.issue(request(), wanted(f"{ECR_HOST}/shop"))
    assert (failure.value.refused, failure.value.retry_after) == (False, 20)
