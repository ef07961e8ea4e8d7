"""Three versions of an event of this test, and stored data of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from eventlog.events import EVENTS, EventRegistry, encode
from eventlog.events.codec import decode
from eventlog.events.errors import MalformedEvent, UnknownEvent

NAME = "parcel.sent"
PARCELS = EventRegistry()


@PARCELS.event(NAME, version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSent:
    """Version 1 had one text for the whole address."""

    address: str


def _with_town(data: dict[str, Any]) -> dict[str, Any]:
    street, _, town = data["address"].rpartition(", ")
    return {"street": street, "town": town}


@PARCELS.event(NAME, version=2, upcast=_with_town)
@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSentV2:
    street: str
    town: str


def _with_country(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "country": None}


@PARCELS.event(NAME, version=3, upcast=_with_country)
@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSentV3:
    street: str
    town: str
    country: str | None


@pytest.mark.parametrize(
    ("version", "stored"),
    [
        (1, {"address": "1 Main St, Springfield"}),
        (2, {"street": "1 Main St", "town": "Springfield"}),
        (3, {"street": "1 Main St", "town": "Springfield", "country": None}),
    ],
)
def test_every_version_is_read_as_the_newest(version: int, stored: dict[str, Any]) -> None:
    read = decode(NAME, version, json.dumps(stored), registry=PARCELS)
    assert read == ParcelSentV3(street="1 Main St", town="Springfield", country=None)


def test_an_event_is_encoded_with_the_version_of_its_class() -> None:
    assert encode(ParcelSent(address="x"), registry=PARCELS) == (NAME, 1, b'{"address":"x"}')
    assert encode(ParcelSentV2(street="a", town="b"), registry=PARCELS)[1] == 2


@pytest.mark.parametrize(("name", "version"), [(NAME, 4), (NAME, 0), (NAME, -1), ("parcel.lost", 1)])
def test_an_unregistered_version_is_unknown(name: str, version: int) -> None:
    with pytest.raises(UnknownEvent) as caught:
        decode(name, version, b"{}", registry=PARCELS)
    assert (caught.value.name, caught.value.version) == (name, version)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b"{}", b'{"address": 1, "street": 1}', b'\xff{"address": "x"}']
)
def test_malformed_data_is_reported_with_its_own_version(version: int, data: bytes) -> None:
    """Old data is first checked against its own version, so that an upcaster gets the data that it expects."""
    with pytest.raises(MalformedEvent) as caught:
        decode(NAME, version, data, registry=PARCELS)
    assert (caught.value.name, caught.value.version) == (NAME, version)


def test_an_exception_of_an_upcaster_is_not_reported_as_malformed_data() -> None:
    registry = EventRegistry()

    def faulty(data: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    registry.event("a.b", version=1)(_frozen())
    registry.event("a.b", version=2, upcast=faulty)(_frozen())
    with pytest.raises(ZeroDivisionError):
        decode("a.b", 1, b"{}", registry=registry)


def test_the_result_of_an_upcaster_must_fit_the_newest_version() -> None:
    registry = EventRegistry()
    registry.event("a.b", version=1)(_frozen())
    registry.event("a.b", version=2, upcast=lambda data: data)(ParcelSent)
    with pytest.raises(MalformedEvent, match="address"):
        decode("a.b", 1, b"{}", registry=registry)


def test_unknown_fields_are_ignored_and_passed_to_the_upcaster() -> None:
    later = b'{"street": "a", "town": "b", "country": "c", "carrier": {"name": "x"}}'
    assert decode(NAME, 3, later, registry=PARCELS) == ParcelSentV3(street="a", town="b", country="c")
    old = b'{"address": "a, b", "carrier": "x"}'
    assert decode(NAME, 1, old, registry=PARCELS) == ParcelSentV3(street="a", town="b", country=None)


def test_registries_are_independent() -> None:
    with pytest.raises(UnknownEvent):
        encode(ParcelSent(address="x"))
    with pytest.raises(UnknownEvent):
        EVENTS.since(NAME, 1)
    assert [kind.payload_class for kind in PARCELS.since(NAME, 2)] == [ParcelSentV2, ParcelSentV3]
    assert [kind.version for kind in PARCELS.all_types()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("register", "why"),
    [
        (lambda registry: registry.event("a.b", version=2, upcast=dict)(_frozen()), "does not follow 0"),
        (lambda registry: registry.event("a.c", version=1)(_frozen()), "does not follow 1"),
        (lambda registry: registry.event("a.c", version=3, upcast=dict)(_frozen()), "does not follow 1"),
        (lambda registry: registry.event("a.c", version=2)(_frozen()), "need an upcaster"),
        (lambda registry: registry.event("a.b", version=1, upcast=dict)(_frozen()), "need an upcaster"),
        (lambda registry: registry.event("a.b", version=1)(dataclass(type("Open", (), {}))), "frozen"),
        (lambda registry: registry.event("a.b", version=1)(int), "frozen"),
    ],
    ids=["no first", "twice", "gap", "no upcaster", "upcaster of the first", "not frozen", "no dataclass"],
)
def test_an_incomplete_or_invalid_history_cannot_be_registered(
    register: Callable[[EventRegistry], object], why: str
) -> None:
    registry = EventRegistry()
    registry.event("a.c", version=1)(_frozen())
    with pytest.raises(ValueError, match=why):
        register(registry)
    assert [(kind.name, kind.version) for kind in registry.all_types()] == [("a.c", 1)]


def _frozen() -> type:
    return dataclass(frozen=True)(type("Nothing", (), {}))
