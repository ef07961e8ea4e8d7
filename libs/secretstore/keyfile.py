"""The key file of an installation: the keys of encrypted data, and the pepper of keyed hashes.

    {"primary": "k1", "keys": {"k1": <base64 of 32 bytes>, …}, "pepper": <base64 of 32 bytes>}

With this file and the database, every secret of the encrypted table can be read. Only its owner may access
the file (0600), and its backup is separate from that of the database. The database has check values of the
keys (`installation`): with another key file nothing starts, and a missing one is not created again.
"""

import base64
import hmac
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes
from typing import NoReturn

from chassis.atomic_file import create_file
from chassis.runtime.cannot_start import CannotStart
from chassis.secret import REDACTED, Secret

KEY_BYTES = 32
_FINGERPRINT_DIGITS = 32


class KeyFileError(CannotStart):
    """The key file cannot be used. The message contains the reason and no part of a key."""


class KeyFile:
    """The keys of a key file. It cannot be printed or pickled."""

    __slots__ = ("__keys", "__pepper", "primary")

    def __init__(self, *, primary: str, keys: Mapping[str, bytes], pepper: bytes) -> None:
        sizes = {len(key) for key in (*keys.values(), pepper)}
        if primary not in keys or sizes != {KEY_BYTES}:
            raise KeyFileError("the key file has no primary key, or a key whose size is not 32 bytes")
        self.primary = primary
        self.__keys = dict(keys)
        self.__pepper = pepper

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read a key file.

        Raises:
            KeyFileError: the file is missing, damaged, a link, owned by another user, or readable by others.
        """
        try:
            # without O_NONBLOCK, a named pipe at this path would block
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise KeyFileError(f"cannot open the key file {path}: {error.strerror}") from None
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise KeyFileError(f"the key file {path} is not a regular file")
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_IMODE(state.st_mode) & 0o077 or state.st_uid != os.geteuid():
                raise KeyFileError(f"the key file {path} must have mode 0600 and be owned by this user")
            text = file.read()
        try:
            document = json.loads(text)
            keys = {name: base64.b64decode(key) for name, key in document["keys"].items()}
            pepper = base64.b64decode(document["pepper"])
            primary = str(document["primary"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise KeyFileError(f"the key file {path} is damaged; restore it from its backup") from None
        return cls(primary=primary, keys=keys, pepper=pepper)

    @classmethod
    def create(cls, path: Path) -> "KeyFile":
        """Create a key file with new keys. If another process creates it at the same time, read that one.

        Raises:
            KeyFileError: the file cannot be created, or the file that exists cannot be used.
        """
        document = {
            "primary": "k1",
            "keys": {"k1": base64.b64encode(token_bytes(KEY_BYTES)).decode()},
            "pepper": base64.b64encode(token_bytes(KEY_BYTES)).decode(),
        }
        try:
            create_file(path, json.dumps(document).encode(), mode=0o600)
        except FileExistsError:
            pass
        except OSError as error:
            raise KeyFileError(f"cannot create the key file {path}: {error.strerror}") from None
        return cls.load(path)

    def key(self, name: str) -> bytes:
        """Return the key with this name.

        Raises:
            KeyFileError: the file does not contain it.
        """
        try:
            return self.__keys[name]
        except KeyError:
            raise KeyFileError(f"the key file has no key {name}") from None

    def check_values(self) -> dict[str, str]:
        """Return a check value for each key: an HMAC-SHA-256 under that key, 64 hex digits.

        It identifies the key. The keys are random and have 256 bits, so the value does not help to find one.
        """
        named = {"pepper": self.__pepper, **{f"key {name}": key for name, key in self.__keys.items()}}
        return {
            name: hmac.digest(key, b"regcred-key-check\0" + name.encode(), "sha256").hex()
            for name, key in named.items()
        }

    def keyed_hash(self, purpose: str, data: bytes) -> str:
        """Return the HMAC-SHA-256 of `data` under the pepper, 64 hex digits. It differs for each purpose."""
        message = purpose.encode() + b"\0" + data
        return hmac.digest(self.__pepper, message, "sha256").hex()

    def secret_fingerprint(self, secret: Secret) -> str:
        """Return 32 hex digits that are equal for equal secrets, and reveal nothing without the pepper."""
        return self.keyed_hash("fingerprint", secret.reveal().encode())[:_FINGERPRINT_DIGITS]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key file is never serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a key file is never serialised")

    def __repr__(self) -> str:
        return f"KeyFile({REDACTED})"
