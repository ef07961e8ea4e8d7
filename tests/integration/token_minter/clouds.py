"""What the tests of minting share: keys, a clock that tests move, and a minter that may reach the loopback."""

import ssl
from datetime import UTC, datetime, timedelta

from chassis.secret import Secret
from registries.dialer.addresses import NetworkPolicy
from registries.logins.cloud_keys import AwsKeys, ServicePrincipal, StoredLogin
from registries.token_minter.minter import Endpoints, Minter
from registries.token_minter.token_calls import TokenCalls
from registries.token_service import Minted, NotMinted
from tests.support.timing import PATIENCE

ECR_HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
AWS = AwsKeys(access_key_id="AKIAEXAMPLE", secret_access_key=Secret("canary-aws-secret"))
PRINCIPAL = ServicePrincipal(
    tenant="acme.example",
    client_id="7f1d6c8e-3b52-4c59-9d4e-5a1b2c3d4e5f",
    client_secret=Secret("canary-client-secret"),
)


class MovedClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


def minter(endpoints: Endpoints, clock: MovedClock, *http: str, seconds: float = PATIENCE) -> Minter:
    policy = NetworkPolicy.parse("127.0.0.0/8", ",".join(http))
    return Minter(TokenCalls(policy, ssl.create_default_context(), seconds=seconds), endpoints, now=clock)


def minted_or_not(
    made: Minter, stored: StoredLogin, host: str, *, short_lived: bool = False
) -> Minted | NotMinted:
    """The result; a refusal must contain no secret and no text of a cloud."""
    try:
        return made.fresh(stored, registry_host=host, short_lived=short_lived)
    except NotMinted as error:
        failure = error
    for part in ("canary", "sent-by-the-registry", "AKIA", "Trace ID"):
        assert part not in failure.detail
    assert 0 < len(failure.detail) <= 300
    return failure
