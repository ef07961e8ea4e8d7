"""The contents of an image. The build calls `contents.py lock GROUP` and `contents.py packages IMAGE`.

pyproject.toml lists the packages of regcred in an image (`[tool.regcred.images]`) and the libraries that they
need (the dependency group `image-NAME`). Versions, hashes and transitive dependencies come from
requirements/runtime.lock, where uv lists the dependents of each entry after `via`. This module uses only the
standard library, because it runs in a base image.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_ENTRY = re.compile(r"^(\S+)==(\S+)(?: ; (.+))? \\\n(?:[ ].*\n)+", re.MULTILINE)
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NEEDED_BY = re.compile(r"^ +#(?: +via)? +(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pinned:
    """An entry of a lock.

    `marker` is the environment marker, "" for all systems. `hashes` are the SHA-256 of the files that may be
    installed, in hexadecimal. `needed_by` names the distributions that need this one.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: frozenset[str]
    text: str


def pinned(text: str) -> Iterator[Pinned]:
    """Parse the entries of a lock."""
    for entry in _ENTRY.finditer(text):
        hashes, needed_by = tuple(_SHA256.findall(entry[0])), frozenset(_NEEDED_BY.findall(entry[0]))
        yield Pinned(entry[1], entry[2], entry[3] or "", hashes, needed_by, entry[0])


def requirements(group: str) -> Iterator[str]:
    """The requirements of a dependency group and of the groups that it includes."""
    for one in PROJECT["dependency-groups"][group]:
        if isinstance(one, dict):
            yield from requirements(one["include-group"])
        else:
            yield one


def locked(group: str) -> tuple[Pinned, ...]:
    """The entries of requirements/runtime.lock for a dependency group, with transitive dependencies.

    Raises:
        LookupError: a requirement is not in the lock.
    """
    every = {one.name: one for one in pinned((ROOT / "requirements" / "runtime.lock").read_text())}
    names = {re.split(r"[^a-z0-9._-]", one, maxsplit=1)[0] for one in requirements(group)}
    if not names <= set(every):
        raise LookupError(f"not in runtime.lock: {', '.join(sorted(names - set(every)))}; run `make lock`")
    while more := {one.name for one in every.values() if one.needed_by & names} - names:
        names |= more
    return tuple(one for one in every.values() if one.name in names)


def lock(group: str) -> str:
    """The lock of one dependency group. Raises like `locked`."""
    return "".join(one.text for one in locked(group))


def packages(image: str) -> list[str]:
    """The folders of the packages of regcred in an image, relative to the repository."""
    return list(PROJECT["tool"]["regcred"]["images"][image])


def main(what: str, name: str) -> None:
    """Print the lock of the group `name`, or the packages of the image `name`."""
    sys.stdout.write(lock(name) if what == "lock" else "".join(f"{one}\n" for one in packages(name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
