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
from eventlog.storage import KeyMissing, KeyUnreadable, PersonalKeys
from secretstore.keyfile import KeyFile, KeyFileError

_NONCE_BYTES = 12
_IN_USE = """
SELECT account_id, number, wrapped FROM personal.keys WHERE wrapped IS NOT NULL ORDER BY account_id, number
"""
_ERASE = """
UPDATE personal.keys SET wrapped = NULL, erased_at = clock_timestamp()
WHERE wrapped IS NOT NULL AND (account_id, number) IN (SELECT * FROM unnest(%s::text[], %s::integer[]))
"""


def open_personal_keys(keys: KeyFile) -> PersonalKeys:
    """Return the keys of personal data. Each is read from the database when an event first needs it."""
    return PersonalKeys(KeyFileWrapping(keys), monotonic=monotonic, random_bytes=token_bytes)


def unreadable_personal_keys(keys: KeyFile | None, connection: Connection) -> list[tuple[str, int]]:
    """The keys of personal data that this key file cannot unwrap: account and number of each.

    `None` can unwrap none. An account can have several keys, one for each role that writes its events.
    """
    wrapping = KeyFileWrapping(keys) if keys else None
    return [
        (account_id, number)
        for account_id, number, wrapped in connection.execute(_IN_USE)
        if wrapping is None or not _can_unwrap(wrapping, account_id, wrapped)
    ]


def erase_personal_keys(keys: Sequence[tuple[str, int]], connection: Connection) -> None:
    """Erase these keys (account and number of each). The next event of their accounts gets a new one.

    Personal data in the events that they encrypted reads `erased`, as after an erasure. Only the owner
    of the database may do this.
    """
    accounts, numbers = [account for account, _ in keys], [number for _, number in keys]
    connection.execute(_ERASE, (accounts, numbers))


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


class PersonalKeyNotInFile(KeyFileError, KeyMissing):
    """The key file of this process has no key of the name that the wrapped key has."""

    def __init__(self) -> None:
        super().__init__("a key of personal data was wrapped with a key that the key file does not have")


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
        """Raises `PersonalKeyNotInFile`, `PersonalKeyUnreadable`."""
        name, _, encrypted = wrapped.partition(b"\0")
        try:
            text = name.decode()
            key = self._keys.key(text)
        except KeyFileError:
            raise PersonalKeyNotInFile from None
        except ValueError:
            raise PersonalKeyUnreadable from None
        try:
            return AESGCM(key).decrypt(
                encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _label(account_id, text)
            )
        except (InvalidTag, ValueError):
            raise PersonalKeyUnreadable from None


def _label(account_id: str, key: str) -> bytes:
    return json.dumps(["regcred-personal", 1, key, account_id], separators=(",", ":")).encode()
