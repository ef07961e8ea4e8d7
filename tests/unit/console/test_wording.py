"""Every code of the API has a text, and times are written relative to now."""

from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

import pytest

import contracts
from console import wording
from contracts.credential_events import WhyDiscarded
from contracts.verdicts import VerificationCode, VerificationStatus
from eventlog.events import EVENTS
from registries.catalogue import PROVIDERS
from registries.matching import IneligibleReason, RankReason, SelectionReason
from registries.provider import Provider

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_every_code_of_the_services_has_a_text() -> None:
    assert set(wording.MEANING) == {code.value for code in VerificationCode}
    for module in iter_modules(contracts.__path__):
        import_module(f"contracts.{module.name}")  # each registers its events
    assert set(wording.ACTION) == {kind.name for kind in EVENTS.all_types()}
    assert set(wording.DISCARDED) == set(get_args(get_args(WhyDiscarded)[0]))
    assert set(wording.STATUS) == {status.value for status in VerificationStatus}
    assert set(wording.CANDIDATE) == {*map(str, RankReason), *map(str, IneligibleReason)}
    assert set(wording.SELECTED) == set(map(str, SelectionReason))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-24T12:00:00Z", "just now"),
        ("2026-11-24T11:59:30.123456Z", "just now"),
        ("2026-11-24T12:00:30Z", "in a moment"),
        ("2026-11-24T11:58:59Z", "1 minute ago"),
        ("2026-11-24T09:00:00Z", "3 hours ago"),
        ("2026-11-20T11:00:00+00:00", "4 days ago"),
        ("2026-12-10T00:00:00Z", "in 15 days"),
        ("2028-11-20T00:00:00Z", "in 726 days"),
        ("2099-01-01T00:00:00Z", "in 72 years"),
        ("2024-11-20T00:00:00Z", "2 years ago"),
    ],
)
def test_a_time_is_shown_relative_to_now(text: str, said: str) -> None:
    assert wording.ago(text, NOW) == said


@pytest.mark.parametrize(
    ("text", "tone", "said"),
    [
        (None, "plain", "No expiry set"),
        ("2026-11-23T00:00:00Z", "bad", "Expired 1 day ago"),
        ("2026-11-24T12:00:00Z", "bad", "Expired just now"),
        ("2026-12-01T12:00:00Z", "warn", "In 7 days"),
        ("2027-12-01T12:00:00Z", "plain", "In 372 days"),
    ],
)
def test_a_near_expiry_is_shown_as_a_warning(text: str | None, tone: str, said: str) -> None:
    shown = wording.expiry(text, NOW)
    assert (shown.tone, shown.text) == (tone, said)


def test_a_text_of_the_catalogue_is_escaped_and_its_code_marked() -> None:
    assert wording.codes("a `b <c>` <d>") == "a <code>b &lt;c&gt;</code> &lt;d&gt;"


def test_changes_are_the_values_that_differ() -> None:
    before = {"a": {"b": 1, "c": [1]}, "d": None}
    after = {"a": {"b": 2, "c": [1]}, "e": {}}
    assert wording.changes(before, after) == [("a.b", 1, 2), ("e", None, {})]
    assert wording.changes(None, None) == []


def test_the_change_of_a_restriction_distinguishes_every_project_from_none() -> None:
    unrestricted = {"restricted": False, "projects": []}
    one, none = {"restricted": True, "projects": ["shop"]}, {"restricted": True, "projects": []}
    assert wording.changes(unrestricted, one) == [("projects", "every project", ["shop"])]
    assert wording.changes(one, none) == [("projects", ["shop"], [])]
    added = wording.changes(None, {"restrictions": unrestricted})
    assert added == [("restrictions.projects", None, "every project")]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Docker Hub", "DH"), ("GitHub Container Registry", "GH"), ("Quay", "Qu"), ("harbor", "ha")],
)
def test_a_monogram_has_two_letters_of_the_name(name: str, letters: str) -> None:
    assert wording.monogram(name) == letters


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_each_provider_has_a_monogram(provider: Provider) -> None:
    assert len(wording.monogram(provider.name)) == 2
