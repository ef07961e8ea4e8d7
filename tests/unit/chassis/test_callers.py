"""Who sent a request, before it is authenticated."""

from collections.abc import Hashable

from chassis.web.callers import Callers

PEER, PROXY = "10.0.0.1", "10.0.0.9"
ACME, OTHER = "/v1/accounts/acme/credentials", "/v1/accounts/other/credentials"


def headers(token: str) -> dict[str, str]:
    return {"AUTHORIZATION": f"Bearer {token}"}


class Site:
    """Callers whose proxy is `PROXY`, and the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.callers = Callers(self._client, monotonic=lambda: self.now)

    @staticmethod
    def _client(peer: str, forwarded: str) -> str:
        return forwarded if forwarded and peer == PROXY else peer

    def caller(self, token: str, path: str = ACME, *, peer: str = PEER) -> Hashable:
        return self.callers.caller(headers(token), path, peer)

    def learn(self, token: str, *accounts: str) -> None:
        self.callers.learn(headers(token), is_valid=True, accounts=frozenset(accounts) or None)

    def refused(self, token: str, *, peer: str = PEER) -> None:
        self.callers.learn(headers(token), is_valid=False)
        self.callers.end(headers(token), peer)


def test_tokens_of_an_account_are_one_caller_on_every_path() -> None:
    site = Site()
    for token in ("a", "b"):
        site.learn(token, "acme")
    found = {site.caller(token, path) for token in "ab" for path in (ACME, OTHER, "/v1/system")}
    assert len(found) == 1


def test_a_token_of_all_accounts_is_a_caller_for_each() -> None:
    site = Site()
    site.learn("platform")
    site.learn("a", "acme")
    assert site.caller("platform", ACME) == site.caller("a", ACME)
    assert site.caller("platform", OTHER) != site.caller("platform", ACME)


def test_a_token_that_is_not_known_uses_no_turns_of_an_account() -> None:
    site = Site()
    site.learn("a", "acme")
    account = site.caller("a")
    assert site.caller("made-up") != account
    site.refused("a")
    assert site.caller("a") != account


def test_tokens_of_nobody_are_one_caller_by_their_address() -> None:
    site = Site()
    site.learn("a", "acme")
    account = site.caller("a")
    assert site.caller("one") != site.caller("two"), "they may be valid"
    site.refused("one")
    assert site.caller("two") == site.caller("three")
    assert site.caller("two") != site.caller("two", peer="10.0.0.2"), "nothing is known of this address"
    assert site.caller("a") == account
    site.now += 10
    assert site.caller("two") != site.caller("three")


def test_tokens_that_are_valid_suspect_no_address() -> None:
    site = Site()
    for token in ("jwt 1", "jwt 2"):
        site.learn(token, "acme")
        site.callers.end(headers(token), PEER)
    assert site.caller("jwt 3") != site.caller("jwt 4")


def test_requests_without_a_token_are_one_caller_by_their_address() -> None:
    callers = Site().callers
    first, second = (callers.caller({}, "/docs", peer) for peer in (PEER, "10.0.0.2"))
    assert first != second
    assert first == callers.caller({}, "/openapi.json", PEER)


def test_the_address_is_that_of_the_client_of_a_proxy() -> None:
    callers = Site().callers
    through = {"X_FORWARDED_FOR": "203.0.113.9"}
    assert callers.caller(through, "/", PROXY) != callers.caller({}, "/", PROXY)
    assert callers.caller(through, "/", PEER) == callers.caller({}, "/", PEER)


def test_a_site_has_one_ipv6_address() -> None:
    callers = Site().callers
    first, same, other = ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")
    assert callers.caller({}, "/", first) == callers.caller({}, "/", same)
    assert callers.caller({}, "/", first) != callers.caller({}, "/", other)


def test_what_was_learnt_is_forgotten() -> None:
    site = Site()
    site.learn("a", "acme")
    account = site.caller("a")
    site.now += 60
    assert site.caller("a") != account


def test_one_token_is_one_caller_however_it_is_spelled() -> None:
    callers = Site().callers
    spellings = ("Bearer x", "bearer x", "Bearer  x ")
    assert len({callers.caller({"AUTHORIZATION": each}, ACME, PEER) for each in spellings}) == 1
    assert callers.caller({"COOKIE": "a"}, "/", PEER) != callers.caller({"COOKIE": "b"}, "/", PEER)
