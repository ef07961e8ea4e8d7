"""Everything that is installed is pinned by hash, in the versions that pyproject.toml asks for, under a licence that we
can live with, and is told of in the bill of materials of its image. `make check` runs this; `make audit` asks a
service of advisories, which this cannot.
"""

import json
import re
import tomllib
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.images.sbom import document, licence, pinned
from tests.support.images import IMAGES
from tests.support.servers import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
AT = datetime(2026, 1, 1, tzinfo=UTC)

# Permissive; MPL-2.0 and LGPL-3.0 of libraries that are used unchanged.
LICENCES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
}  # fmt: skip


def versions(name: str) -> dict[str, str]:
    lock = (ROOT / "requirements" / f"{name}.lock").read_text()
    return {one.name: one.version for one in pinned(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_everything_is_pinned_by_hash(lock: Any) -> None:
    text = lock.read_text()
    entries = re.findall(r"^[^\s#].*", text, re.MULTILINE)
    found = list(pinned(text))
    assert len(entries) == len(found), "a line that pins nothing: an option, an address, a folder"
    assert all(one.hashes for one in found)
    assert "://" not in text


def asked(group: str) -> list[Requirement]:
    """The requirements of a dependency group with those it includes."""
    found = []
    for one in PROJECT["dependency-groups"][group]:
        found += asked(one["include-group"]) if isinstance(one, dict) else [Requirement(one)]
    return found


@pytest.mark.parametrize("lock", [lock.stem for lock in LOCKS])
def test_a_lock_has_what_is_asked_for(lock: str) -> None:
    project = [Requirement(one) for one in PROJECT["project"]["dependencies"]]
    if lock in {image.name for image in IMAGES}:
        wanted = asked(f"image-{lock}")
    else:
        wanted = asked("build" if lock == "runtime" else lock)
    if lock in {"runtime", "dev", "bench"}:
        wanted += project
    locked = versions(lock)
    for one in wanted:
        version = locked.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not in {lock}.lock: make lock"
        assert one.specifier.contains(version), f"{one} is {version} in {lock}.lock: make lock"


@pytest.mark.parametrize("name", sorted(versions("runtime")))
def test_a_licence_is_one_that_we_can_live_with(name: str) -> None:
    stated = licence(name)
    if stated is None:
        pytest.skip(f"{name} is for another system than this one")
    assert set(re.split(r" (?:AND|OR) |[()]", stated)) - {""} <= LICENCES, stated


@pytest.mark.parametrize("image", [image.name for image in IMAGES])
def test_the_bill_of_materials_is_the_lock(image: str) -> None:
    lock = (ROOT / "requirements" / f"{image}.lock").read_text()
    text = document(image, lock, at=AT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    made = json.loads(text)
    told = {
        (one["name"], one["version"], tuple(sorted(entry["value"] for entry in one["properties"])))
        for one in made["components"]
    }
    assert told == {(one.name, one.version, tuple(sorted(one.hashes))) for one in pinned(lock)}
    for one in made["components"]:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"] or licence(one["name"]) is None
    [depends] = [one for one in made["dependencies"] if one["ref"] == image]
    assert len(depends["dependsOn"]) == len(made["components"])
    assert document(image, lock, at=AT) == text


def test_static_analysis_for_security_is_on() -> None:
    """Bandit's rules are ruff's `S`: all of them, and what is left out stands here too."""
    lint = PROJECT["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [one for one in lint["ignore"] if re.fullmatch(r"S\d*", one)] == ["S104", "S603", "S607"]
    services = [
        one
        for files, ones in lint["per-file-ignores"].items()
        if files.startswith("services")
        for one in ones
    ]
    assert not [one for one in services if one.startswith("S")]
