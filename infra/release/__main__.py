"""`python -m infra.release REGISTRY`: push built images, and describe what they were built from.

`make release` builds them first, on the base image that `base-images.lock` names by digest. For each image:

1. check that its labels name this commit and that base image
2. push it, by which it gets its digest
3. write the bill of materials (CycloneDX) and the provenance (in-toto, SLSA 1.0)
4. attach both to the image in the registry, as OCI referrers

Then `compose.yml` and `kubernetes/` are written, in which every image is named by its digest. The results are
in `build/release/`. It needs skopeo and oras, and a login at the registry (`skopeo login`, `oras login`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from chassis.runtime.clock import now
from infra.images.contents import PROJECT, ROOT
from infra.images.sbom import document
from infra.release import base_images, deployment_files
from infra.release.image_contents import ImageContents, read_image
from infra.release.provenance import statement

_FILES = ("requirements/runtime.lock", "pyproject.toml", "Dockerfile")
_SBOM, _PROVENANCE = "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"


class NotReleased(Exception):
    """An image is not what the release says it is. Nothing was pushed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`source` is where skopeo finds a built image, with `{image}`. `plain_http`: the registry has no TLS."""

    registry: str
    version: str
    commit: str
    source: str
    plain_http: bool
    folder: Path

    def run(self, images: Sequence[str], others: dict[str, str]) -> None:
        """Release these images. `others` are the images of others by variable, with their digests."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ours = {image: self._release(image, others["PYTHON_IMAGE"]) for image in images}
        deployment_files.write(self.folder, ours, others)

    def _release(self, image: str, base: str) -> str:
        """Returns the reference of the pushed image. Raises `NotReleased`."""
        source = self.source.format(image=image)
        contents = read_image(source)
        self._check(image, contents, base)
        reference = self._push(image, source)
        finished = now()
        files = {path: sha256((ROOT / path).read_bytes()).hexdigest() for path in _FILES}
        provenance = statement(
            image,
            reference=reference,
            version=self.version,
            commit=self.commit,
            base=base,
            files=files,
            finished=finished,
        )
        bill = document(image, at=finished, base=contents.packages)
        self._attach(reference, f"{image}.cdx.json", bill, _SBOM)
        self._attach(reference, f"{image}.intoto.json", json.dumps(provenance, indent=1), _PROVENANCE)
        return reference

    def _check(self, image: str, contents: ImageContents, base: str) -> None:
        wanted = {"revision": self.commit, "base.name": base, "version": self.version}
        for name, value in wanted.items():
            found = contents.labels.get(f"org.opencontainers.image.{name}")
            if found != value:
                raise NotReleased(f"{image}: the label {name} is {found!r}, and not {value!r}")
        if not contents.packages:
            raise NotReleased(f"{image}: it has no list of Debian packages")

    def _push(self, image: str, source: str) -> str:
        tag, digest = f"{self.registry}/{image}:{self.version}", self.folder / f"{image}.digest"
        tls = ["--dest-tls-verify=false"] if self.plain_http else []
        copy = ["skopeo", "copy", "--quiet", "--preserve-digests", "--digestfile", str(digest), *tls]
        subprocess.run([*copy, source, f"docker://{tag}"], check=True)
        return f"{tag}@{digest.read_text().strip()}"

    def _attach(self, reference: str, name: str, text: str, kind: str) -> None:
        (self.folder / name).write_text(text + "\n")
        tag, _, digest = reference.partition("@")
        repository = f"{tag.rpartition(':')[0]}@{digest}"
        plain = ["--plain-http"] if self.plain_http else []
        attach = ["oras", "attach", *plain, "--artifact-type", kind, repository, f"{name}:{kind}"]
        subprocess.run(attach, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)


def _commit() -> str:
    """The commit of a checkout without changes. Raises `NotReleased`."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True)
    if changed.stdout:
        raise NotReleased("the checkout has changes that are not committed")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return head.stdout.strip()


def main(arguments: Sequence[str]) -> None:
    """Release all images."""
    parser = argparse.ArgumentParser(prog="python -m infra.release")
    parser.add_argument("registry", help="host and path of the images, such as registry.example.com/regcred")
    parser.add_argument("--version", required=True)
    parser.add_argument("--source", help="where skopeo finds a built image; {image} is its name")
    parser.add_argument("--plain-http", action="store_true", help="the registry has no TLS")
    given = parser.parse_args(arguments)
    try:
        release = Release(
            registry=given.registry,
            version=given.version,
            commit=_commit(),
            source=given.source or f"docker-daemon:regcred/{{image}}:{given.version}",
            plain_http=given.plain_http,
            folder=ROOT / "build" / "release",
        )
        release.run(list(PROJECT["tool"]["regcred"]["images"]), base_images.locked())
    except (NotReleased, base_images.NotLocked, deployment_files.NotByDigest) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
