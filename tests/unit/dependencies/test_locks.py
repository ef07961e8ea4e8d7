"""Everything that is installed is pinned by hash, in the versions that pyproject.toml requires, under an allowed
licence, and is listed in the bill of materials of its image. `make check` runs these tests. `make audit` queries a service
of advisories.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import distribution

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.images.contents import PROJECT, Pinned, locked, pinned, requirements
from infra.images.sbom import contents, document, licence
from tests.support.images import IMAGES
from tests.support.servers import ROOT

LOCKS = {"development": ("dev", "docs", "bench"), "runtime": ("build",)}  # with their dependency groups
AT = datetime(2026, 1, 1, tzinfo=UTC)

# Permissive; MPL-2.0 and LGPL-3.0 of libraries that are used unchanged.
LICENCES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
    "ZPL-2.1",
}  # fmt: skip


def versions(name: str) -> dict[str, str]:
    return {one.name: one.version for one in pinned(text_of(name))}


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.lock").read_text()


def test_the_lock_files_are_those_of_the_list() -> None:
    assert {file.name for file in (ROOT / "requirements").iterdir()} == {f"{lock}.lock" for lock in LOCKS}


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_by_hash(lock: str) -> None:
    text = text_of(lock)
    entries = re.findall(r"^[^\s#].*", text, re.MULTILINE)
    found = list(pinned(text))
    assert len(entries) == len(found), "a line that pins nothing: an option, an address, a folder"
    assert all(one.hashes for one in found)
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_the_requirements(lock: str) -> None:
    wanted = [one for group in LOCKS[lock] for one in requirements(group)]
    if lock == "runtime":
        wanted += PROJECT["project"]["dependencies"]
    there = versions(lock)
    for one in map(Requirement, wanted):
        version = there.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not in {lock}.lock: make lock"
        assert one.specifier.contains(version), f"{one} is {version} in {lock}.lock: make lock"


def test_both_locks_have_the_same_versions() -> None:
    runtime, development = versions("runtime"), versions("development")
    both = runtime.keys() & development.keys()
    assert both
    assert {name: development[name] for name in both} == {name: runtime[name] for name in both}


def needed(wanted: list[Requirement]) -> set[str]:
    """The names of requirements and of all their dependencies on this machine, from the metadata of installed packages."""
    found: set[tuple[str, str]] = set()  # each with an extra, "" for none
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        for extra in [extra for extra in ("", *one.extras) if (name, extra) not in found]:
            found.add((name, extra))
            stated = map(Requirement, distribution(one.name).requires or [])
            wanted += [more for more in stated if not more.marker or more.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def here(pins: Iterable[Pinned]) -> set[str]:
    return {one.name for one in pins if not one.marker or Marker(one.marker).evaluate()}


@pytest.mark.parametrize("group", ["build", *(f"image-{image.name}" for image in IMAGES)])
def test_a_group_is_locked_with_exactly_its_dependencies(group: str) -> None:
    assert here(locked(group)) == needed([Requirement(one) for one in requirements(group)])


def test_a_requirement_that_is_not_locked_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROJECT["dependency-groups"], "build", ["hatchling", "unheard-of>=1"])
    with pytest.raises(LookupError, match=r"not in runtime.lock: unheard-of; run `make lock`"):
        locked("build")


@pytest.mark.parametrize("name", sorted(here(pinned(text_of("runtime")))))
def test_every_licence_is_allowed(name: str) -> None:
    stated = licence(name)
    assert stated is not None
    assert set(re.split(r" (?:AND|OR) |[()]", stated)) - {""} <= LICENCES, stated


@pytest.mark.parametrize("image", [image.name for image in IMAGES])
def test_the_bill_of_materials_matches_the_lock(image: str) -> None:
    text = document(image, at=AT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    made = json.loads(text)
    listed = {
        (one["name"], one["version"], tuple(sorted(entry["value"] for entry in one["properties"])))
        for one in made["components"]
    }
    assert listed == {(one.name, one.version, tuple(sorted(one.hashes))) for one in contents(image)}
    for one in made["components"]:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"] or licence(one["name"]) is None
    [depends] = [one for one in made["dependencies"] if one["ref"] == image]
    assert len(depends["dependsOn"]) == len(made["components"])
    assert document(image, at=AT) == text


def test_static_analysis_for_security_is_on() -> None:
    """Bandit's rules are ruff's `S` rules. All of them are on except those of this list."""
    lint = PROJECT["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [one for one in lint["ignore"] if re.fullmatch(r"S\d*", one)] == ["S104", "S603", "S607"]
    services = [
        one
        for files, ones in lint["per-file-ignores"].items()
        if files.startswith(("libs", "services", "tools"))
        for one in ones
    ]
    assert not [one for one in services if one.startswith("S")]
