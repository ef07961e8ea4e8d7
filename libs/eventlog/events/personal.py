"""Encrypts the personal fields of events with a key of their account (ADR 14). Pure.

A field is personal if its definition says so: `Annotated[str, Meta(extra=PERSONAL)]`.

In the stored event a personal field has the value `erased`. Readers without the key, SQL functions among
them, read this value before and after the erasure of the key. The encrypted values are in the metadata:

    "personal": {"key": <number of the account's key>, "sealed": <base64>}

The plaintext is a JSON array of two objects, the fields of the metadata and the fields of the payload. They
replace the fields of the same names. The cipher is AES-256-GCM-SIV (RFC 8452). The id of the event is the
nonce and the associated data, so the ciphertext of one event cannot be decrypted in another. Encryption is
deterministic because the event store recognises a repeated append by its content. The same id can be
encrypted with two contents, of which one is appended: AES-GCM-SIV is secure with a repeated nonce, GCM is
not.
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
_NONCE_BYTES = 12  # the last bytes of the event id; the whole id is the associated data

_encode = msgspec.json.Encoder().encode
_Fields = dict[str, Any]  # name → `True`, or the personal fields of the object in this field


@dataclass(frozen=True, slots=True)
class AccountKey:
    """A key that encrypts new events of an account. `number` is unique within the account."""

    number: int
    cipher: Cipher


class _Encrypted(msgspec.Struct, frozen=True):
    key: int
    sealed: bytes  # base64 in JSON


class _StoredMetadata(msgspec.Struct, frozen=True):
    personal: _Encrypted


class _Plaintext(msgspec.Struct, frozen=True, array_like=True):
    metadata: dict[str, Raw]
    payload: dict[str, Raw]


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_metadata = msgspec.json.Decoder(_StoredMetadata).decode
_decode_plaintext = msgspec.json.Decoder(_Plaintext).decode


@dataclass(frozen=True, slots=True)
class SplitEvent:
    """An event without its personal values, and the JSON of these values (`plaintext`)."""

    payload: bytes
    metadata: dict[str, Raw]
    plaintext: bytes

    def encrypted(self, event_id: UUID, key: AccountKey) -> tuple[bytes, bytes]:
        """Payload and metadata in their stored form."""
        name = event_id.bytes
        ciphertext = key.cipher.encrypt(name[-_NONCE_BYTES:], self.plaintext, name)
        return self.payload, _encode({**self.metadata, "personal": _Encrypted(key.number, ciphertext)})


def split(payload_class: type, payload: bytes, metadata: bytes) -> SplitEvent | None:
    """Separate personal values from the JSON of an event. `None` if the event has no personal value."""
    fields = _decode_fields(metadata)
    by_system = msgspec.json.decode(fields["actor"])["type"] == "system"
    of_metadata = _erase(fields, _metadata_fields_without_actor() if by_system else _metadata_fields())
    of_payload: dict[str, Raw] = {}
    if personal := personal_fields(payload_class):
        document = _decode_fields(payload)
        of_payload = _erase(document, personal)
        payload = _encode(document)
    if not (of_metadata or of_payload):
        return None
    return SplitEvent(payload, fields, _encode([of_metadata, of_payload]))


def decrypted(stored: StoredEvent) -> tuple[str, str]:
    """The JSON of payload and metadata with their personal values, or as stored if there is no key.

    Raises:
        MalformedEvent: the ciphertext was changed, or belongs to another event.
        PersonalKeyMissing: the key file of this process lacks the key.
    """
    if stored.cipher is None:
        return stored.payload, stored.metadata
    name = stored.event_id.bytes
    try:
        personal = _decode_metadata(stored.metadata).personal
        values = _decode_plaintext(stored.cipher.decrypt(name[-_NONCE_BYTES:], personal.sealed, name))
    except (InvalidTag, ValueError):  # msgspec's errors are ValueErrors
        raise MalformedEvent(
            stored.type, stored.schema_version, "its personal data cannot be decrypted"
        ) from None
    return _replaced(stored.payload, values.payload), _replaced(stored.metadata, values.metadata)


def _replaced(text: str, fields: dict[str, Raw]) -> str:
    """The JSON of an object in which `fields` replace the fields of the same names."""
    return _encode({**_decode_fields(text), **fields}).decode() if fields else text


def payload_or_erased(stored: StoredEvent) -> bytes:
    """The JSON of the payload with its personal values, or as stored if they cannot be decrypted.

    A payload without the word `erased` has no personal value, which is most payloads; it is not decrypted.

    Raises:
        PersonalKeyMissing: the key file of this process lacks the key.
    """
    if ERASED not in stored.payload:
        return stored.payload.encode()
    try:
        payload, _ = decrypted(stored)
    except MalformedEvent:
        payload = stored.payload
    return payload.encode()


@cache
def personal_fields(payload_class: type) -> _Fields:
    """The personal fields of a class of payloads, by name.

    Raises:
        TypeError: the class has a personal field in a list, which is not supported.
    """
    return marked_fields(payload_class, "personal")


def marked_fields(payload_class: type, mark: str) -> _Fields:
    """The fields of a class whose definition has this mark in `Meta(extra=…)`, by name.

    Raises:
        TypeError: the class has such a field in a list, which is not supported.
    """
    found = _marked(inspect.type_info(payload_class), mark)
    return found if isinstance(found, dict) else {}


def _marked(kind: inspect.Type, mark: str) -> _Fields | bool:
    match kind:
        case inspect.Metadata():
            return bool((kind.extra or {}).get(mark)) or _marked(kind.type, mark)
        case inspect.UnionType():
            members = [_marked(member, mark) for member in kind.types]
            return next((found for found in members if found), False)
        case inspect.DataclassType() | inspect.StructType():
            of_fields = {field.encode_name: _marked(field.type, mark) for field in kind.fields}
            return {name: found for name, found in of_fields.items() if found}
        case inspect.VarTupleType() | inspect.ListType() if _marked(kind.item_type, mark):
            raise TypeError(f"a {mark} field in a list is not supported")
        case _:
            return False


@cache
def _metadata_fields() -> _Fields:
    return personal_fields(Metadata)


@cache
def _metadata_fields_without_actor() -> _Fields:
    """For events of regcred itself, which is no person."""
    return {name: fields for name, fields in _metadata_fields().items() if name != "actor"}


def _erase(document: dict[str, Raw], fields: _Fields) -> dict[str, Raw]:
    """Replace the personal values in a document by `erased`. Returns the changed fields as they were."""
    personal = {}
    for name, within in fields.items():
        value = document.get(name, _NULL)
        if value == _NULL:  # stays null, because readers distinguish a missing value from an erased one
            continue
        personal[name] = value
        document[name] = (
            _ERASED if within is True else Raw(_encode(_erased_in(msgspec.json.decode(value), within)))
        )
    return personal


def _erased_in(value: Any, fields: _Fields) -> Any:
    for name, within in fields.items():
        if value[name] is not None:
            value[name] = _erased_in(value[name], within) if isinstance(within, dict) else ERASED
    return value
