"""Fields are checked against their bounds when an event is written, so that every stored event can be read."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import credential_events as events
from contracts.credential_events import MAX_PREFIXES, MAX_PROJECTS
from contracts.verification_events import VerificationFailed
from credentials.domain import values
from docs.contract_documents.examples import EXAMPLES
from eventlog.events import encode
from eventlog.events.codec import decode
from eventlog.events.errors import MalformedEvent
from registries.catalogue import MAX_USERNAME, PROVIDERS
from registries.dialer.response import MAX_SECONDS
from registries.input import repository_prefix


def example(payload_class: type) -> Any:
    return EXAMPLES[payload_class][0]


ADDED: events.CredentialAdded = example(events.CredentialAdded)
FAILED: VerificationFailed = example(VerificationFailed)
DETAILS = ADDED.details


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (replace(ADDED, username="x" * 513), "username"),
        (replace(ADDED, details=replace(DETAILS, name="ab")), "name"),
        (replace(ADDED, details=replace(DETAILS, repository_prefixes=("a/",) * 51)), "repository_prefixes"),
        (replace(ADDED, details=replace(DETAILS, expires_at=datetime(2026, 1, 1))), "expires_at"),  # noqa: DTZ001
        (replace(ADDED, secret=replace(ADDED.secret, version=0)), "version"),
        (replace(ADDED, secret=replace(ADDED.secret, fingerprint="hunter2")), "fingerprint"),
        (replace(ADDED, restrictions=events.Restrictions(restricted=True, projects=("a/b",))), "projects"),
        (replace(FAILED, duration_ms=-1), "duration_ms"),
        (replace(FAILED, detail="x" * 501), "detail"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_out_of_bounds_is_not_encoded(payload: object, field: str) -> None:
    with pytest.raises(MalformedEvent, match=field):
        encode(payload)


def test_the_largest_values_of_the_domain_fit_into_an_event() -> None:
    projects = tuple(f"{number:063}" for number in range(MAX_PROJECTS))
    widest = replace(
        ADDED,
        registry=events.Registry(provider="custom", host=f"{'h' * 253}:65535", location=None),
        username="ü" * MAX_USERNAME,
        details=events.Details(
            name=values.credential_name("a" + "b" * 38),
            description=values.description("ü" * values.MAX_DESCRIPTION),
            scope=DETAILS.scope,
            repository_prefixes=tuple(repository_prefix.MAX_PREFIX * "p" for _ in range(MAX_PREFIXES)),
            expires_at=datetime(9999, 12, 31, tzinfo=UTC),
        ),
        restrictions=events.Restrictions(restricted=True, projects=projects),
    )
    name, version, data = encode(widest)
    assert decode(name, version, data) == widest
    encode(
        events.CredentialRemoved(
            credential_id=ADDED.credential_id, reason=values.reason("ü" * values.MAX_REASON), forced=True
        )
    )
    encode(replace(FAILED, retry_after=MAX_SECONDS, detail="x" * 300))


@pytest.mark.parametrize("entry", PROVIDERS, ids=lambda entry: entry.id)
def test_every_provider_and_location_of_the_catalogue_fits_into_an_event(entry: Any) -> None:
    for location in (None, *(location.id for location in entry.locations)):
        encode(replace(ADDED, registry=replace(ADDED.registry, provider=entry.id, location=location)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    payload=st.sampled_from([decode(*encode(payload)) for payload, _ in EXAMPLES.values()]),
    more=st.dictionaries(st.text(), JSON),
)
def test_fields_of_a_newer_writer_are_ignored(payload: object, more: dict[str, Any]) -> None:
    name, version, data = encode(payload)
    known = msgspec.json.decode(data)
    assert decode(name, version, msgspec.json.encode({**more, **known})) == payload


def test_nested_fields_of_a_newer_writer_are_ignored() -> None:
    name, version, data = encode(ADDED)
    changed = msgspec.json.decode(data)
    changed["details"]["labels"] = {"team": "a"}
    changed["registry"]["mirror"] = None
    assert decode(name, version, msgspec.json.encode(changed)) == ADDED


@given(data=st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_any_other_data_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode("credential.added", 1, data)
