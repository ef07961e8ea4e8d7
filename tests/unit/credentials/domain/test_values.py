from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import is_platform_id
from chassis.invalid_input import InvalidInput
from credentials.domain import values

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def problems(parse: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        parse()
    return [(problem.pointer, problem.code) for problem in refused.value.problems]


@pytest.mark.parametrize("name", ["abc", "a-b", "a b", "Team GHCR", "team-ghcr-2", "x" * 39, "a1-b2 c3"])
def test_valid_names_are_accepted(name: str) -> None:
    assert values.credential_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "x" * 40,
        "1abc",
        "-abc",
        " abc",
        "abc ",
        "abc-",
        "a--b",
        "a  b",
        "a- b",
        "a_b",
        "äbc",
        "abc\n",
    ],
)
def test_invalid_names_are_refused(name: str) -> None:
    assert problems(lambda: values.credential_name(name)) == [("/name", "invalid_name")]


@pytest.mark.parametrize("given", ["acme", "acme-2", "A", "0", "a" * 63])
def test_valid_platform_ids_are_accepted(given: str) -> None:
    assert is_platform_id(given)


@pytest.mark.parametrize("given", ["", "-a", "a" * 64, "a_b", "a/b", "é", "a\n"])
def test_invalid_platform_ids_are_refused(given: str) -> None:
    assert not is_platform_id(given)


def test_prefixes_are_sorted_without_duplicates() -> None:
    assert values.repository_prefixes(["shop/", "acme/api", "shop/"], "ghcr.io") == ("acme/api", "shop/")
    assert values.repository_prefixes([], "ghcr.io") == ()


def test_every_invalid_prefix_is_reported() -> None:
    given = ["ok/", "/leading", "Upper/", "a//b", "ok", "../x", ""]
    assert [pointer for pointer, _ in problems(lambda: values.repository_prefixes(given, "ghcr.io"))] == [
        f"/repository_prefixes/{index}" for index in (1, 2, 3, 5, 6)
    ]


def test_too_many_prefixes_are_refused() -> None:
    assert problems(lambda: values.repository_prefixes(["a/"] * 51, "ghcr.io")) == [
        ("/repository_prefixes", "too_many")
    ]


def test_restrictions_are_sorted_and_checked() -> None:
    assert values.restrictions(restricted=True, projects=["b", "a", "b"]).projects == ("a", "b")
    assert values.restrictions(restricted=True, projects=[]).restricted
    assert problems(lambda: values.restrictions(restricted=False, projects=["a"])) == [
        ("/restrictions/projects", "not_restricted")
    ]
    assert problems(lambda: values.restrictions(restricted=True, projects=["a", "no way"], pointer="")) == [
        ("/projects/1", "invalid_project")
    ]


def test_an_empty_scope_is_refused() -> None:
    assert problems(lambda: values.scope(pull=False, push=False)) == [("/scope", "empty_scope")]


def test_a_past_expiry_is_refused() -> None:
    assert values.expiry(None, now=NOW) is None
    assert values.expiry(NOW + timedelta(seconds=1), now=NOW) == NOW + timedelta(seconds=1)
    assert problems(lambda: values.expiry(NOW, now=NOW)) == [("/expires_at", "in_the_past")]


def test_descriptions_and_reasons_are_checked() -> None:
    assert values.description("two\nlines") == "two\nlines"
    assert problems(lambda: values.description("x" * 501)) == [("/description", "too_long")]
    assert problems(lambda: values.description("bell\a")) == [("/description", "invalid_characters")]
    assert values.reason("") is None
    assert problems(lambda: values.reason("two\nlines")) == [("/reason", "invalid_reason")]
