"""Creates a file that is complete or absent."""

import os
from pathlib import Path
from secrets import token_hex


def create_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a new file, and flush it and its folder to the disk. An existing file is not replaced.

    Raises:
        FileExistsError: there is a file.
        OSError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it does not replace an existing file
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
