"""Files that the client writes: whole or not at all, and for their owner's eyes only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from regcred.cli.errors import OutputUnwritable


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once everything is in it. What is no plain file is written to."""
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_private(path: Path) -> Iterator[BinaryIO]:
    """A new file (0600), gone again if the block fails. One that is there already is left alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
