"""`python infra/images/sbom.py IMAGE...`: what is in an image, as a CycloneDX document below `build/sbom/`.

It is made of the image's lock: name, version, package URL, licence as the package states it, and the SHA-256
of each file that the lock takes for it (property `regcred:sha256`). The base image is not in it: that is its
own.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from uuid import UUID

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from shared.runtime.clock import now

ROOT = Path(__file__).resolve().parents[2]
_ENTRY = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# Names that packages gave before there were expressions.
_SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


@dataclass(frozen=True, slots=True)
class Pinned:
    """A distribution of a lock; `hashes` are SHA-256 in hexadecimal, one for each file that will do."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pinned(lock: str) -> Iterator[Pinned]:
    """What a lock pins."""
    for name, number, rest in _ENTRY.findall(lock):
        yield Pinned(name, number, tuple(_SHA256.findall(rest)))


def licence(name: str) -> str | None:
    """The SPDX expression under which a package may be used; `None` where it is not installed here, or says
    none.
    """
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    lines = [line for line in said.get_all("Classifier") or [] if line.startswith("License ::")]
    classifiers = [line.rpartition("::")[2].strip() for line in lines]
    stated = [*(said.get_all("License-Expression") or []), *(said.get_all("License") or [])]
    for candidate in (*stated, *classifiers):
        if candidate and "\n" not in candidate:
            return str(_SPDX.get(candidate, candidate))
    return None


def document(image: str, lock: str, *, at: datetime) -> str:
    """The CycloneDX document of an image, JSON. The same lock has the same serial number."""
    whole = Component(
        type=ComponentType.CONTAINER, name=f"regcred/{image}", version=version("regcred"), bom_ref=image
    )
    made = Bom(
        serial_number=UUID(bytes=sha256(lock.encode()).digest()[:16], version=4),
        metadata=BomMetaData(timestamp=at, component=whole),
    )
    for one in pinned(lock):
        stated = licence(one.name)
        purl = PackageURL("pypi", None, one.name, one.version)
        component = Component(
            type=ComponentType.LIBRARY,
            name=one.name,
            version=one.version,
            purl=purl,
            bom_ref=str(purl),
            licenses=[LicenseFactory().make_from_string(stated)] if stated else [],
            properties=[Property(name="regcred:sha256", value=value) for value in one.hashes],
        )
        made.components.add(component)
    made.register_dependency(whole, made.components)
    return JsonV1Dot6(made).output_as_string(indent=1)


def main(images: list[str]) -> None:
    """Write them."""
    folder = ROOT / "build" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        lock = (ROOT / "requirements" / f"{image}.lock").read_text()
        (folder / f"{image}.cdx.json").write_text(document(image, lock, at=now()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
