"""Files that are made once and then kept, each for one user of the system only."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

PRIVATE = 0o400
PUBLIC = 0o444
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Owner:
    """Numeric, because the user has a name in another image only."""

    uid: int
    gid: int


def password() -> str:
    """48 hex digits: they need no quoting anywhere."""
    return token_hex(_PASSWORD_BYTES)


def folder(path: Path, owner: Owner, mode: int = 0o700) -> Path:
    """A folder of that owner."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    os.chown(path, owner.uid, owner.gid)
    return path


def write(path: Path, content: str, owner: Owner, mode: int = PRIVATE) -> None:
    """Replace the file as a whole: who reads it meanwhile reads the old one or the new one."""
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, owner.uid, owner.gid)
        os.fsync(descriptor)
    draft.replace(path)


def ensure_file(path: Path, make: Callable[[], str], owner: Owner) -> str:
    """What the file holds; made if it is not there."""
    if not path.exists():
        write(path, make(), owner)
    return path.read_text()
