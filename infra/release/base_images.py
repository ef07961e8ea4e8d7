"""The images of others that a release uses, with their digests.

    python -m infra.release.base_images lock            write base-images.lock
    python -m infra.release.base_images show VARIABLE   print one of them

The variables `…_IMAGE` of `.env.example` name them by tag. `lock` asks their registries for the digests and
writes them to `base-images.lock` in this folder, a line `TAG@sha256:…` for each. Commit it with the release.
REGCRED_MIRROR, a `host[:port]`, is asked in place of Docker Hub; REGCRED_MIRROR_HTTP=1: without TLS.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("base-images.lock")
_VARIABLE = re.compile(r"^([A-Z]+_IMAGE)=(\S+)", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NotLocked(Exception):
    """The lock does not have the digests of exactly the images that are used."""


def tags() -> dict[str, str]:
    """The images by variable, with their tags."""
    return dict(_VARIABLE.findall((ROOT / ".env.example").read_text()))


def digest_of(tag: str, environment: Mapping[str, str] = os.environ) -> str:
    """The digest of the image index that the tag names at this time.

    Raises:
        subprocess.CalledProcessError: skopeo cannot reach the registry, or there is no such image.
    """
    path = tag if "/" in tag else f"library/{tag}"
    tls = ["--tls-verify=false"] if environment.get("REGCRED_MIRROR_HTTP") == "1" else []
    source = f"docker://{environment.get('REGCRED_MIRROR', 'docker.io')}/{path}"
    command = ["skopeo", "inspect", "--no-tags", *tls, "--format", "{{.Digest}}", source]
    digest = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{source}: {digest!r} is no digest")
    return digest


def write_lock(lock: Path = LOCK) -> None:
    """Write the digests of all images. Raises as `digest_of`."""
    lines = sorted({f"{tag}@{digest_of(tag)}" for tag in tags().values()})
    lock.write_text("".join(f"{line}\n" for line in lines))


def locked(lock: Path = LOCK) -> dict[str, str]:
    """The images by variable, with tag and digest.

    Raises:
        NotLocked: run `make lock-images`.
    """
    if not lock.exists():
        raise NotLocked(f"{lock.name} does not exist; run `make lock-images`")
    digests = dict(line.split("@") for line in lock.read_text().splitlines())
    wanted = tags()
    if set(digests) != set(wanted.values()) or not all(map(_DIGEST.fullmatch, digests.values())):
        raise NotLocked(f"{lock.name} is not that of the images in .env.example; run `make lock-images`")
    return {variable: f"{tag}@{digests[tag]}" for variable, tag in wanted.items()}


def main(arguments: list[str]) -> None:
    """Write the lock, or print the image of one variable."""
    match arguments:
        case ["lock"]:
            write_lock()
        case ["show", variable]:
            print(locked()[variable])
        case _:
            sys.exit("usage: python -m infra.release.base_images lock|show VARIABLE")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NotLocked as error:
        sys.exit(f"Error: {error}")
