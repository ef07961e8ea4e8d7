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

    def refused(self, token: str) -> None:
        self.callers.learn(headers(token), is_valid=False)


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


def test_tokens_that_are_not_known_are_one_caller_by_their_address() -> None:
    site = Site()
    site.learn("a", "acme")
    assert site.caller("one") == site.caller("two")
    assert site.caller("one") != site.caller("one", peer="10.0.0.2")
    assert site.caller("one") != site.caller("a")


def test_a_token_of_several_accounts_is_a_caller_for_each() -> None:
    site = Site()
    site.learn("both", "acme", "other")
    site.learn("a", "acme")
    assert site.caller("both", ACME) == site.caller("a", ACME)
    assert site.caller("both", OTHER) != site.caller("a", ACME)
    assert site.caller("both", "/v1/accounts/third/credentials") == site.caller("both", "/v1/system")


def test_the_tokens_used_least_recently_are_forgotten() -> None:
    site = Site()
    for number in range(10_000):
        site.learn(f"t{number}", "acme")
    site.learn("t0", "acme")
    site.learn("one more", "acme")
    known = site.caller("one more")
    assert [site.caller(name) == known for name in ("t0", "t1", "t2")] == [True, False, True]


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


def test_one_token_is_known_however_it_is_spelled() -> None:
    site = Site()
    site.learn("x", "acme")
    spellings = ("Bearer x", "bearer x", "Bearer  x ")
    found = {site.callers.caller({"AUTHORIZATION": each}, ACME, PEER) for each in spellings}
    assert found == {site.caller("x")}


def test_sessions_of_the_console_are_callers_of_their_own() -> None:
    callers = Site().callers
    for cookie in ("a", "b"):
        callers.learn({"COOKIE": cookie}, is_valid=True)
    first, second = (callers.caller({"COOKIE": cookie}, "/acme/audit", PEER) for cookie in ("a", "b"))
    assert first != second
