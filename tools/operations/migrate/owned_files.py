"""Files that are created once, each for one Unix user."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from chassis.atomic_file import replace_file

PRIVATE = 0o400
PUBLIC = 0o444
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a file. The ids are numeric, because the user has a name only in another image."""

    uid: int
    gid: int


def password() -> str:
    """Return 48 random hex digits, which need no quoting anywhere."""
    return token_hex(_PASSWORD_BYTES)


def folder(path: Path, owner: Owner, mode: int = 0o700) -> Path:
    """Create a folder of this owner."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    os.chown(path, owner.uid, owner.gid)
    return path


def write(path: Path, content: str, owner: Owner, mode: int = PRIVATE) -> None:
    """Replace a file atomically. Raises `OSError` with its name."""
    replace_file(path, content.encode(), mode=mode, owner=(owner.uid, owner.gid))


def ensure_file(path: Path, create: Callable[[], str], owner: Owner) -> str:
    """Return the content of the file. A missing file is written with `create()` first."""
    if not path.exists():
        write(path, create(), owner)
    return path.read_text()
