"""Verifies the hash chain of the log. Pure: the caller reads the rows from a database or a file.

The canonical form is that of `es.link` in migration 0010. ADR 8 describes it byte by byte.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from eventlog.integrity.errors import CheckpointTooEarly

FORMAT = "regcred-log-1"
GENESIS = bytes(32)  # the previous hash of the first row


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedEvent:
    """The values that the hash of an event covers, in their hashed form.

    `recorded_at` is UTC to the microsecond, as `2026-01-02T03:04:05.678901Z`. Ids are UUIDs in lower case.
    `data` and `meta` are the JSON text that PostgreSQL returns for `jsonb`, byte for byte.
    """

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


@dataclass(frozen=True, slots=True)
class Link:
    """A stored row of the log. `entry` is `None` if its event is missing."""

    position: int
    entry: HashedEvent | None
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position and the hash of its row, which covers all rows up to it."""

    position: int
    hash: bytes


START = Anchor(0, GENESIS)


class FaultKind(StrEnum):
    """Kinds of faults of a log."""

    CHANGED_EVENT = "changed_event"
    MISSING_EVENT = "missing_event"
    MISSING_POSITION = "missing_position"
    HASH_DIFFERS = "hash_differs"
    CHECKPOINT_DIFFERS = "checkpoint_differs"
    MISSING_AFTER = "missing_after"
    EVENT_OUTSIDE = "event_outside"
    ORDER_CHANGED = "order_changed"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault of a log. `position` is `None` if the fault has no position."""

    kind: FaultKind
    position: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class ChainVerification:
    """The result of a verification up to `end`. `checkpoint` is the position of a checkpoint that matched."""

    start: Anchor
    end: Anchor
    fault: Fault | None
    checkpoint: int | None = None

    def with_fault(self, fault: Fault | None) -> "ChainVerification":
        """The same result with a fault that was found outside the chain."""
        return self if fault is None else replace(self, fault=fault, checkpoint=None)


def next_hash(previous: bytes, position: int, entry: HashedEvent) -> bytes:
    """The hash (32 bytes) of the row at `position`. `previous` is the hash of the row before it."""
    return sha256(canonical(previous, position, entry).encode()).digest()


def canonical(previous: bytes, position: int, entry: HashedEvent) -> str:
    """The thirteen lines that are hashed. The last has no line feed."""
    return (
        f"{FORMAT}\n{previous.hex()}\n{position}\n{entry.recorded_at}\n{entry.event_id}\n{entry.stream_id}\n"
        f"{entry.category}\n{entry.account_id}\n{entry.version}\n{entry.type}\n{entry.schema_version}\n"
        f"{entry.data}\n{entry.meta}"
    )


def verify_chain(
    links: Iterable[Link], *, start: Anchor = START, checkpoint: Anchor | None = None
) -> ChainVerification:
    """Recompute the chain after `start` up to the first fault or the end, in constant memory.

    `start` is not verified. With a `checkpoint`, the rows up to its position are verified to be those that
    were signed.

    Raises:
        CheckpointTooEarly: the checkpoint is before `start`, so it cannot be compared.
    """
    if checkpoint is not None and checkpoint.position < start.position:
        raise CheckpointTooEarly(checkpoint.position, start.position + 1)
    fault = _compare(start, checkpoint)
    end = start
    rows = iter(links)
    for link in rows if fault is None else ():
        fault = _fault_of(link, end, checkpoint, rows)
        if fault is not None:
            break
        end = Anchor(link.position, link.hash)
        fault = _compare(end, checkpoint)
        if fault is not None:
            break
    if fault is None and checkpoint is not None and end.position < checkpoint.position:
        detail = f"the log ends at {end.position}, the checkpoint is of position {checkpoint.position}"
        fault = Fault(FaultKind.MISSING_AFTER, end.position + 1, detail)
    matched = checkpoint.position if checkpoint and fault is None else None
    return ChainVerification(start=start, end=end, fault=fault, checkpoint=matched)


def _compare(end: Anchor, checkpoint: Anchor | None) -> Fault | None:
    if checkpoint is None or checkpoint.position != end.position or checkpoint.hash == end.hash:
        return None
    detail = "the chain is consistent, but it is not the one that was signed: it was written again"
    return Fault(FaultKind.CHECKPOINT_DIFFERS, end.position, detail)


def _fault_of(link: Link, end: Anchor, checkpoint: Anchor | None, rest: Iterator[Link]) -> Fault | None:
    expected = end.position + 1
    if link.position != expected:
        return Fault(
            FaultKind.MISSING_POSITION,
            expected,
            f"position {expected} is missing, the next row has position {link.position}",
        )
    if link.entry is None:
        return Fault(FaultKind.MISSING_EVENT, expected, "the event of this position is missing")
    computed = next_hash(end.hash, expected, link.entry)
    if computed == link.hash:
        if canonical(end.hash, expected, link.entry).count("\n") == 12:  # noqa: PLR2004 thirteen lines
            return None
        return Fault(FaultKind.CHANGED_EVENT, expected, "a field has a line break, which the append refuses")
    return _explain(link, computed, checkpoint, next(rest, None))


def _explain(link: Link, computed: bytes, checkpoint: Anchor | None, after: Link | None) -> Fault:
    """Find out whether the event or its hash was changed.

    The next row or the checkpoint confirms the unchanged one.
    """
    signed = checkpoint.hash if checkpoint and checkpoint.position == link.position else None
    if signed == computed or _follows(after, computed):
        return Fault(FaultKind.HASH_DIFFERS, link.position, "the event is unchanged, its hash was changed")
    if signed == link.hash or _follows(after, link.hash):
        detail = "the event or its contents are not those that were hashed"
        return Fault(FaultKind.CHANGED_EVENT, link.position, detail)
    if after is None:
        return Fault(
            FaultKind.HASH_DIFFERS, link.position, "the event or its hash was changed, at the end of the log"
        )
    return Fault(FaultKind.CHANGED_EVENT, link.position, "the log was changed at this position and after it")


def _follows(after: Link | None, previous: bytes) -> bool:
    return (
        after is not None
        and after.entry is not None
        and next_hash(previous, after.position, after.entry) == after.hash
    )
