"""Keys of accounts under the key file's primary key, as they are kept in `personal.keys` (ADR 14).

A wrapped key is: name of the key file's key, a zero byte, 12 bytes of nonce, and of AES-256-GCM the key's
ciphertext with its tag.
"""

import json
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretstore.keyfile import KeyFile, KeyFileError

_NONCE_BYTES = 12


class KeyFileWrapping:
    """`eventlog.storage.personal_keys.KeyWrapping` by the key file."""

    def __init__(self, keys: KeyFile) -> None:
        self._keys = keys

    def wrap(self, account_id: str, key: bytes) -> bytes:
        name = self._keys.primary
        nonce = token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._keys.key(name)).encrypt(nonce, key, _label(account_id, name))
        return name.encode() + b"\0" + nonce + sealed

    def unwrap(self, account_id: str, wrapped: bytes) -> bytes:
        """Raises `KeyFileError`: the key file is another installation's, or the row was changed or moved."""
        name, _, rest = wrapped.partition(b"\0")
        try:
            text = name.decode()
            return AESGCM(self._keys.key(text)).decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _label(account_id, text)
            )
        except (InvalidTag, ValueError):
            raise KeyFileError(
                "a key of personal data does not unwrap with this key file: it is another installation's"
            ) from None


def _label(account_id: str, key: str) -> bytes:
    return json.dumps(["regcred-personal", 1, key, account_id], separators=(",", ":")).encode()
