"""JWTs of trusted issuers: which are accepted, and for which rights."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chassis.authentication.errors import IssuerUnavailable
from chassis.authentication.issuer_keys import MAX_AGE_SECONDS, WAITING_THREADS
from chassis.authentication.issuers import IssuedTokens, trusted_issuers
from chassis.authentication.key_sources import FileKeys, UrlKeys
from chassis.authentication.tokens import TokenScope
from chassis.runtime.clock import now
from chassis.settings.invalid_setting import InvalidSetting
from tests.support.timing import PATIENCE, waiting

ISSUER = "https://issuer.example.com"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwks(**keys: Any) -> str:
    found = []
    for key_id, key in keys.items():
        algorithm = (
            jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
        )
        found.append(json.loads(algorithm.to_jwk(key.public_key())) | {"kid": key_id, "use": "sig"})
    return json.dumps({"keys": found})


def claims(**changes: Any) -> dict[str, Any]:
    made = {
        "iss": ISSUER,
        "aud": "regcred",
        "sub": "deployer",
        "exp": datetime.now(UTC) + timedelta(minutes=5),  # noqa: TID251 the library compares with this clock
        "scope": "credentials:read secrets:issue openid",
        "regcred_accounts": ["acme"],
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def token(key: Any = RSA, algorithm: str = "RS256", key_id: str = "one", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": key_id})


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(jwks(one=RSA, two=EC))
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issued(keys: Path, clock: Clock) -> IssuedTokens:
    return IssuedTokens({ISSUER: FileKeys(keys)}, monotonic=clock, now=now)


def test_a_valid_token_grants_the_scopes_accounts_and_projects_that_it_names(issued: IssuedTokens) -> None:
    found = issued.authenticate(token(name="The deployer", regcred_projects=["shop"]))
    assert found is not None
    assert found.id == f"{ISSUER}#deployer"
    assert found.name == "The deployer"
    assert found.scopes == {TokenScope.CREDENTIALS_READ, TokenScope.SECRETS_ISSUE}
    assert found.may_in_account("acme")
    assert not found.may_in_account("other")
    assert found.may_in_project("shop")
    assert not found.may_in_project(None)


def test_a_token_can_name_all_accounts_or_none(issued: IssuedTokens) -> None:
    every = issued.authenticate(token(EC, "ES256", "two", regcred_accounts=["*"]))
    assert every is not None
    assert every.may_in_account("any")
    none = issued.authenticate(token(regcred_accounts=[]))
    assert none is not None
    assert not none.may_in_account("acme")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c",
        "x" * 9000,
        token(OTHER),
        token(key_id="unknown"),
        token(iss="https://stranger.example.com"),
        token(aud="another-service"),
        token(aud=None),
        token(exp=None),
        token(exp=datetime(2020, 1, 1, tzinfo=UTC)),
        token(nbf=datetime(2090, 1, 1, tzinfo=UTC)),
        token(sub=None),
        token(sub="two\nlines"),
        token(sub="x" * 201),
        token(regcred_accounts=None),
        token(regcred_accounts="acme"),
        token(regcred_projects="shop"),
        jwt.encode(claims(), "", algorithm="none"),
        jwt.encode(
            claims(), "a-shared-secret-of-thirty-two-bytes", algorithm="HS256", headers={"kid": "one"}
        ),
        token()[:-4] + "AAAA",
    ],
)
def test_an_invalid_token_is_not_authenticated(issued: IssuedTokens, text: str) -> None:
    assert issued.authenticate(text) is None


def test_a_new_key_is_loaded_and_a_removed_key_is_dropped(
    issued: IssuedTokens, keys: Path, clock: Clock
) -> None:
    assert issued.authenticate(token())
    keys.write_text(jwks(three=OTHER))
    assert issued.authenticate(token(OTHER, key_id="three")) is None  # the last lookup is recent
    clock.seconds += 6
    assert issued.authenticate(token(OTHER, key_id="three"))
    assert issued.authenticate(token()) is None
    keys.write_text(jwks(one=RSA))
    clock.seconds += 301
    assert issued.authenticate(token(OTHER, key_id="three")) is None


def test_unreadable_keys_and_an_unknown_issuer_are_different_errors(issued: IssuedTokens, keys: Path) -> None:
    keys.unlink()
    with pytest.raises(IssuerUnavailable):
        issued.authenticate(token())
    assert issued.authenticate(token(iss="https://stranger.example.com")) is None


def test_the_setting_of_trusted_issuers_is_parsed() -> None:
    found = trusted_issuers(f" {ISSUER}=/etc/jwks.json, https://b.example=https://b.example/keys?a=b ")
    assert found == {
        ISSUER: FileKeys(Path("/etc/jwks.json")),
        "https://b.example": UrlKeys("https://b.example/keys?a=b"),
    }
    assert trusted_issuers("a=http://127.0.0.1:9/keys") == {"a": UrlKeys("http://127.0.0.1:9/keys")}


@pytest.mark.parametrize(
    "wrong",
    [
        "nothing",
        "=x",
        "a=",
        "a=http://far.example/keys",
        "a=ftp://far.example/keys",
        "a=http://127.0.0.1.evil.example/keys",
        "a=http://localhost.evil.example/keys",
        "a=http://localhost@evil.example/keys",
        "a=http://127.0.0.1:80@evil.example/keys",
        "a=http://evil.example#@127.0.0.1/keys",
        "a=http://evil.example\\@127.0.0.1/keys",
        "a=http://127.0.0.1\t.evil.example/keys",
        "a=http://127.1/keys",
        "a=https://user:password@issuer.example/keys",
        "a=https://user@issuer.example/keys",
        "a=https://[::1/keys",
        "a=https://issuer.example:0/keys",
        "a=https://issuer.example:99999/keys",
        "a=https:///keys",
    ],
)
def test_an_issuer_that_could_be_another_host_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidSetting):
        trusted_issuers(wrong)


class HungKeys:
    """A source that does not respond within its timeout."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reads = 0

    def read(self) -> jwt.PyJWKSet:
        self.reads += 1
        self.clock.seconds += 5
        raise IssuerUnavailable


def test_an_issuer_that_does_not_respond_is_not_asked_by_each_request(clock: Clock) -> None:
    source = HungKeys(clock)
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    for _ in range(9):
        with pytest.raises(IssuerUnavailable):
            issued.authenticate(token())
    assert source.reads == 1


class ControlledKeys:
    """A source that responds when it is released: with these keys, or not at all."""

    def __init__(self, keys: str | None) -> None:
        self.keys = keys
        self.released = Event()
        self.reads = 0

    def read(self) -> jwt.PyJWKSet:
        self.reads += 1
        self.released.wait(PATIENCE)
        if self.keys is None:
            raise IssuerUnavailable
        return jwt.PyJWKSet.from_json(self.keys)


def test_few_threads_wait_for_an_issuer_that_does_not_respond(clock: Clock) -> None:
    source = ControlledKeys(None)
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    with ThreadPoolExecutor(3 * WAITING_THREADS) as threads:
        requests = [threads.submit(issued.authenticate, token()) for _ in range(3 * WAITING_THREADS)]
        waiting(lambda: sum(request.done() for request in requests) >= 2 * WAITING_THREADS)
        assert source.reads == 1
        source.released.set()
        assert {type(request.exception()) for request in requests} == {IssuerUnavailable}
    assert source.reads == 1


def test_failed_reads_are_repeated_more_and_more_seldom(clock: Clock) -> None:
    source = ControlledKeys(None)
    source.released.set()
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    for _ in range(300):
        with pytest.raises(IssuerUnavailable):
            issued.authenticate(token())
        clock.seconds += 1
    assert 5 <= source.reads <= 9
    source.keys = jwks(one=RSA)
    clock.seconds += 60
    assert issued.authenticate(token())


def test_known_keys_are_used_for_an_hour_while_the_issuer_is_away(clock: Clock) -> None:
    source = ControlledKeys(jwks(one=RSA))
    source.released.set()
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    assert issued.authenticate(token())
    source.keys = None
    for _ in range(5):
        clock.seconds += MAX_AGE_SECONDS / 6
        assert issued.authenticate(token())
        with pytest.raises(IssuerUnavailable):  # the issuer may have such a key in the meantime
            issued.authenticate(token(key_id="new"))
    clock.seconds += MAX_AGE_SECONDS / 6
    with pytest.raises(IssuerUnavailable):
        issued.authenticate(token())


def test_unknown_key_ids_cause_one_read_in_an_interval(clock: Clock) -> None:
    source = ControlledKeys(jwks(one=RSA))
    source.released.set()
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    for number in range(100):
        assert issued.authenticate(token(OTHER, key_id=str(number))) is None
    assert source.reads == 1
    clock.seconds += 5
    for number in range(100):
        assert issued.authenticate(token(OTHER, key_id=str(number))) is None
    assert source.reads == 2


def test_tokens_that_cannot_be_valid_cause_no_read(clock: Clock) -> None:
    source = ControlledKeys(jwks(one=RSA))
    source.released.set()
    issued = IssuedTokens({ISSUER: source}, monotonic=clock, now=now)
    signed = token()
    for text in (
        jwt.encode(claims(), "", algorithm="none", headers={"kid": "one"}),
        jwt.encode(
            claims(), "a-shared-secret-of-thirty-two-bytes", algorithm="HS256", headers={"kid": "one"}
        ),
        signed.rpartition(".")[0] + ".",
        token(iss="https://stranger.example.com"),
        "a.b.c",
    ):
        assert issued.authenticate(text) is None
    assert source.reads == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"regcred_accounts": ["*", "acme"]},
        {"regcred_accounts": ["../x"]},
        {"regcred_accounts": ["acme", ""]},
        {"regcred_accounts": ["acme\n"]},
        {"regcred_accounts": [["acme"]]},
        {"regcred_projects": ["*"]},
        {"regcred_projects": ["a/b"]},
        {"exp": 10**18},
        {"exp": 1e300},
    ],
    ids=repr,
)
def test_a_token_with_ids_or_times_that_cannot_exist_is_not_authenticated(
    issued: IssuedTokens, changes: dict[str, Any]
) -> None:
    assert issued.authenticate(token()) is not None
    assert issued.authenticate(token(**changes)) is None


def test_a_principal_expires_with_its_token(issued: IssuedTokens) -> None:
    expires_at = now().replace(microsecond=0) + timedelta(minutes=7)
    found = issued.authenticate(token(exp=expires_at))
    assert found is not None
    assert found.expires_at == expires_at


def test_a_token_that_lives_longer_than_the_setting_allows_is_not_authenticated(keys: Path) -> None:
    issued = IssuedTokens(
        {ISSUER: FileKeys(keys)}, monotonic=Clock(), now=now, longest_life=timedelta(days=1)
    )
    assert issued.authenticate(token(exp=now() + timedelta(hours=23))) is not None
    assert issued.authenticate(token(exp=now() + timedelta(hours=25))) is None
