"""The key pair that signs checkpoints (Ed25519, RFC 8032). It belongs on another machine than the log."""

import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eventlog.integrity.errors import KeyExists, UnusableKey


def key_id(key: Ed25519PublicKey) -> str:
    """Which key it is: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_path(private: Path) -> Path:
    """Where the public half of a key file stands: beside it, with `.pub`."""
    return private.with_name(private.name + ".pub")


def create_key(path: Path) -> Ed25519PublicKey:
    """Make a key pair: the private half in `path` (0600), the public one beside it. Both are PEM.

    Raises:
        KeyExists: one of the files is there.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if public_path(path).exists():
        raise KeyExists(public_path(path))
    _write_new(path, private, 0o600)
    _write_new(public_path(path), public, 0o644)
    return key.public_key()


def load_private(path: Path) -> Ed25519PrivateKey:
    """Raises `UnusableKey`."""
    if not path.exists():
        raise UnusableKey(path, "No such file; `regcred log keygen` makes one")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKey(path, _reason(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKey(path, "this is no Ed25519 key")
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """Raises `UnusableKey`."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(path, _reason(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableKey(path, "this is no Ed25519 key")
    return key


def _write_new(path: Path, contents: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise KeyExists(path) from None
    except OSError as error:
        raise UnusableKey(path, _reason(error)) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(contents)


def _reason(error: Exception) -> str:
    """Without what the file holds."""
    return (
        error.strerror or "it cannot be read" if isinstance(error, OSError) else "it holds no such key in PEM"
    )
