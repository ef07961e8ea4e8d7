"""Any sequence of calls to an event store has the results of a model of three dictionaries."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from eventlog.events import NewEvent, StoredEvent, StreamId
from eventlog.integrity import LogReader, verify_chain
from eventlog.storage import (
    Appended,
    EventStore,
    IdempotencyKeyReused,
    IdempotentRequest,
    VersionConflict,
    read_log,
)
from eventlog.storage.errors import DuplicateEvent
from tests.support.eventstore_suite import an_event
from tests.support.log import Connection, fresh_log, lead, relay_of, scalar, sequence, stream, writing
from tests.support.memory_eventstore import MemoryEventStore

_examples = count(1)  # separates the examples, which share one store
NAMES = st.sampled_from(["a", "b", "c"])
SIZES = st.integers(1, 3)
VERSIONS = st.integers(0, 9)


@dataclass
class Model:
    streams: dict[str, list[NewEvent]] = field(default_factory=dict)
    requests: dict[str, tuple[IdempotentRequest, int]] = field(default_factory=dict)
    appends: list[tuple[str, int, list[NewEvent]]] = field(default_factory=list)


class StoreMachine(RuleBasedStateMachine):
    """Rules for every adapter; a subclass sets `store`."""

    store: EventStore
    appended = Bundle("appended")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.example = next(_examples)
        self.numbers = count(1)
        self.model = Model()

    def stream(self, name: str) -> StreamId:
        return stream(f"{self.example}-{name}")

    def events(self, size: int) -> list[NewEvent]:
        return [an_event(f"{self.example}-{next(self.numbers)}") for _ in range(size)]

    def version(self, name: str) -> int:
        return len(self.model.streams.get(name, []))

    def write(
        self, name: str, size: int, request: IdempotentRequest | None
    ) -> tuple[str, int, list[NewEvent]]:
        """An append at the right version, in the store and in the model."""
        before, events = self.version(name), self.events(size)
        version = before + size
        answer = self.store.append(self.stream(name), before, events, request=request)
        assert answer == Appended(
            version=version, replayed=False, response=request.response if request else None
        )
        self.model.streams.setdefault(name, []).extend(events)
        if request:
            self.model.requests[request.key] = (request, version)
        return name, version, events

    @rule(target=appended, name=NAMES, size=SIZES)
    def append(self, name: str, size: int) -> tuple[str, int, list[NewEvent]]:
        return self.write(name, size, None)

    @rule(target=keys, name=NAMES, size=SIZES)
    def append_under_a_key(self, name: str, size: int) -> str:
        key = f"{self.example}-{next(self.numbers)}"
        self.write(name, size, IdempotentRequest(key=key, fingerprint=b"f" * 32, response={"answer": key}))
        return key

    @rule(name=NAMES, size=SIZES, expected=VERSIONS, keyed=st.booleans())
    def append_at_a_wrong_version(self, name: str, size: int, expected: int, keyed: bool) -> None:
        if expected == self.version(name):
            return
        key = f"{self.example}-{next(self.numbers)}"
        request = IdempotentRequest(key=key, fingerprint=b"f" * 32, response={}) if keyed else None
        with pytest.raises(VersionConflict) as refused:
            self.store.append(self.stream(name), expected, self.events(size), request=request)
        assert refused.value.actual == self.version(name)

    @rule(past=appended, expected=VERSIONS)
    def repeat_the_very_same_events(self, past: tuple[str, int, list[NewEvent]], expected: int) -> None:
        name, version, events = past
        answer = self.store.append(self.stream(name), expected, events)
        assert answer == Appended(version=version, replayed=True, response=None)

    @rule(key=keys, name=NAMES, size=SIZES, expected=VERSIONS)
    def repeat_a_request(self, key: str, name: str, size: int, expected: int) -> None:
        first, version = self.model.requests[key]
        again = IdempotentRequest(key=key, fingerprint=first.fingerprint, response={"answer": "another"})
        answer = self.store.append(self.stream(name), expected, self.events(size), request=again)
        assert answer == Appended(version=version, replayed=True, response=first.response)

    @rule(key=consumes(keys), name=NAMES, expected=VERSIONS)
    def use_a_key_for_another_request(self, key: str, name: str, expected: int) -> None:
        other = IdempotentRequest(key=key, fingerprint=b"g" * 32, response={})
        with pytest.raises(IdempotencyKeyReused):
            self.store.append(self.stream(name), expected, self.events(1), request=other)

    @rule(
        past=appended,
        name=NAMES,
        expected=VERSIONS,
        at=st.integers(0, 2),
        how=st.sampled_from(["new", "changed"]),
    )
    def use_an_event_id_for_another_event(
        self, past: tuple[str, int, list[NewEvent]], name: str, expected: int, at: int, how: str
    ) -> None:
        _, _, events = past
        known = events[at % len(events)]
        if how == "new":
            wrong = [*self.events(1), known]
        else:
            wrong = [
                NewEvent(event_id=known.event_id, payload=self.events(1)[0].payload, metadata=known.metadata)
            ]
        with pytest.raises(DuplicateEvent):
            self.store.append(self.stream(name), expected, wrong)

    @rule(past=appended, name=NAMES, expected=VERSIONS)
    def move_events_to_another_stream(
        self, past: tuple[str, int, list[NewEvent]], name: str, expected: int
    ) -> None:
        if name == past[0]:
            return
        with pytest.raises(DuplicateEvent):
            self.store.append(self.stream(name), expected, past[2])

    @invariant()
    def streams_are_as_the_model_says(self) -> None:
        for name in ("a", "b", "c"):
            expected = self.model.streams.get(name, [])
            newest = self.store.newest(self.stream(name))
            assert (newest[-1].version if newest else 0) == len(expected)
            for version, event in enumerate(expected, start=1):
                stored = self.store.event(event.event_id)
                assert stored is not None
                assert (stored.stream, stored.version, stored.payload) == (
                    self.stream(name),
                    version,
                    event.payload,
                )


class LogMachine(StoreMachine):
    """Additional rules for the positions of the real log."""

    relay: Connection
    epoch: int

    def __init__(self) -> None:
        super().__init__()
        self.begin = self.given = sequence(self.relay, self.epoch)
        self.before = LogReader(self.relay).anchor_at(self.begin)

    def total(self) -> int:
        return sum(len(events) for events in self.model.streams.values())

    @rule(limit=st.integers(1, 5))
    def give_positions(self, limit: int) -> None:
        waiting = self.begin + self.total() - self.given
        now = sequence(self.relay, self.epoch, limit)
        assert now == self.given + min(limit, waiting)
        self.given = now

    @rule(size=st.integers(1, 7))
    def read_the_log(self, size: int) -> None:
        events: list[StoredEvent] = []
        while page := read_log(self.relay, self.begin + len(events), size):
            assert len(page) <= size
            events += page
        assert [event.position for event in events] == list(range(self.begin + 1, self.given + 1))
        for name, expected in self.model.streams.items():
            ids = [event.event_id for event in events if event.stream == self.stream(name)]
            assert ids == [event.event_id for event in expected][: len(ids)]

    @rule()
    def verify(self) -> None:
        with self.relay.transaction():  # the cursor of `links` needs one
            found = verify_chain(LogReader(self.relay).links(self.begin), start=self.before)
            assert (found.fault, found.end.position) == (None, self.given)

    def teardown(self) -> None:
        assert sequence(self.relay, self.epoch) == self.begin + self.total()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    with ExitStack() as opened:
        url = opened.enter_context(fresh_log())
        relay = opened.enter_context(relay_of(url))
        store = opened.enter_context(writing(url))
        yield {"store": store, "relay": relay, "epoch": lead(relay), "url": url}


def test_the_memory_store_behaves_like_the_model() -> None:
    machine = type("MemoryMachine", (StoreMachine,), {"store": MemoryEventStore()})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )


@pytest.mark.integration
def test_the_postgresql_store_behaves_like_the_model(servers: dict[str, Any]) -> None:
    machine = type("PostgresMachine", (LogMachine,), servers)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
    )
    with psycopg.connect(servers["url"]) as superuser:
        assert scalar(superuser, "SELECT count(*) FROM es.log") > 100
        assert LogReader(superuser).fault_outside_chain() is None
