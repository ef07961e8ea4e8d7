"""Files that the client writes. They are complete or absent, and only their owner can read them."""

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from regcred.cli.errors import OutputUnwritable


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Yield standard output for the path `-`, otherwise `replacing(path)`."""
    if path == Path("-"):
        yield sys.stdout.buffer
        return
    with replacing(path) as file:
        yield file


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that replaces `path` when the block ends without an error.

    A path that is no regular file, such as a device, is written to directly.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        with _reported(path), path.open("wb") as file:
            yield file
        return
    with _draft(path, os.replace) as file:
        yield file


@contextmanager
def new_private(path: Path) -> Iterator[BinaryIO]:
    """Yield a file (0600) that becomes `path` when the block ends without an error.

    Raises:
        OutputUnwritable: the file exists already or cannot be created.
    """
    if path.exists():
        raise OutputUnwritable(f"{path}: {os.strerror(errno.EEXIST)}")
    with _draft(path, os.link) as file:  # unlike a rename, it does not replace an existing file
        yield file


@contextmanager
def _draft(path: Path, publish: Callable[[Path, Path], object]) -> Iterator[BinaryIO]:
    with _reported(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
