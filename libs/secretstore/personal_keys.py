"""The keys of personal data, wrapped with the primary key of the key file (ADR 14).

A wrapped key in `personal.keys` consists of the name of the key in the key file, a zero byte, a nonce of 12
bytes, and the ciphertext of AES-256-GCM with its tag.
"""

import json
from secrets import token_bytes
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eventlog.storage import PersonalKeys
from secretstore.keyfile import KeyFile, KeyFileError

_NONCE_BYTES = 12


def open_personal_keys(keys: KeyFile) -> PersonalKeys:
    """Return the keys of personal data. Each is read from the database when an event first needs it."""
    return PersonalKeys(KeyFileWrapping(keys), monotonic=monotonic, random_bytes=token_bytes)


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
        """Raises `KeyFileError`: the key file is of another installation, or the row was changed or moved."""
        name, _, encrypted = wrapped.partition(b"\0")
        try:
            text = name.decode()
            return AESGCM(self._keys.key(text)).decrypt(
                encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _label(account_id, text)
            )
        except (InvalidTag, ValueError):
            raise KeyFileError(
                "a key of personal data cannot be unwrapped: the key file is of another installation"
            ) from None


def _label(account_id: str, key: str) -> bytes:
    return json.dumps(["regcred-personal", 1, key, account_id], separators=(",", ":")).encode()
