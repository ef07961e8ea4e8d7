"""Access tokens of a service account from a fake Google that checks the assertion."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.secret import Secret
from registries.logins.registry_login import RegistryLogin
from registries.token_minter.minter import Endpoints, Minter
from registries.token_service import Minted, NotMinted
from tests.integration.token_minter.clouds import MovedClock, minted_or_not, minter
from tests.support.fake_clouds import ACCESS_TOKEN, google, oauth_error
from tests.support.fake_registry import Behaviour, FakeServer, Reply, always
from tests.support.keyfiles import keyfile, rsa_pem

HOST = "europe-docker.pkg.dev"
EMAIL = "deploy@acme.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"


def key(**changes: object) -> RegistryLogin:
    return RegistryLogin(username="_json_key", password=Secret(json.dumps(keyfile(**changes))))


def the_real_one(clock: MovedClock) -> Behaviour:
    private = load_pem_private_key(rsa_pem().encode(), None)
    assert isinstance(private, RSAPrivateKey)
    return google(private.public_key(), EMAIL, now=clock, audience=AUDIENCE)


def at(cloud: FakeServer, clock: MovedClock) -> Minter:
    return minter(Endpoints(google=f"http://{cloud.address}/token"), clock, cloud.address)


def test_a_key_file_is_exchanged_for_a_token_of_an_hour() -> None:
    clock = MovedClock()
    with FakeServer(the_real_one(clock)) as cloud:
        minted = at(cloud, clock).fresh(key(), registry_host=HOST, short_lived=True)
    assert minted.login == RegistryLogin(username="oauth2accesstoken", password=Secret(ACCESS_TOKEN))
    assert minted.expires_at == clock() + timedelta(seconds=3599)


def test_a_key_file_in_base64_or_without_token_uri_is_accepted() -> None:
    clock = MovedClock()
    text = base64.b64encode(json.dumps(keyfile(token_uri=None)).encode()).decode()
    login = RegistryLogin(username="_json_key_base64", password=Secret(text))
    with FakeServer(the_real_one(clock)) as cloud:
        assert isinstance(minted_or_not(at(cloud, clock), login, HOST, short_lived=True), Minted)


def test_a_key_file_is_used_as_a_login() -> None:
    made = minter(Endpoints(google="https://127.0.0.1:1/"), MovedClock())
    assert made.fresh(key(), registry_host=HOST).login == key()


def test_a_wrong_clock_is_reported() -> None:
    google_clock, ours = MovedClock(), MovedClock()
    ours.move(timedelta(minutes=10))
    with FakeServer(the_real_one(google_clock)) as cloud:
        failure = minted_or_not(at(cloud, ours), key(), HOST, short_lived=True)
    assert isinstance(failure, NotMinted)
    assert failure.code == "unreachable"
    assert "clock" in failure.detail


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (oauth_error(400, "invalid_grant", "Invalid JWT Signature."), "bad_credential"),
        (oauth_error(400, "invalid_grant", "Invalid grant: account not found"), "bad_credential"),
        (oauth_error(401, "deleted_client", "The OAuth client was deleted."), "bad_credential"),
        (oauth_error(401, "disabled_client", "The OAuth client was disabled."), "forbidden"),
        (oauth_error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."), "missing_scope"),
        (oauth_error(403, "access_denied", "Account restricted"), "forbidden"),
        (Reply(429), "rate_limited"),
        (Reply(503), "unreachable"),
        (Reply(200), "unreachable"),
        (Reply(200, body=b'{"access_token": "a\\u0007b", "expires_in": 3599}'), "unreachable"),
        (Reply(200, body=b'{"access_token": "x", "expires_in": "soon"}'), "unreachable"),
    ],
)  # fmt: skip
def test_refusals_of_google_have_their_codes(reply: Reply, code: str) -> None:
    with FakeServer(always(reply)) as cloud:
        failure = minted_or_not(at(cloud, MovedClock()), key(), HOST, short_lived=True)
    assert isinstance(failure, NotMinted)
    assert failure.code == code


@pytest.mark.parametrize(
    "uri",
    [
        "https://oauth2.googleapis.com.evil.example/token",
        "https://evil.example/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com@evil.example/token",
        "https://oauth2.googleapis.com:444/token",
        "http://169.254.169.254/token",
    ],
)
def test_an_assertion_is_sent_to_google_only(uri: str) -> None:
    failure = minted_or_not(minter(Endpoints(), MovedClock()), key(token_uri=uri), HOST, short_lived=True)
    assert isinstance(failure, NotMinted)
    assert failure.code == "blocked_host"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"client_email": 1}', "[" * 100_000])
def test_an_invalid_key_file_is_refused(text: str) -> None:
    login = RegistryLogin(username="_json_key", password=Secret(text))
    failure = minted_or_not(minter(Endpoints(), MovedClock()), login, HOST, short_lived=True)
    assert isinstance(failure, NotMinted)
    assert failure.code == "bad_credential"


def test_a_damaged_private_key_is_refused() -> None:
    failure = minted_or_not(minter(Endpoints(), MovedClock()), key(private_key="x"), HOST, short_lived=True)
    assert isinstance(failure, NotMinted)
    assert failure.code == "bad_credential"
