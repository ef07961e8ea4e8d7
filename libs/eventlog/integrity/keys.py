"""The key pair that signs checkpoints (Ed25519, RFC 8032). Store it on another machine than the log."""

from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.atomic_file import create_file
from eventlog.integrity.errors import KeyExists, UnusableKey


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_path(private: Path) -> Path:
    """The path of the public key that belongs to a private key file: the same name with `.pub`."""
    return private.with_name(private.name + ".pub")


def create_key(path: Path) -> Ed25519PublicKey:
    """Create a key pair, as PEM files.

    The private key is in `path` (mode 0600), the public key in `public_path(path)`.

    Raises:
        KeyExists: one of the files exists.
        UnusableKey: a file cannot be written.
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
    """Read a key from a PEM file. Raises `UnusableKey`."""
    if not path.exists():
        raise UnusableKey(path, "No such file; `regcred log keygen` creates one")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKey(path, _reason(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKey(path, "this is not an Ed25519 key")
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """Read a key from a PEM file. Raises `UnusableKey`."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(path, _reason(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableKey(path, "this is not an Ed25519 key")
    return key


def _write_new(path: Path, contents: bytes, mode: int) -> None:
    try:
        create_file(path, contents, mode=mode)
    except FileExistsError:
        raise KeyExists(path) from None
    except OSError as error:
        raise UnusableKey(path, _reason(error)) from None


def _reason(error: Exception) -> str:
    """A reason that contains nothing of the file."""
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else "it contains no PEM key"
