"""Files that the client writes. They are complete or absent, and only their owner can read them."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from regcred.cli.errors import OutputUnwritable


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that replaces `path` when the block ends without an error.

    A path that is no regular file, such as a device, is written to directly.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
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
    """Yield a file (0600) that becomes `path` when the block ends without an error.

    Raises:
        OutputUnwritable: the file exists already or cannot be created.
    """
    if path.exists():
        raise OutputUnwritable(f"{path}: {os.strerror(errno.EEXIST)}")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.link(partial, path)  # unlike a rename, it does not replace an existing file
    except OSError as error:
        raise OutputUnwritable(f"{path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
