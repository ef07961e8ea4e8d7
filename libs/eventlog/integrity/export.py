"""Exports the log to a file that can be verified without a database, one JSON object per line.

`data` and `meta` are strings with JSON text. The hash chain covers this text byte for byte, and as strings it
survives tools that rewrite the lines.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from eventlog.integrity.chain import HashedEvent, Link
from eventlog.integrity.errors import MalformedExport


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    position: int
    hash: str
    recorded_at: str
    event_id: str
    stream_id: str
    category: str
    account_id: str
    version: int
    type: str
    schema_version: int
    data: str
    meta: str


_FIELDS = HashedEvent.__slots__
_decode = msgspec.json.Decoder(_Line).decode


def write_export(links: Iterable[Link], file: BinaryIO) -> int:
    """Write all rows and return their number. A row without its event is omitted; verification reports it."""
    count = 0
    for link in links:
        if link.entry is not None:
            fields = {name: getattr(link.entry, name) for name in _FIELDS}
            line = {"position": link.position, "hash": link.hash.hex(), **fields}
            file.write(msgspec.json.encode(line) + b"\n")
            count += 1
    return count


def read_export(file: Iterable[bytes]) -> Iterator[Link]:
    """The rows of an exported log.

    Raises:
        MalformedExport: a line was not written by `write_export`.
    """
    for number, text in enumerate(file, 1):
        try:
            line = _decode(text)
            digest = bytes.fromhex(line.hash)
        except (msgspec.MsgspecError, ValueError) as error:
            raise MalformedExport(number, str(error)) from None
        yield Link(line.position, HashedEvent(**{name: getattr(line, name) for name in _FIELDS}), digest)
