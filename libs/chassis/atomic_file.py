"""Writes files that are complete or absent, also after a crash of the machine."""

import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex


def create_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a new file. An existing one is not replaced.

    Raises:
        FileExistsError: there is a file.
        OSError: the file cannot be written. Its `filename` is `path`.
    """
    _write(path, content, mode=mode, owner=None, publish=os.link)  # unlike a rename, it does not replace


def replace_file(path: Path, content: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a file. A concurrent reader gets the old or the new content. `owner` is its user and its group.

    Raises:
        OSError: the file cannot be written. Its `filename` is `path`.
    """
    _write(path, content, mode=mode, owner=owner, publish=os.replace)


def _write(
    path: Path,
    content: bytes,
    *,
    mode: int,
    owner: tuple[int, int] | None,
    publish: Callable[[Path, Path], object],
) -> None:
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # whatever the umask is
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fsync(file.fileno())
        publish(draft, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        draft.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
