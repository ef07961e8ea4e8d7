"""Refresh tokens for a service principal from a fake Entra and a fake registry."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.secret import Secret
from registries.logins.cloud_keys import ServicePrincipal
from registries.logins.registry_login import RegistryLogin
from registries.providers import acr
from registries.token_minter.minter import Endpoints, Minter
from registries.token_service import NotMinted
from tests.integration.token_minter.clouds import PRINCIPAL, MovedClock, minted_or_not, minter
from tests.support.fake_clouds import azure as fake_azure
from tests.support.fake_clouds import entra_error, oauth_error, refresh_token
from tests.support.fake_registry import Behaviour, FakeServer, Reply, Seen, always


def real(clock: MovedClock) -> Behaviour:
    secret = PRINCIPAL.client_secret.reveal()
    return fake_azure(PRINCIPAL.tenant, PRINCIPAL.client_id, secret, now=clock)


def at(cloud: FakeServer, clock: MovedClock) -> Minter:
    return minter(Endpoints(azure=f"http://{cloud.address}"), clock, cloud.address)


def test_a_service_principal_is_exchanged_for_a_token_of_three_hours() -> None:
    clock = MovedClock()
    with FakeServer(real(clock)) as cloud:
        minted = at(cloud, clock).fresh(PRINCIPAL, registry_host=cloud.address)
        assert [seen.path for seen in cloud.seen] == ["/acme.example/oauth2/v2.0/token", "/oauth2/exchange"]
    assert minted.login == RegistryLogin(username=acr.USERNAME, password=Secret(refresh_token(clock())))
    assert minted.expires_at == clock() + timedelta(hours=3)


def test_a_token_without_expiry_is_accepted() -> None:
    clock = MovedClock()

    def opaque(seen: Seen) -> Reply:
        return Reply(200, body=b'{"access_token": "a", "refresh_token": "opaque"}')

    with FakeServer(opaque) as cloud:
        minted = at(cloud, clock).fresh(PRINCIPAL, registry_host=cloud.address)
    assert minted.expires_at == clock() + timedelta(hours=1)


@pytest.mark.parametrize(
    ("principal", "code"),
    [
        (replace(PRINCIPAL, client_secret=Secret("canary-wrong")), "bad_credential"),
        (replace(PRINCIPAL, client_id="00000000-1111-0000-0000-000000000000"), "bad_credential"),
        (replace(PRINCIPAL, tenant="other.example"), "bad_credential"),
    ],
)
def test_wrong_keys_are_refused(principal: ServicePrincipal, code: str) -> None:
    clock = MovedClock()
    with FakeServer(real(clock)) as cloud:
        failure = minted_or_not(at(cloud, clock), principal, cloud.address)
    assert isinstance(failure, NotMinted)
    assert failure.code == code


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (entra_error(7000222, "The provided client secret keys for app are expired."), "expired"),
        (entra_error(7000112, "Application is disabled.", "unauthorized_client", 400), "forbidden"),
        (entra_error(53003, "Access has been blocked by Conditional Access policies.", "access_denied", 400), "forbidden"),
        (oauth_error(400, "temporarily_unavailable", "try later"), "unreachable"),
        (Reply(429, (("Retry-After", "30"),)), "rate_limited"),
        (Reply(502), "unreachable"),
        (Reply(400), "forbidden"),
        (Reply(200), "unreachable"),
    ],
)  # fmt: skip
def test_refusals_of_the_login_have_their_codes(reply: Reply, code: str) -> None:
    with FakeServer(always(reply)) as cloud:
        failure = minted_or_not(at(cloud, MovedClock()), PRINCIPAL, cloud.address)
    assert isinstance(failure, NotMinted)
    assert failure.code == code


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401), "forbidden"),
        (Reply(403, body=b"client with IP '1.2.3.4' is not allowed access"), "forbidden"),
        (Reply(404), "not_a_registry"),
        (Reply(429), "rate_limited"),
        (Reply(500), "unreachable"),
        (Reply(200), "unreachable"),
    ],
)
def test_refusals_of_the_exchange_have_their_codes(reply: Reply, code: str) -> None:
    clock = MovedClock()
    login = real(clock)

    def answer(seen: Seen) -> Reply:
        if seen.path == "/oauth2/exchange":
            return reply
        answered = login(seen)
        assert isinstance(answered, Reply)
        return answered

    with FakeServer(answer) as cloud:
        failure = minted_or_not(at(cloud, clock), PRINCIPAL, cloud.address)
    assert isinstance(failure, NotMinted)
    assert failure.code == code
