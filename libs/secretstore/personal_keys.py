"""The keys of personal data, as every service has them."""

from pathlib import Path
from secrets import token_bytes
from time import monotonic

from eventlog.storage import PersonalKeys
from secretstore.key_wrapping import KeyFileWrapping
from secretstore.keyfile import KeyFile


def open_personal_keys(keys: KeyFile) -> PersonalKeys:
    """They are read from the database with the first event that needs one."""
    return PersonalKeys(KeyFileWrapping(keys), monotonic=monotonic, random_bytes=token_bytes)


def open_key_file(path: Path) -> PersonalKeys:
    """The keys of personal data under the keys of this file.

    Raises:
        KeyFileError.
    """
    return open_personal_keys(KeyFile.load(path))
