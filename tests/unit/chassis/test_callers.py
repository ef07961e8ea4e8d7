"""Who sent a request, before it is authenticated."""

from chassis.authentication.tokens import Principal
from chassis.web.callers import Callers

ACME, OTHER = "/v1/accounts/acme/credentials", "/v1/accounts/other/credentials"


def headers(token: str) -> dict[str, str]:
    return {"AUTHORIZATION": f"Bearer {token}"}


def principal(*accounts: str) -> Principal:
    return Principal(
        id="t", name="t", scopes=frozenset(), accounts=frozenset(accounts) or None, projects=None
    )


def test_tokens_of_an_account_are_one_caller_on_every_path() -> None:
    callers = Callers()
    for token in ("a", "b"):
        callers.learn(headers(token), principal("acme"))
    found = {callers.caller(headers(token), path) for token in "ab" for path in (ACME, OTHER, "/v1/system")}
    assert len(found) == 1


def test_a_token_of_all_accounts_is_a_caller_for_each() -> None:
    callers = Callers()
    callers.learn(headers("platform"), principal())
    callers.learn(headers("a"), principal("acme"))
    assert callers.caller(headers("platform"), ACME) == callers.caller(headers("a"), ACME)
    assert callers.caller(headers("platform"), OTHER) != callers.caller(headers("platform"), ACME)


def test_a_token_that_is_not_known_uses_no_turns_of_an_account() -> None:
    callers = Callers()
    callers.learn(headers("a"), principal("acme"))
    account = callers.caller(headers("a"), ACME)
    assert callers.caller(headers("made-up"), ACME) != account
    callers.learn(headers("a"), None)
    assert callers.caller(headers("a"), ACME) != account


def test_what_was_learnt_is_forgotten() -> None:
    now = [0.0]
    callers = Callers(monotonic=lambda: now[0])
    callers.learn(headers("a"), principal("acme"))
    account = callers.caller(headers("a"), ACME)
    now[0] = 60.0
    assert callers.caller(headers("a"), ACME) != account


def test_one_token_is_one_caller_however_it_is_spelled() -> None:
    callers = Callers()
    spellings = ("Bearer x", "bearer x", "Bearer  x ")
    assert len({callers.caller({"AUTHORIZATION": each}, ACME) for each in spellings}) == 1
    assert callers.caller({"COOKIE": "a"}, "/") != callers.caller({"COOKIE": "b"}, "/")
