"""Writes and verifies the proof of one account (ADR 11).

The proof contains all events of the account up to a position of the log, in order, unchanged except for
internal fields (`eventlog.events.internal`), which have zeros. A verification needs neither a database nor
events of other accounts.

    {"format":"regcred-account-proof-1","account_id":"acme"}
    {"position":3,"recorded_at":…,"event_id":…,…,"data":…,"meta":…}       each event, as `HashedEvent` has it
    {"events":1,"head":…,"log_position":9,"log_hash":…,"time":…,"key_id":…,"signature":…}

`head` chains the lines of the events: SHA-256 of the previous head (32 zero bytes at first) and the line with
its line feed. The signature covers the account and all other fields of the last line. Verification accepts a
file only byte for byte as it was written, so not even a space can be changed.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import BinaryIO, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.runtime.clock import rfc3339
from eventlog.events.internal import without_internal
from eventlog.integrity.chain import Anchor, Fault, HashedEvent, Link, verify_chain
from eventlog.integrity.keys import key_id

FORMAT = "regcred-account-proof-1"
_START = bytes(32)
_S = TypeVar("_S", bound=msgspec.Struct)


class BrokenProof(Exception):
    """The file is not the one that was signed. `line` is the first line that shows it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class BrokenLog(Exception):
    """A proof cannot be written, because the log is not intact."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"the log is broken at position {fault.position}: {fault.kind}: {fault.detail}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Proven:
    """The statement of a verified proof: the account has `events` events up to the anchor of the log."""

    account_id: str
    events: int
    head: bytes
    log: Anchor
    time: str
    key_id: str
    comparable: bytes  # `head` of the same events without internal fields, which proofs of 0.9.0 had


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    account_id: str


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    position: int
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


class _SignedEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: int
    head: str
    log_position: int
    log_hash: str
    time: str
    key_id: str
    signature: str

    def signed(self, account_id: str) -> bytes:
        anchor = (str(self.log_position), self.log_hash)
        parts = (FORMAT, account_id, str(self.events), self.head, *anchor, self.time, self.key_id)
        return "\n".join(parts).encode()


def write_proof(
    links: Iterable[Link],
    account_id: str,
    file: BinaryIO,
    *,
    key: Ed25519PrivateKey,
    time: datetime,
    outside_chain: Callable[[], Fault | None] = lambda: None,
) -> Proven:
    """Write the events of an account, and verify the complete log at the same time.

    Needs constant memory. `outside_chain` finds faults that the chain does not show.

    Raises:
        BrokenLog: the log is not intact; the file is incomplete and not a proof.
    """
    file.write(_line(_Header(FORMAT, account_id)))
    head, count = _START, 0

    def written() -> Iterator[Link]:
        nonlocal head, count
        for link in links:
            if link.entry is not None and link.entry.account_id == account_id:
                line = _line(_event(link.position, link.entry))
                file.write(line)
                head, count = _next(head, line), count + 1
            yield link

    found = verify_chain(written())
    found = found.with_fault(outside_chain() if found.fault is None else None)
    if found.fault is not None:
        raise BrokenLog(found.fault)
    end = _SignedEnd(
        events=count,
        head=head.hex(),
        log_position=found.end.position,
        log_hash=found.end.hash.hex(),
        time=rfc3339(time),
        key_id=key_id(key.public_key()),
        signature="",
    )
    signature = base64.b64encode(key.sign(end.signed(account_id))).decode()
    file.write(_line(msgspec.structs.replace(end, signature=signature)))
    return _proven(account_id, end, head)


def verify_proof(file: Iterable[bytes], key: Ed25519PublicKey, *, earlier: Proven | None = None) -> Proven:
    """Verify a proof.

    With an `earlier` proof, verify that this one begins with all events of the earlier one.

    The signature vouches that no event is missing. Without trust in the signer, the file shows only that each
    stream has all versions from 1.

    Raises:
        BrokenProof: the file is not a proof, was changed, or does not continue the earlier proof.
    """
    lines = enumerate(file, 1)
    number, text = next(lines, (1, b""))
    header = _read(_Header, number, text)
    if header.format != FORMAT:
        raise BrokenProof(number, f"its format is {header.format!r}, not {FORMAT!r}")
    if earlier is not None and earlier.account_id != header.account_id:
        raise BrokenProof(number, "the earlier proof is of another account")
    head, comparable, count, position = _START, _START, 0, 0
    versions: dict[str, int] = {}
    number, text = next(lines, (2, b""))
    for following in lines:  # the last line is the signed end
        event = _read(_Event, number, text)
        if event.account_id != header.account_id:
            raise BrokenProof(number, "the event belongs to another account")
        if event.position <= position:
            raise BrokenProof(number, "its position is not after that of the previous event")
        if event.version != versions.get(event.stream_id, 0) + 1:
            raise BrokenProof(number, f"version {event.version} of its stream does not follow")
        versions[event.stream_id], position = event.version, event.position
        head, count = _next(head, text), count + 1
        try:
            comparable = _next(comparable, _line(_public(event)))
        except msgspec.MsgspecError:
            raise BrokenProof(number, "the data of the event is not JSON") from None
        if earlier is not None and count == earlier.events and comparable != earlier.comparable:
            raise BrokenProof(number, "the events up to this line are not those of the earlier proof")
        number, text = following
    end = _read(_SignedEnd, number, text)
    if (end.events, end.head) != (count, head.hex()) or end.log_position < position:
        raise BrokenProof(number, "the events are not those that were signed")
    _check_signature(end, header.account_id, number, key)
    proven = _proven(header.account_id, end, comparable)
    if earlier is not None:
        _check_earlier(proven, earlier, number)
    return proven


def _check_signature(end: _SignedEnd, account_id: str, number: int, key: Ed25519PublicKey) -> None:
    try:
        signature = base64.b64decode(end.signature, validate=True)
        key.verify(signature, end.signed(account_id))
    except (ValueError, InvalidSignature):
        raise BrokenProof(
            number, f"not signed with this key (it names key {end.key_id}), or changed"
        ) from None
    if base64.b64encode(signature).decode() != end.signature:
        raise BrokenProof(number, "the signature has another base64 form")


def _check_earlier(proven: Proven, earlier: Proven, number: int) -> None:
    if earlier.events > proven.events or earlier.log.position > proven.log.position:
        raise BrokenProof(
            number, f"the earlier proof has {earlier.events} events, some of which this one lacks"
        )
    if earlier.log.position == proven.log.position and earlier.log.hash != proven.log.hash:
        raise BrokenProof(number, "the log is not that of the earlier proof")


def _event(position: int, entry: HashedEvent) -> _Event:
    return _public(_Event(position, **{name: getattr(entry, name) for name in HashedEvent.__slots__}))


def _public(event: _Event) -> _Event:
    return msgspec.structs.replace(event, data=without_internal(event.type, event.schema_version, event.data))


def _line(struct: msgspec.Struct) -> bytes:
    return msgspec.json.encode(struct) + b"\n"


def _next(head: bytes, line: bytes) -> bytes:
    return sha256(head + line).digest()


def _read(kind: type[_S], number: int, text: bytes) -> _S:
    try:
        found = msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BrokenProof(number, "it is not a line of a proof, or was changed") from None
    if _line(found) != text:
        raise BrokenProof(number, "its JSON has another form than when it was written")
    return found


def _proven(account_id: str, end: _SignedEnd, comparable: bytes) -> Proven:
    try:
        head, log_hash = bytes.fromhex(end.head), bytes.fromhex(end.log_hash)
    except ValueError:
        raise BrokenProof(0, "the hashes are not hexadecimal") from None
    return Proven(
        account_id,
        end.events,
        head,
        Anchor(end.log_position, log_hash),
        end.time,
        end.key_id,
        comparable,
    )
