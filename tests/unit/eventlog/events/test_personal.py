"""Encrypted personal data is decrypted only in its own event, and is read as erased without its key."""

import json
from dataclasses import replace
from secrets import token_bytes
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given
from hypothesis import strategies as st

from contracts.account_events import AccountErased
from contracts.audit_events import AuditRead
from contracts.credential_events import CredentialAdded, CredentialDetailsChanged, CredentialRemoved
from contracts.issuance_events import SecretIssued, SecretRefused
from contracts.streams import credential_stream
from contracts.verification_events import VerificationSucceeded
from docs.contract_documents.examples import EXAMPLES, METADATA
from eventlog.events import (
    Actor,
    Metadata,
    StoredEvent,
    decode_event,
    encode,
    encode_metadata,
    personal_fields,
)
from eventlog.events.codec import decode
from eventlog.events.errors import MalformedEvent
from eventlog.events.personal import ERASED, AccountKey, decrypted, payload_or_erased, split

KEY = AccountKey(3, AESGCMSIV(token_bytes(32)))
OTHER = AccountKey(3, AESGCMSIV(token_bytes(32)))
TEXT = st.text(max_size=80)
METADATAS = st.builds(
    replace,
    st.just(METADATA),
    actor=st.builds(Actor, type=st.sampled_from(["service", "user", "system"]), id=TEXT, name=TEXT),
    on_behalf_of=st.none() | TEXT,
    source_ip=st.none() | TEXT,
)
PAYLOADS = st.sampled_from([decode(*encode(payload)) for payload, _ in EXAMPLES.values()])


def stored(payload: object, metadata: Metadata, event_id: UUID, key: AccountKey | None = KEY) -> StoredEvent:
    name, version, data = encode(payload)
    about = encode_metadata(metadata)
    parts = split(type(payload), data, about)
    if parts:
        data, about = parts.encrypted(event_id, KEY)
    return StoredEvent(
        event_id=event_id,
        stream=credential_stream(event_id),
        version=1,
        type=name,
        schema_version=version,
        payload=data.decode(),
        metadata=about.decode(),
        recorded_at=metadata.occurred_at,
        cipher=key.cipher if parts and key else None,
    )


@given(PAYLOADS, METADATAS, st.uuids())
def test_an_encrypted_event_is_decrypted_unchanged(
    payload: object, metadata: Metadata, event_id: UUID
) -> None:
    event = decode_event(stored(payload, metadata, event_id))
    assert (event.payload, event.metadata) == (payload, metadata)


@given(PAYLOADS, METADATAS, st.uuids(), st.booleans())
def test_no_json_of_an_event_repeats_a_name(
    payload: object, metadata: Metadata, event_id: UUID, sealed: bool
) -> None:
    """In the stored, decrypted and published form. Parsers of other languages can refuse a repeated name."""
    event = stored(payload, metadata, event_id, KEY if sealed else None)
    opened_payload, opened_metadata = decrypted(event)
    for text in (event.payload, event.metadata, opened_payload, opened_metadata, payload_or_erased(event)):
        json.loads(text, object_pairs_hook=_each_name_once)
    if sealed:
        assert json.loads(opened_payload) == json.loads(payload_or_erased(event))
        assert json.loads(opened_payload) == json.loads(encode(payload)[2])


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


@given(PAYLOADS, METADATAS, st.uuids())
def test_encryption_of_an_event_is_deterministic(payload: object, metadata: Metadata, event_id: UUID) -> None:
    assert stored(payload, metadata, event_id) == stored(payload, metadata, event_id)


@given(PAYLOADS, METADATAS, st.uuids())
def test_an_event_without_its_key_is_read_as_erased(
    payload: object, metadata: Metadata, event_id: UUID
) -> None:
    event = decode_event(stored(payload, metadata, event_id, key=None))
    assert type(event.payload) is type(payload)
    assert event.metadata.on_behalf_of in {None, ERASED}
    assert event.metadata.source_ip in {None, ERASED}
    if metadata.actor.type == "system":
        assert event.metadata.actor == metadata.actor
    else:
        assert event.metadata.actor == Actor(type=metadata.actor.type, id=ERASED, name=ERASED)
    assert (event.metadata.request_id, event.metadata.correlation_id) == (ERASED, ERASED)
    assert event.metadata.causation_id == metadata.causation_id


def test_an_event_is_decrypted_only_in_its_place_and_with_its_key() -> None:
    payload, _ = EXAMPLES[CredentialAdded]
    here, there = UUID(int=1), UUID(int=2)
    one, two = stored(payload, METADATA, here), stored(payload, METADATA, there)
    moved = msgspec.structs.replace(two, metadata=one.metadata)
    torn = msgspec.structs.replace(one, metadata=one.metadata.replace('"sealed":"', '"sealed":"AAAA'))
    bare = msgspec.structs.replace(one, metadata=encode_metadata(METADATA).decode())
    for wrong in (moved, torn, bare, msgspec.structs.replace(one, cipher=OTHER.cipher)):
        with pytest.raises(MalformedEvent, match="cannot be decrypted"):
            decode_event(wrong)
        assert payload_or_erased(wrong) == wrong.payload.encode()


def test_personal_data_is_not_in_plain_text() -> None:
    payload, _ = EXAMPLES[CredentialAdded]
    text = stored(payload, METADATA, UUID(int=1))
    assert "octo" not in text.payload + text.metadata
    assert "Ada" not in text.payload + text.metadata
    assert msgspec.json.decode(text.metadata)["personal"]["key"] == KEY.number


def test_personal_fields_are_those_of_the_classes() -> None:
    details = {"name": True, "description": True}
    assert personal_fields(CredentialAdded) == {"username": True, "details": details}
    assert personal_fields(CredentialDetailsChanged) == {"details": details, "previous": details}
    assert personal_fields(CredentialRemoved) == {"reason": True}
    workload = {"workload": {"kind": True, "name": True}}
    assert personal_fields(SecretIssued) == {"credential_name": True, **workload}
    assert personal_fields(SecretRefused) == workload
    texts = ("action", "outcome", "actor", "project_id", "registry_host", "image", "request_id")
    assert personal_fields(AuditRead) == {"filters": dict.fromkeys(texts, True)}
    assert personal_fields(AccountErased) == {}


def test_an_event_of_the_system_names_it_and_not_the_request_that_caused_it() -> None:
    """The verifier copies the id of the request from the event that caused the login."""
    payload, _ = EXAMPLES[VerificationSucceeded]
    itself = Actor(type="system", id="regcred-verifier", name="regcred verifier")
    event = stored(payload, replace(METADATA, actor=itself, request_id="canary"), UUID(int=1))
    assert "canary" not in event.metadata
    assert "regcred verifier" in event.metadata
