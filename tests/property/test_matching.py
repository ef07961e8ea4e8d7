"""Matching against a second, naive implementation of its rules, which compares all pairs of candidates."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.credential_events import Restrictions, Scope
from contracts.verdicts import VerificationStatus
from registries.image_reference import ImageReference
from registries.matching import Candidate, Judged, RequestedUse, match
from registries.mirrors import mirror_selections
from registries.whole_registry import WholeRegistry

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MOMENTS = st.integers(-2, 2).map(lambda hours: NOW + timedelta(hours=hours))
SEGMENTS = st.sampled_from(["a", "ab", "b"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
PROJECTS = st.sampled_from(["shop", "blog"])
CANDIDATES = st.builds(
    Candidate,
    credential_id=st.integers(0, 50).map(lambda number: UUID(int=number)),
    version=st.just(1),
    name=st.just("c"),
    registry_host=st.sampled_from(["reg.io", "reg.io:5000"]),
    repository_prefixes=st.lists(
        st.builds(str.__add__, PATHS, st.sampled_from(["", "/"])), max_size=3, unique=True
    ).map(tuple),
    scope=st.builds(Scope, pull=st.booleans(), push=st.booleans()),
    restrictions=st.builds(
        Restrictions,
        restricted=st.booleans(),
        projects=st.lists(PROJECTS, max_size=2, unique=True).map(tuple),
    ),
    secret_version=st.just(1),
    expires_at=st.none() | MOMENTS,
    verification=st.sampled_from(VerificationStatus),
    added_at=MOMENTS,
    frozen=st.booleans(),
    mirror_of=st.sampled_from([(), ("hub.io",), ("hub.io", "other.io"), ("other.io",)]),
    additional_hosts=st.sampled_from([(), (), ("reg.io",), ("mirror.io", "reg.io"), ("mirror.io",)]),
)
MANY = st.lists(CANDIDATES, max_size=8, unique_by=lambda candidate: candidate.credential_id)
IMAGES = PATHS.map(lambda path: ImageReference.parse(f"reg.io/{path}"))
USES = st.builds(
    RequestedUse, project_id=PROJECTS, operation=st.sampled_from(["pull", "push"]), at=st.just(NOW)
)


def segments_in_common(candidate: Candidate, image: ImageReference) -> int:
    """The number of segments of the image that the prefixes match; -1 if no prefix matches."""
    if not candidate.repository_prefixes:
        return 0
    path = image.repository.split("/")
    counts = []
    for prefix in candidate.repository_prefixes:
        wanted = [segment for segment in prefix.split("/") if segment]
        counts.append(len(wanted) if path[: len(wanted)] == wanted else -1)
    return max(counts)


def broken_rules(candidate: Candidate, image: ImageReference, use: RequestedUse) -> list[str]:
    rules = {
        "other_repository": segments_in_common(candidate, image) >= 0,
        "restricted": not candidate.restrictions.restricted
        or use.project_id in candidate.restrictions.projects,
        "no_pull_scope": use.operation != "pull" or candidate.scope.pull,
        "no_push_scope": use.operation != "push" or candidate.scope.push,
        "frozen": not candidate.frozen,
        "expired": candidate.expires_at is None or use.at < candidate.expires_at,
    }
    return [name for name, holds in rules.items() if not holds]


def preferred(mine: Candidate, other: Candidate, image: ImageReference) -> str | None:
    """The rule by which `mine` is preferred to `other`; `None` if it is not."""
    if segments_in_common(mine, image) != segments_in_common(other, image):
        longer = segments_in_common(mine, image) > segments_in_common(other, image)
        return "most_specific" if longer else None
    good, bad = VerificationStatus.VERIFIED, VerificationStatus.FAILED
    if mine.verification != other.verification and (
        good in (mine.verification, other.verification) or bad in (mine.verification, other.verification)
    ):
        return "best_verified" if mine.verification == good or other.verification == bad else None
    if mine.added_at != other.added_at:
        return "newest" if mine.added_at > other.added_at else None
    return "lowest_id" if mine.credential_id.int < other.credential_id.int else None


@given(MANY, IMAGES, USES)
def test_the_selected_candidate_is_preferred_to_every_other_eligible_one(
    candidates: list[Candidate], image: ImageReference, use: RequestedUse
) -> None:
    found = match(image, candidates, use)
    here = [candidate for candidate in candidates if "reg.io" in candidate.hosts]
    eligible = [candidate for candidate in here if not broken_rules(candidate, image, use)]
    best = [
        one for one in eligible if all(preferred(one, other, image) for other in eligible if other is not one)
    ]
    assert len(best) == (1 if eligible else 0)
    assert (found.selection is not None) is bool(best)
    if found.selection:
        assert found.selection.candidate == best[0]
        runner_up = found.candidates[1].candidate if len(eligible) > 1 else None
        expected = preferred(best[0], runner_up, image) if runner_up else "only_eligible"
        assert found.selection.reason == expected


@given(MANY, IMAGES, USES)
def test_every_candidate_has_the_expected_reason(
    candidates: list[Candidate], image: ImageReference, use: RequestedUse
) -> None:
    found = match(image, candidates, use)
    here = [candidate for candidate in candidates if "reg.io" in candidate.hosts]
    assert sorted(judged.candidate.credential_id for judged in found.candidates) == sorted(
        candidate.credential_id for candidate in here
    )
    for judged in found.candidates:
        broken = broken_rules(judged.candidate, image, use)
        assert judged.eligible is not bool(broken)
        if broken:
            assert judged.reason == broken[0]
    eligible = [judged for judged in found.candidates if judged.eligible]
    assert list(found.candidates[: len(eligible)]) == eligible
    for index, judged in enumerate(eligible):
        assert all(preferred(judged.candidate, other.candidate, image) for other in eligible[index + 1 :])
        assert judged.reason == ("selected" if index == 0 else standing(eligible[0], judged, image))


def standing(selected: Judged, other: Judged, image: ImageReference) -> str:
    why = preferred(selected.candidate, other.candidate, image)
    if why == "best_verified":
        failed = other.candidate.verification == VerificationStatus.FAILED
        return "verification_failed" if failed else "not_verified"
    return {"most_specific": "less_specific", "newest": "older", "lowest_id": "higher_id"}[why or ""]


@given(MANY, USES)
def test_for_a_whole_registry_a_credential_with_prefixes_is_the_last_choice(
    candidates: list[Candidate], use: RequestedUse
) -> None:
    below_everything = ImageReference.parse("reg.io/of-no-prefix")
    found = match(WholeRegistry(registry_host="reg.io"), candidates, use)
    here = [candidate for candidate in candidates if "reg.io" in candidate.hosts]
    usable = [one for one in here if broken_rules(one, below_everything, use) in ([], ["other_repository"])]
    whole = [one for one in usable if not one.repository_prefixes]
    if whole:
        assert found == match(below_everything, candidates, use)
    else:
        assert (found.selection and found.selection.candidate) == (usable[0] if len(usable) == 1 else None)
        for judged in found.candidates[1 if found.selection else 0 :]:
            broken = broken_rules(judged.candidate, below_everything, use)
            assert judged.reason == next((name for name in broken if name != "other_repository"), broken[0])
    assert len(found.candidates) == len(here)


@given(MANY, IMAGES, USES, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    candidates: list[Candidate], image: ImageReference, use: RequestedUse, random: object
) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match(image, shuffled, use) == match(image, candidates, use)


@given(MANY, PATHS, USES)
def test_a_mirror_is_matched_as_if_the_image_were_its_own(
    candidates: list[Candidate], path: str, use: RequestedUse
) -> None:
    found = mirror_selections(ImageReference.parse(f"hub.io/{path}"), candidates, use)
    mirrors = [candidate for candidate in candidates if "hub.io" in candidate.mirror_of]
    expected = {
        host: match(ImageReference.parse(f"{host}/{path}"), mirrors, use).selection
        for candidate in mirrors
        for host in candidate.hosts
    }
    assert found == {host: selection for host, selection in expected.items() if selection}
    for host, selection in found.items():
        assert host in selection.candidate.hosts
        assert broken_rules(selection.candidate, ImageReference.parse(f"{host}/{path}"), use) == []
