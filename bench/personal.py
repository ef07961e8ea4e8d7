"""Keys that encrypt personal data, as an installation has them; the key file is new each time."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.storage import PersonalKeys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys


def fresh_keys() -> PersonalKeys:
    """Of a key file that nobody else has."""
    with fresh_key_file() as path:
        return open_personal_keys(KeyFile.load(path))


@contextmanager
def fresh_key_file() -> Iterator[Path]:
    """One that other processes can read, for the while."""
    with tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder:
        KeyFile.create(path := Path(folder) / "keys.json")
        yield path
