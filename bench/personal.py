"""Keys that personal data is sealed with, as an installation has them; the key file is new each time."""

import tempfile
from pathlib import Path

from shared.eventstore.personal_keys import PersonalKeys
from shared.personal.opening import open_personal_keys
from shared.secretstore.keyfile import KeyFile


def fresh_keys() -> PersonalKeys:
    """Of a key file that nobody else has."""
    with tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder:
        return open_personal_keys(KeyFile.create(Path(folder) / "keys.json"))
