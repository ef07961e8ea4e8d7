"""Encrypts the key file with a passphrase, so that a backup can contain it.

The key of AES-256-GCM is derived from the passphrase by scrypt (RFC 7914), with the parameters that OWASP
recommends: half a second and 128 MiB per guess.
"""

import base64
import json
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from chassis.secret import Secret

_COST, _BLOCK, _PARALLEL = 2**17, 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_LABEL = b"regcred-backup-keys-1"


class WrongPassphrase(Exception):
    """The key file in a backup cannot be opened."""

    def __init__(self) -> None:
        super().__init__("the key file in this backup does not open with this passphrase")


def encrypt(key_file: bytes, passphrase: Secret) -> bytes:
    """Return the encrypted contents of a key file, as JSON."""
    salt, nonce = token_bytes(_SALT_BYTES), token_bytes(_NONCE_BYTES)
    ciphertext = AESGCM(_key(passphrase, salt)).encrypt(nonce, key_file, _LABEL)
    parts = {"salt": salt, "nonce": nonce, "ciphertext": ciphertext}
    return json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()}).encode()


def decrypt(encrypted: bytes, passphrase: Secret) -> bytes:
    """Return the contents of the key file.

    Raises:
        WrongPassphrase: the passphrase is another one, or the contents were changed.
    """
    try:
        parts = {name: base64.b64decode(part) for name, part in json.loads(encrypted).items()}
        key = _key(passphrase, parts["salt"])
        return AESGCM(key).decrypt(parts["nonce"], parts["ciphertext"], _LABEL)
    except (InvalidTag, ValueError, KeyError, TypeError, AttributeError):
        raise WrongPassphrase from None


def _key(passphrase: Secret, salt: bytes) -> bytes:
    scrypt = Scrypt(salt=salt, length=_KEY_BYTES, n=_COST, r=_BLOCK, p=_PARALLEL)
    return scrypt.derive(passphrase.reveal().encode())
