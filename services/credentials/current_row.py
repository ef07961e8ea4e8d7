"""The row of `credentials.current`: its columns, and the code that authenticates it.

Commands and pull secrets are decided on these rows. If somebody changed one in the database, a secret would
go to another registry or project. The service therefore stores an HMAC under the key file with
each row. It covers every column that decides to whom a secret is issued. `added_at` and the last verification
are not covered: another service or the database writes them, and they only rank credentials that may be used.
Nor is `requested_rotation`, by which the service finds rotations; the log decides on them.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from contracts.credential import Active, columns
from secretstore.keyfile import KeyFile

Authenticate = Callable[[bytes], bytes]  # the HMAC of an installation

_PURPOSE = "credential state"
# Columns of a credential that `credentials.current` does not have; two of them are personal.
_NOT_CURRENT = frozenset({"location", "username", "description", "rotation"})
_ALWAYS_COVERED = (
    "account_id",
    "credential_id",
    "version",
    "name",
    "provider",
    "registry_host",
    "repository_prefixes",
    "pull",
    "push",
    "restricted",
    "projects",
    "secret_version",
    "expires_at",
)
COVERED = (*_ALWAYS_COVERED, "frozen", "additional_hosts", "mirror_of")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def authenticate_rows(keys: KeyFile) -> Authenticate:
    """Return the HMAC under the key file of the installation."""

    def authenticate(row: bytes) -> bytes:
        return bytes.fromhex(keys.keyed_hash(_PURPOSE, row))

    return authenticate


def current_row(credential: Active, *, account_id: str, version: int) -> dict[str, object]:
    """Return the columns that the service writes, without the authentication code."""
    return {
        "credential_id": credential.credential_id,
        "account_id": account_id,
        "version": version,
        **{name: value for name, value in columns(credential).items() if name not in _NOT_CURRENT},
        "requested_rotation": credential.requested.rotation_id if credential.requested else None,
    }


def authentication_code(row: Mapping[str, Any], authenticate: Authenticate) -> bytes:
    """Return the code (32 bytes) of a row. Other columns than the covered ones are ignored.

    The rows of 0.9.0 have none of the later columns: the code does not depend on their
    defaults.
    """
    values = [row[name] for name in _ALWAYS_COVERED]
    expires_at = values[-1]
    if expires_at is not None:  # the same for each time zone in which the database returns it
        values[-1] = (expires_at - _EPOCH) // _MICROSECOND
    if row["frozen"]:
        values.append("frozen")
    values += [[name, *row[name]] for name in ("additional_hosts", "mirror_of") if row[name]]
    return authenticate(msgspec.json.encode(values))
