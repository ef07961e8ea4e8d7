"""Keys that encrypt personal data, as in an installation, each with a new key file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.storage import PersonalKeys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys


def fresh_keys() -> PersonalKeys:
    """Keys of a temporary key file."""
    with fresh_key_file() as path:
        return open_personal_keys(KeyFile.load(path))


@contextmanager
def fresh_key_file() -> Iterator[Path]:
    """Yield a temporary key file for other processes."""
    with tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder:
        KeyFile.create(path := Path(folder) / "keys.json")
        yield path
