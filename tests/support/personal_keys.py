"""Keys of personal data for tests: real ones, under the keys of a key file that is not stored."""

from secrets import token_bytes
from time import monotonic

from eventlog.storage import PersonalKeys
from secretstore.keyfile import KEY_BYTES, KeyFile
from secretstore.personal_keys import KeyFileWrapping


def personal_keys(*, name: str = "k1") -> PersonalKeys:
    keys = KeyFile(primary=name, keys={name: token_bytes(KEY_BYTES)}, pepper=token_bytes(KEY_BYTES))
    return PersonalKeys(KeyFileWrapping(keys), monotonic=monotonic, random_bytes=token_bytes)
