"""Times of PostgreSQL that Python cannot represent: infinity, and years before 1 or after 9999.

No service writes one. A person who edits a row can, and psycopg then fails to read it. Here such a time
becomes the earliest or the latest `datetime`, so that a row with it is compared and refused like any other
changed row.
"""

from datetime import UTC, datetime

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_TYPE = "timestamptz"
_OID = psycopg.postgres.types[_TYPE].oid
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_SIGN_BIT = 0x80  # in the first byte of the binary form: before the year 2000


_DEFAULT = {which: psycopg.adapters.get_loader(_OID, which) for which in (Format.TEXT, Format.BINARY)}


class _TextLoader(Loader):
    format = Format.TEXT

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        default = _DEFAULT[self.format]
        if default is None:
            raise LookupError(_TYPE)
        self._load = default(oid, context).load

    def load(self, data: Buffer) -> datetime:
        try:
            found: datetime = self._load(data)
        except psycopg.DataError:
            return _EARLIEST if self._is_early(bytes(data)) else _LATEST
        return found

    def _is_early(self, data: bytes) -> bool:
        return data.startswith(b"-") or data.endswith(b"BC")


class _BinaryLoader(_TextLoader):
    format = Format.BINARY

    def _is_early(self, data: bytes) -> bool:
        return bool(data[0] & _SIGN_BIT)


def read_every_time() -> None:
    """Use these loaders for every connection that this process opens later."""
    for loader in (_TextLoader, _BinaryLoader):
        psycopg.adapters.register_loader(_TYPE, loader)
