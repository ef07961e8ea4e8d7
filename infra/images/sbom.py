"""`python -m infra.images.sbom IMAGE...`: writes a CycloneDX document of each image to `build/sbom/`.

A document lists the locked libraries of the image: name, version, package URL, licence of the package, and
the SHA-256 of each file that the lock allows (property `regcred:sha256`). A release (`infra.release`) adds
the Debian packages of the built image, which come from its base.
"""

import sys
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata, version
from uuid import UUID

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

from chassis.runtime.clock import now
from infra.images.contents import ROOT, Pinned, locked
from infra.release.image_contents import DebianPackage

# The system of the images, for the markers of the lock.
_SYSTEM = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
# Licence names of packages without an SPDX expression.
_SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ZPL 2.1": "ZPL-2.1",
}


def contents(image: str) -> list[Pinned]:
    """The locked libraries of an image, without those for other systems."""
    return [one for one in locked(f"image-{image}") if not one.marker or Marker(one.marker).evaluate(_SYSTEM)]


def licence(name: str) -> str | None:
    """The SPDX expression of a package's licence. `None` if it is not installed or states none."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return None
    lines = [line for line in found.get_all("Classifier") or [] if line.startswith("License ::")]
    classifiers = [line.rpartition("::")[2].strip() for line in lines]
    stated = [*(found.get_all("License-Expression") or []), *(found.get_all("License") or [])]
    for candidate in (*stated, *classifiers):
        if candidate and "\n" not in candidate:
            return str(_SPDX.get(candidate, candidate))
    return None


def document(image: str, *, at: datetime, base: Sequence[DebianPackage] = ()) -> str:
    """The CycloneDX document of an image as JSON. The same contents have the same serial number."""
    pinned = contents(image)
    packages = [_debian(package) for package in base]
    listed = [*(one.text for one in pinned), *(str(package.purl) for package in packages)]
    container = Component(
        type=ComponentType.CONTAINER, name=f"regcred/{image}", version=version("regcred"), bom_ref=image
    )
    bom = Bom(
        serial_number=UUID(bytes=sha256("".join(listed).encode()).digest()[:16], version=4),
        metadata=BomMetaData(timestamp=at, component=container),
    )
    for one in pinned:
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
        bom.components.add(component)
    bom.components.update(packages)
    bom.register_dependency(container, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _debian(package: DebianPackage) -> Component:
    qualifiers = {"arch": package.architecture, "distro": package.distribution}
    vendor = package.distribution.partition("-")[0]
    purl = PackageURL("deb", vendor, package.name, package.version, qualifiers)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=str(purl),
    )


def main(images: list[str]) -> None:
    """Write the documents of these images."""
    folder = ROOT / "build" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        (folder / f"{image}.cdx.json").write_text(document(image, at=now()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
