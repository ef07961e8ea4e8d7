"""Service tokens: composed, parsed, and recognised only when they are complete."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.authentication.tokens import Principal, StoredToken, TokenScope, compose, parse, recognise
from chassis.secret import Secret

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SCANNERS = re.compile(r"rgcs_[0-9A-Za-z]{9}_[0-9A-Za-z]{49}")
randomness = st.binary(min_size=38, max_size=38)


def digest(token: Secret) -> bytes:
    return token.reveal().encode()


def stored(token: Secret, **fields: object) -> StoredToken:
    made: dict[str, object] = {
        "token_id": token.reveal()[5:14],
        "name": "deploy",
        "hash": digest(token),
        "scopes": frozenset({TokenScope.CREDENTIALS_READ}),
        "accounts": frozenset({"acme"}),
        "projects": None,
        "created_at": NOW,
        "created_by": "svc",
        "expires_at": None,
    }
    return StoredToken(**{**made, **fields})  # type: ignore[arg-type]


def recognised(token: Secret, stored_token: StoredToken, now: datetime = NOW) -> Principal | None:
    parsed = parse(token.reveal())
    assert parsed is not None
    return recognise(parsed, stored_token, keyed_hash=digest, now=now)


@given(randomness)
def test_a_composed_token_is_parsed(data: bytes) -> None:
    token_id, token = compose(data)
    text = token.reveal()
    assert len(text) == 64
    assert SCANNERS.fullmatch(text)
    parsed = parse(text)
    assert parsed is not None
    assert parsed.token_id == token_id
    assert parsed.secret == token
    assert text not in repr(parsed)


@given(randomness, randomness)
def test_different_randomness_gives_different_tokens(one: bytes, other: bytes) -> None:
    assert (compose(one)[1] == compose(other)[1]) == (one == other)
    assert (compose(one)[0] == compose(other)[0]) == (one[:6] == other[:6])


@given(randomness, st.integers(0, 63), st.sampled_from("0123456789AZaz_-. é٣"))
def test_a_token_with_a_wrong_letter_is_not_parsed(data: bytes, place: int, letter: str) -> None:
    text = compose(data)[1].reveal()
    mistyped = text[:place] + letter + text[place + 1 :]
    assert (parse(mistyped) is not None) == (mistyped == text)


@given(randomness, st.integers(14, 62))
def test_a_token_with_two_swapped_letters_is_not_parsed(data: bytes, place: int) -> None:
    text = compose(data)[1].reveal()
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert (parse(swapped) is not None) == (swapped == text)


@given(st.text(max_size=80))
def test_text_that_is_not_a_token_is_not_parsed(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("change", ["{} ", " {}", "{}\n", "Bearer {}", "{}{}", "", "\0{}"])
def test_a_token_with_additional_text_is_not_parsed(change: str) -> None:
    text = compose(bytes(range(38)))[1].reveal()
    assert parse(change.replace("{}", text)) is None
    assert parse(text[:-1]) is None
    assert parse(text.swapcase()) is None


@pytest.mark.parametrize("size", [0, 37, 39])
def test_a_token_needs_exactly_38_bytes_of_randomness(size: int) -> None:
    with pytest.raises(ValueError, match="38"):
        compose(b"x" * size)


@pytest.mark.parametrize("data", [b"\0" * 38, b"\xff" * 38], ids=["least", "most"])
def test_the_lowest_and_highest_randomness_give_the_same_format(data: bytes) -> None:
    assert SCANNERS.fullmatch(compose(data)[1].reveal())


def test_a_valid_token_gives_its_principal() -> None:
    token = compose(b"a" * 38)[1]
    principal = recognised(token, stored(token))
    assert principal is not None
    assert (principal.name, principal.accounts, principal.projects) == ("deploy", frozenset({"acme"}), None)


def test_a_token_with_another_secret_is_not_recognised() -> None:
    one, other = compose(b"a" * 6 + b"1" * 32)[1], compose(b"a" * 6 + b"2" * 32)[1]
    assert recognised(other, stored(one)) is None


@pytest.mark.parametrize(
    ("expires", "good"), [(None, True), (timedelta(microseconds=1), True), (timedelta(0), False)]
)
def test_an_expired_token_is_not_recognised(expires: timedelta | None, good: bool) -> None:
    token = compose(b"a" * 38)[1]
    ends = None if expires is None else NOW + expires
    assert (recognised(token, stored(token, expires_at=ends)) is not None) == good


def test_a_revoked_token_is_not_recognised() -> None:
    token = compose(b"a" * 38)[1]
    assert recognised(token, stored(token, revoked_at=NOW)) is None
    assert recognised(token, stored(token, revoked_at=NOW + timedelta(days=1))) is None


def test_only_the_admin_scope_includes_the_other_scopes() -> None:
    for held in TokenScope:
        principal = stored(compose(b"a" * 38)[1], scopes=frozenset({held})).principal()
        for wanted in TokenScope:
            assert principal.may(wanted) == (held in {wanted, TokenScope.ADMIN})


def test_a_principal_is_limited_to_its_accounts_and_projects() -> None:
    principal = stored(
        compose(b"a" * 38)[1], accounts=frozenset({"acme"}), projects=frozenset({"shop"})
    ).principal()
    assert principal.may_in_account("acme")
    assert not principal.may_in_account("acme2")
    assert principal.may_in_project("shop")
    assert not principal.may_in_project("other")
    assert not principal.may_in_project(None)
    nowhere = stored(compose(b"a" * 38)[1], accounts=frozenset(), projects=frozenset()).principal()
    assert not nowhere.may_in_account("acme")
    assert not nowhere.may_in_project(None)
    anywhere = stored(compose(b"a" * 38)[1], accounts=None).principal()
    assert anywhere.may_in_account("whatever")
    assert anywhere.may_in_project(None)
