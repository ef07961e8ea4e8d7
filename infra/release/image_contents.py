"""What an image is built from: its labels, and the Debian packages that its base has installed."""

import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = "var/lib/dpkg/status"
_RELEASE = ("etc/os-release", "usr/lib/os-release")


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """An installed package, and its distribution (`debian-12`)."""

    name: str
    version: str
    architecture: str
    distribution: str


@dataclass(frozen=True, slots=True)
class ImageContents:
    """Labels of an image, and its Debian packages, ordered by name."""

    labels: dict[str, str]
    packages: tuple[DebianPackage, ...]


def read_image(source: str, *options: str) -> ImageContents:
    """Read an image. `source` and `options` are those of `skopeo copy`.

    Raises:
        subprocess.CalledProcessError: skopeo cannot read it.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["skopeo", "copy", "--quiet", *options, source, f"dir:{folder}"], check=True)
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
        config = json.loads(_blob(folder, manifest["config"]).read_text())
        files: dict[str, str] = {}
        for layer in manifest["layers"]:  # a later layer replaces files of the earlier ones
            with tarfile.open(_blob(folder, layer)) as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if name in (_STATUS, *_RELEASE) and member.isfile():
                        content = archive.extractfile(member)
                        files[name] = content.read().decode() if content else ""
    release = next((files[name] for name in _RELEASE if name in files), "")
    return ImageContents(
        config.get("config", {}).get("Labels") or {},
        debian_packages(files.get(_STATUS, ""), _distribution(release)),
    )


def _blob(folder: str, descriptor: dict[str, Any]) -> Path:
    return Path(folder, str(descriptor["digest"]).removeprefix("sha256:"))


def _distribution(release: str) -> str:
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return f"{fields.get('ID', 'debian')}-{fields.get('VERSION_ID', '')}".replace('"', "").rstrip("-")


def debian_packages(status: str, distribution: str) -> tuple[DebianPackage, ...]:
    """The installed packages of dpkg's file `status`: stanzas of `Name: value`, ended by an empty line."""
    found = []
    for stanza in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" ")
        )
        if fields.get("Status", "").endswith(" installed"):
            found.append(
                DebianPackage(fields["Package"], fields["Version"], fields["Architecture"], distribution)
            )
    return tuple(sorted(found, key=lambda one: one.name))
