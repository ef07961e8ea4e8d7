"""Any response of a registry leads to a verdict, and the password is sent only where `check_realm` permits."""

import json
import re
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registries.dialer.errors import BadChallenge, Blocked
from registries.protocol.realm import check_realm
from tests.integration.verifier.attempts import PASSWORD, USER, attempt, loopback
from tests.support.fake_registry import (
    MARK,
    TOKEN,
    FakeServer,
    Raw,
    Reply,
    Seen,
    basic_of,
    tokens_for_anybody,
)

NOBODY_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: reading the machine's takes a while
HOSTS = ["reg.example.com", "auth.example.com", "example.com", "evil.example", "127.0.0.1", "127.0.0.2", "localhost",
         "2130706433", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "example.com.evil.example"]  # fmt: skip
PIECES = ["https://", "http://", "//", "/", "@", ":", "#", "?", "\\", "%2f", "%23", ".", ";", "&", "[", "]", " ", "u:p@", "token",
          ":PORT", ":OTHER", *HOSTS]  # fmt: skip
REALMS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join) | st.builds(
    "{}{}{}{}/t".format,
    st.sampled_from(["https://", "http://", "//"]),
    st.sampled_from(["", "u:p@", "reg.example.com@", "reg.example.com#@", "auth.example.com\\@"]),
    st.sampled_from(HOSTS),
    st.sampled_from(["", ":PORT", ":OTHER", ":443", ":0", "."]),
)
TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\x00"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.sampled_from([TOKEN, "DENIED", 7]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["token", "access_token", "errors", "code", "message"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


class Pair:
    """A registry whose responses are set by each example, and a server that it directs clients to."""

    def __init__(self) -> None:
        self.answers: list[Reply | Raw] = []
        self.realm = ""
        self.registry = FakeServer(self.answer)
        self.other = FakeServer(tokens_for_anybody)

    def answer(self, seen: Seen) -> Reply | Raw:
        if self.answers:
            return self.answers.pop(0)
        if seen.path != "/v2/":
            return tokens_for_anybody(seen)
        return Reply(401, (("WWW-Authenticate", f'Bearer realm="{self.realm}",service="{MARK}"'),))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    with made.registry, made.other:
        yield made


@settings(deadline=None)  # `attempt` has its own
@given(REALMS)
def test_the_password_is_sent_only_to_permitted_realms(pair: Pair, realm: str) -> None:
    pair.realm = realm.replace(":PORT", f":{pair.registry.port}").replace(":OTHER", f":{pair.other.port}")
    pair.registry.seen.clear()
    before = pair.other.connections
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    address = f"reg.example.com:{pair.registry.port}"
    policy = loopback(address)
    attempt(address, policy=policy, resolver=resolve, tls=NOBODY_TRUSTED)
    try:
        check_realm(re.sub(r"\\(.)", r"\1", pair.realm), registry_url=f"http://{address}/v2/", policy=policy)
    except (Blocked, BadChallenge):
        assert set(asked) == {"reg.example.com"}
        assert [seen.authorization for seen in pair.registry.seen] == [None]
        assert pair.other.connections == before
    for seen in pair.registry.seen:
        assert seen.authorization in (None, basic_of(USER, PASSWORD), f"Bearer {TOKEN}")
        assert seen.target != "/v2/" or seen.authorization != basic_of(USER, PASSWORD)


REPLIES = st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 301, 302, 400, 401, 401, 401, 403, 404, 405, 418, 429, 500, 503]),
    st.lists(
        st.tuples(
            st.sampled_from(["WWW-Authenticate", "Retry-After", "Location", "Content-Type", "X"]),
            TEXT
            | st.sampled_from(
                ['Bearer realm="/t"', 'Basic realm="x"', "Bearer realm=/t,scope=a", "text/html"]
            ),
        ),
        max_size=4,
    ).map(tuple),
    st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()),
)
RAW = st.builds(
    lambda head, tail: Raw([head, tail]),
    st.sampled_from(
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\n", b"HTTP/"]
    ),
    st.binary(max_size=60),
)


@settings(deadline=None)
@given(st.lists(REPLIES | RAW, min_size=1, max_size=8))
def test_every_conversation_ends_with_a_verdict(pair: Pair, answers: list[Reply | Raw]) -> None:
    pair.answers, pair.realm = list(answers), "/token"
    attempt(pair.registry.address, tls=NOBODY_TRUSTED)
