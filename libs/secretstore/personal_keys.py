"""The keys of personal data, wrapped with the primary key of the key file (ADR 14).

A wrapped key in `personal.keys` consists of the name of the key in the key file, a zero byte, a nonce of 12
bytes, and the ciphertext of AES-256-GCM with its tag.
"""

import json
from collections.abc import Sequence
from secrets import token_bytes
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.database import Connection
from eventlog.storage import KeyUnreadable, PersonalKeys
from secretstore.keyfile import KeyFile, KeyFileError

_NONCE_BYTES = 12
_IN_USE = "SELECT account_id, wrapped FROM personal.keys WHERE wrapped IS NOT NULL ORDER BY account_id"
_ERASE = """
UPDATE personal.keys SET wrapped = NULL, erased_at = clock_timestamp()
WHERE wrapped IS NOT NULL AND account_id = ANY (%s)
"""


def open_personal_keys(keys: KeyFile) -> PersonalKeys:
    """Return the keys of personal data. Each is read from the database when an event first needs it."""
    return PersonalKeys(KeyFileWrapping(keys), monotonic=monotonic, random_bytes=token_bytes)


def accounts_without_readable_key(keys: KeyFile | None, connection: Connection) -> list[str]:
    """The accounts whose key of personal data this key file cannot unwrap. `None` can unwrap none."""
    wrapping = KeyFileWrapping(keys) if keys else None
    return [
        account_id
        for account_id, wrapped in connection.execute(_IN_USE)
        if wrapping is None or not _can_unwrap(wrapping, account_id, wrapped)
    ]


def erase_personal_keys(accounts: Sequence[str], connection: Connection) -> None:
    """Erase the keys of these accounts, so that their next event gets a new one.

    Personal data in their earlier events reads `erased`, as after an erasure. Only the owner of the database
    may do this.
    """
    connection.execute(_ERASE, (list(accounts),))


def _can_unwrap(wrapping: "KeyFileWrapping", account_id: str, wrapped: bytes) -> bool:
    try:
        wrapping.unwrap(account_id, wrapped)
    except KeyFileError:
        return False
    return True


class PersonalKeyUnreadable(KeyFileError, KeyUnreadable):
    """The key file is of another installation, or the row was changed or moved."""

    def __init__(self) -> None:
        super().__init__(
            "a key of personal data cannot be unwrapped: the key file is of another installation"
        )


class KeyFileWrapping:
    """`KeyWrapping` of `eventlog.storage.personal_keys` with the key file."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys

    def wrap(self, account_id: str, key: bytes) -> bytes:
        name = self._keys.primary
        nonce = token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(self._keys.key(name)).encrypt(nonce, key, _label(account_id, name))
        return name.encode() + b"\0" + nonce + ciphertext

    def unwrap(self, account_id: str, wrapped: bytes) -> bytes:
        """Raises `PersonalKeyUnreadable`."""
        name, _, encrypted = wrapped.partition(b"\0")
        try:
            text = name.decode()
            return AESGCM(self._keys.key(text)).decrypt(
                encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _label(account_id, text)
            )
        except (InvalidTag, ValueError, KeyFileError):
            raise PersonalKeyUnreadable from None


def _label(account_id: str, key: str) -> bytes:
    return json.dumps(["regcred-personal", 1, key, account_id], separators=(",", ":")).encode()
