"""What of an event is personal, and how it is sealed with a key of its account (ADR 14). Pure.

Which fields are personal is said where they are defined: `Annotated[str, Meta(extra=PERSONAL)]`.

A stored event reads as it will when its account's key is gone: its personal fields say `erased`, and whoever
has no key, SQL functions too, reads it as it stands. What the fields said lies sealed beside them, in the
metadata:

    "personal": {"key": <number of the account's key>, "sealed": <base64>}

Sealed is a JSON array of two objects: the fields of the metadata and those of the payload, each whole, that
take the place of those that stand there. The cipher is AES-256-GCM-SIV (RFC 8452), with the event's id as
nonce and as associated data. Sealing is deterministic, as the event store tells a repeated append by its
content, and what is moved to another event does not open. That one id may be sealed twice with different
contents, of which one is appended, is what this cipher bears and GCM does not.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Raw, inspect

from eventlog.events.envelope import Cipher, Metadata, StoredEvent
from eventlog.events.errors import MalformedEvent

ERASED = "erased"
_ERASED, _NULL = Raw(b'"erased"'), Raw(b"null")
_NONCE_BYTES = 12  # of the event's id; the whole id is authenticated with it

_join = msgspec.json.Encoder().encode
_Fields = dict[str, Any]  # name → `True`, or the fields of an object that has personal ones


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The key of an account that new events are sealed with; no other of the account has its number."""

    number: int
    cipher: Cipher


class _Seal(msgspec.Struct, frozen=True):
    key: int
    sealed: bytes  # base64 in JSON


class _Sealed(msgspec.Struct, frozen=True):
    personal: _Seal


class _Contents(msgspec.Struct, frozen=True, array_like=True):
    metadata: dict[str, Raw]
    payload: dict[str, Raw]


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_sealed = msgspec.json.Decoder(_Sealed).decode
_decode_contents = msgspec.json.Decoder(_Contents).decode


@dataclass(frozen=True, slots=True)
class Parted:
    """An event in two: what can be read by everybody, and what is to be sealed."""

    payload: bytes
    metadata: dict[str, Raw]
    contents: bytes

    def sealed(self, event_id: UUID, key: AccountKey) -> tuple[bytes, bytes]:
        """Payload and metadata as they are stored."""
        name = event_id.bytes
        sealed = key.cipher.encrypt(name[-_NONCE_BYTES:], self.contents, name)
        return self.payload, _join({**self.metadata, "personal": _Seal(key.number, sealed)})


def part(payload_class: type, payload: bytes, metadata: bytes) -> Parted | None:
    """Take apart what `codec.encode` and `codec.encode_metadata` made; `None` where nothing is personal."""
    about = _decode_fields(metadata)
    by_itself = msgspec.json.decode(about["actor"])["type"] == "system"
    of_metadata = _take(about, _fields_without_actor() if by_itself else _of_metadata())
    of_payload: dict[str, Raw] = {}
    if fields := personal_fields(payload_class):
        document = _decode_fields(payload)
        of_payload = _take(document, fields)
        payload = _join(document)
    if not (of_metadata or of_payload):
        return None
    return Parted(payload, about, _join([of_metadata, of_payload]))


def opened(stored: StoredEvent) -> tuple[str, str]:
    """The JSON of payload and metadata as it was before it was sealed; as it stands where there is no key.

    Raises:
        MalformedEvent: what is sealed was changed, or is another event's.
    """
    if stored.cipher is None:
        return stored.payload, stored.metadata
    name = stored.event_id.bytes
    try:
        seal = _decode_sealed(stored.metadata).personal
        contents = _decode_contents(stored.cipher.decrypt(name[-_NONCE_BYTES:], seal.sealed, name))
    except (InvalidTag, ValueError):  # msgspec's errors are ValueErrors
        raise MalformedEvent(
            stored.type, stored.schema_version, "what is sealed in it does not open"
        ) from None
    return _replaced(stored.payload, contents.payload), _replaced(stored.metadata, contents.metadata)


def _replaced(text: str, fields: dict[str, Raw]) -> str:
    """An object's JSON in which these fields take the place of those of the same name."""
    return _join({**_decode_fields(text), **fields}).decode() if fields else text


def payload_or_erased(stored: StoredEvent) -> bytes:
    """The payload's JSON, opened; where it does not open, as it reads without its key.

    Most payloads have nothing personal: what is not said to be `erased` in them is not opened for it.
    """
    if ERASED not in stored.payload:
        return stored.payload.encode()
    try:
        payload, _ = opened(stored)
    except MalformedEvent:
        payload = stored.payload
    return payload.encode()


@cache
def personal_fields(a_class: type) -> _Fields:
    """The personal fields of a payload's class, by name.

    Raises:
        TypeError: one is in a list, where this module does not look.
    """
    found = _personal(inspect.type_info(a_class))
    return found if isinstance(found, dict) else {}


def _personal(kind: inspect.Type) -> _Fields | bool:
    match kind:
        case inspect.Metadata():
            return bool((kind.extra or {}).get("personal")) or _personal(kind.type)
        case inspect.UnionType():
            members = [_personal(member) for member in kind.types]
            return next((found for found in members if found), False)
        case inspect.DataclassType() | inspect.StructType():
            of_fields = {field.encode_name: _personal(field.type) for field in kind.fields}
            return {name: found for name, found in of_fields.items() if found}
        case inspect.VarTupleType() | inspect.ListType() if _personal(kind.item_type):
            raise TypeError("a personal field in a list would not be found")
        case _:
            return False


@cache
def _of_metadata() -> _Fields:
    return personal_fields(Metadata)


@cache
def _fields_without_actor() -> _Fields:
    """Of metadata whose actor is regcred itself."""
    return {name: fields for name, fields in _of_metadata().items() if name != "actor"}


def _take(document: dict[str, Raw], fields: _Fields) -> dict[str, Raw]:
    """Takes out of a document those fields, whole, that have something personal; there they are as erased."""
    taken = {}
    for name, within in fields.items():
        value = document.get(name, _NULL)
        if value == _NULL:  # what nobody said stays so: whoever reads has to tell that apart
            continue
        taken[name] = value
        document[name] = (
            _ERASED if within is True else Raw(_join(_erased(msgspec.json.decode(value), within)))
        )
    return taken


def _erased(value: Any, fields: _Fields) -> Any:
    for name, within in fields.items():
        if value[name] is not None:
            value[name] = _erased(value[name], within) if isinstance(within, dict) else ERASED
    return value
