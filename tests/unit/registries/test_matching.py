"""Matching, by tables: `docs/reference/image-references.md`, "Matching", and Kubernetes' keyring cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import Operation
from contracts.verdicts import VerificationStatus
from registries.errors import InvalidHost
from registries.hosts import canonical_host, parse_config_key
from registries.image_reference import ImageReference
from registries.matching import (
    Candidate,
    Match,
    RequestedUse,
    Selection,
    SelectionReason,
    match,
)
from registries.whole_registry import WholeRegistry

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
PLAIN = Candidate(
    credential_id=UUID(int=1),
    version=1,
    name="plain",
    registry_host="ghcr.io",
    repository_prefixes=(),
    scope=Scope(pull=True, push=False),
    restrictions=Restrictions(restricted=False, projects=()),
    secret_version=1,
    expires_at=None,
    verification=VerificationStatus.PENDING,
    added_at=NOW,
)
PULL = RequestedUse(project_id="shop", operation="pull", at=NOW)


def candidate(number: int, **changes: Any) -> Candidate:
    return replace(PLAIN, credential_id=UUID(int=number), name=f"c{number}", **changes)


def reasons(found: Match) -> list[tuple[int, bool, str]]:
    return [
        (judged.candidate.credential_id.int, judged.eligible, judged.reason) for judged in found.candidates
    ]


@pytest.mark.parametrize(
    ("image", "configured", "covered"),
    [
        ("nginx", "https://index.docker.io/v1/", True),
        ("nginx", "https://index.docker.io/v1", True),
        ("nginx", "docker.io", True),
        ("user/app:1", "docker.io", True),
        ("nginx", "index.docker.io", True),
        ("nginx", "registry-1.docker.io", True),
        ("user/app", "registry.hub.docker.com", True),
        ("registry-1.docker.io/library/nginx", "https://index.docker.io/v1/", True),
        ("index.docker.io/library/nginx", "https://index.docker.io/v1/", True),
        ("docker.io/user/app", "docker.io/user", True),
        ("nginx", "docker.io/library", True),
        ("user/app", "docker.io/library", False),
        ("gcr.io/proj/app", "gcr.io/proj", True),
        ("gcr.io/project2/app", "gcr.io/project", False),
        ("gcr.io/project2/app", "gcr.io/project/", False),
        ("gcr.io/project/app", "gcr.io/project/", True),
        ("localhost/x", "https://index.docker.io/v1/", False),
        ("gcr.io/proj/app", "gcr.io/proj/app/sub", False),
        ("gcr.io/proj/app", "gcr.io/proj/app", True),
        ("us.gcr.io/p/a", "gcr.io", False),
        ("gcr.io/p/a", "us.gcr.io", False),
        ("reg.io:5000/x", "reg.io", False),
        ("reg.io/x", "reg.io:5000", False),
        ("reg.io/x", "reg.io:443", True),
        ("reg.io:443/x", "reg.io", True),
        ("reg.io:5000/x", "http://reg.io:5000", True),
        ("reg.io/x", "https://reg.io/v2/", True),
        ("reg.io/x", "https://reg.io/v1/", True),
        ("REG.io/x", "reg.io", True),
        ("reg.io/x", "REG.IO", True),
        ("localhost/x", "localhost", True),
        ("localhost:5000/x", "localhost:5000", True),
        ("localhost:5000/x", "localhost", False),
        ("192.168.0.1", "192.168.0.1", False),
        ("192.168.0.1/x", "192.168.0.1", True),
        ("[2001:db8::1]:5000/x", "[2001:db8::1]:5000", True),
        ("[2001:db8:0:0::1]/x", "[2001:db8::1]", True),
        (f"reg.io/x@{DIGEST}", "reg.io", True),
        (f"reg.io/x:t@{DIGEST}", "reg.io", True),
        ("reg.io/team-a/x", "reg.io/team-a", True),
        ("reg.io/team-a", "reg.io/team-a", True),
        ("reg.io/team-ab/x", "reg.io/team-a", False),
        ("reg.io/x/team-a", "reg.io/team-a", False),
        (
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/x",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            False,
        ),
    ],
)
def test_a_credential_covers_the_images_of_its_prefix(image: str, configured: str, covered: bool) -> None:
    key = parse_config_key(configured)
    candidate = replace(
        PLAIN,
        registry_host=canonical_host(key.host),
        repository_prefixes=(key.path_prefix,) if key.path_prefix else (),
    )
    found = match(ImageReference.parse(image), [candidate], PULL)
    assert (found.selection is not None) is covered


@pytest.mark.parametrize("configured", ["*.gcr.io", "*-docker.pkg.dev", "*.io", "reg.io:*", "myhost"])
def test_a_config_key_with_a_pattern_or_without_a_domain_is_refused(configured: str) -> None:
    with pytest.raises(InvalidHost):
        parse_config_key(configured)


@pytest.mark.parametrize(
    ("changes", "operation", "reason"),
    [
        ({"repository_prefixes": ("other",)}, "pull", "other_repository"),
        ({"repository_prefixes": ("acme/shop/sub", "acm")}, "pull", "other_repository"),
        ({"restrictions": Restrictions(restricted=True, projects=("blog",))}, "pull", "restricted"),
        ({"restrictions": Restrictions(restricted=True, projects=())}, "pull", "restricted"),
        ({"scope": Scope(pull=False, push=True)}, "pull", "no_pull_scope"),
        ({}, "push", "no_push_scope"),
        ({"expires_at": NOW}, "pull", "expired"),
        ({"expires_at": NOW - timedelta(days=1)}, "pull", "expired"),
        (
            {
                "repository_prefixes": ("other",),
                "restrictions": Restrictions(restricted=True, projects=()),
                "expires_at": NOW,
            },
            "pull",
            "other_repository",
        ),
        (
            {
                "restrictions": Restrictions(restricted=True, projects=()),
                "scope": Scope(pull=False, push=True),
            },
            "pull",
            "restricted",
        ),
        ({"scope": Scope(pull=False, push=True), "expires_at": NOW}, "pull", "no_pull_scope"),
    ],
)
def test_an_ineligible_candidate_has_its_reason(
    changes: dict[str, Any], operation: Operation, reason: str
) -> None:
    image = ImageReference.parse("ghcr.io/acme/shop")
    found = match(image, [candidate(1, **changes)], replace(PULL, operation=operation))
    assert found.selection is None
    assert reasons(found) == [(1, False, reason)]


@pytest.mark.parametrize(
    "changes",
    [
        {"restrictions": Restrictions(restricted=True, projects=("blog", "shop"))},
        {"expires_at": NOW + timedelta(microseconds=1)},
        {"repository_prefixes": ("zzz", "acme/")},
        {"verification": VerificationStatus.FAILED},
        {"verification": VerificationStatus.UNREACHABLE},
    ],
)
def test_the_only_eligible_candidate_is_selected(changes: dict[str, Any]) -> None:
    found = match(ImageReference.parse("ghcr.io/acme/shop"), [candidate(1, **changes)], PULL)
    assert found.selection is not None
    assert found.selection.reason == "only_eligible"
    assert reasons(found) == [(1, True, "selected")]


@pytest.mark.parametrize(
    ("first", "second", "why", "standing"),
    [
        (
            {"repository_prefixes": ("acme",), "verification": VerificationStatus.FAILED},
            {"verification": VerificationStatus.VERIFIED},
            "most_specific",
            "less_specific",
        ),
        (
            {"repository_prefixes": ("acme/shop",)},
            {"repository_prefixes": ("acme/",)},
            "most_specific",
            "less_specific",
        ),
        (
            {"repository_prefixes": ("acme/shop/", "b")},
            {"repository_prefixes": ("acme/", "c/d/e/f")},
            "most_specific",
            "less_specific",
        ),
        (
            {"verification": VerificationStatus.VERIFIED, "added_at": NOW - timedelta(days=9)},
            {},
            "best_verified",
            "not_verified",
        ),
        (
            {"verification": VerificationStatus.VERIFIED},
            {"verification": VerificationStatus.UNVERIFIABLE},
            "best_verified",
            "not_verified",
        ),
        ({}, {"verification": VerificationStatus.FAILED}, "best_verified", "verification_failed"),
        (
            {"verification": VerificationStatus.UNREACHABLE, "added_at": NOW + timedelta(microseconds=1)},
            {"verification": VerificationStatus.PENDING},
            "newest",
            "older",
        ),
        ({}, {}, "lowest_id", "higher_id"),
    ],
)
def test_the_rank_of_two_candidates(
    first: dict[str, Any], second: dict[str, Any], why: str, standing: str
) -> None:
    better, worse = candidate(1, **first), candidate(2, **second)
    for order in ([better, worse], [worse, better]):
        found = match(ImageReference.parse("ghcr.io/acme/shop:1"), order, PULL)
        assert found.selection is not None
        assert (found.selection.candidate, found.selection.reason) == (better, why)
        assert reasons(found) == [(1, True, "selected"), (2, True, standing)]


def test_a_trailing_slash_of_a_prefix_is_not_more_specific() -> None:
    with_slash, without = (
        candidate(2, repository_prefixes=("acme/",)),
        candidate(1, repository_prefixes=("acme",)),
    )
    found = match(ImageReference.parse("ghcr.io/acme/shop"), [with_slash, without], PULL)
    assert found.selection is not None
    assert (found.selection.candidate, found.selection.reason) == (without, "lowest_id")


def test_every_candidate_is_returned_except_those_of_other_hosts() -> None:
    found = match(
        ImageReference.parse("ghcr.io/acme/shop"),
        [
            candidate(4, scope=Scope(pull=False, push=True)),
            candidate(3, registry_host="docker.io"),
            candidate(2, repository_prefixes=("acme",)),
            candidate(5, added_at=NOW + timedelta(1), repository_prefixes=("b",)),
            candidate(1),
        ],
        PULL,
    )
    assert reasons(found) == [
        (2, True, "selected"),
        (1, True, "less_specific"),
        (5, False, "other_repository"),
        (4, False, "no_pull_scope"),
    ]
    assert match(ImageReference.parse("nginx"), [PLAIN], PULL) == Match(None, ())


def test_the_chosen_credential_is_used_in_place_of_the_first_one() -> None:
    older, newer = candidate(1), candidate(2, added_at=NOW + timedelta(1))
    image = ImageReference.parse("ghcr.io/acme/shop")
    assert match(image, [older, newer], PULL).selection == Selection(newer, SelectionReason.NEWEST)
    found = match(image, [older, newer], replace(PULL, chosen=older.credential_id))
    assert found.selection == Selection(older, SelectionReason.CHOSEN)
    assert reasons(found) == [(1, True, "selected"), (2, False, "not_chosen")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"repository_prefixes": ("other",)}, "other_repository"),
        ({"restrictions": Restrictions(restricted=True, projects=("blog",))}, "restricted"),
        ({"scope": Scope(pull=False, push=True)}, "no_pull_scope"),
        ({"expires_at": NOW}, "expired"),
    ],
)
def test_a_chosen_credential_that_is_not_eligible_is_not_replaced(
    changes: dict[str, Any], reason: str
) -> None:
    use = replace(PULL, chosen=UUID(int=1))
    found = match(ImageReference.parse("ghcr.io/acme/shop"), [candidate(1, **changes), candidate(2)], use)
    assert found.selection is None
    assert reasons(found) == [(1, False, reason), (2, False, "not_chosen")]


def test_a_choice_for_another_registry_has_no_effect() -> None:
    use = replace(PULL, chosen=UUID(int=2))
    candidates = [candidate(1), candidate(2, registry_host="quay.io")]
    found = match(ImageReference.parse("ghcr.io/acme/shop"), candidates, use)
    assert found.selection == Selection(candidates[0], SelectionReason.ONLY_ELIGIBLE)


def test_a_choice_decides_between_several_prefixes_for_a_whole_registry() -> None:
    one, two = (candidate(number, repository_prefixes=(f"team{number}",)) for number in (1, 2))
    registry = WholeRegistry(registry_host="ghcr.io")
    assert match(registry, [one, two], PULL).selection is None
    found = match(registry, [one, two], replace(PULL, chosen=two.credential_id))
    assert found.selection == Selection(two, SelectionReason.CHOSEN)
    assert reasons(found) == [(2, True, "selected"), (1, False, "not_chosen")]
