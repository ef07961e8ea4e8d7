"""The behaviour of every event store. The test of each adapter is a subclass with a fixture `store`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest

from contracts.credential_events import CredentialRemoved, VerificationRequested
from contracts.streams import verification_stream
from eventlog.events import NewEvent, StreamId
from eventlog.storage import (
    Appended,
    EventStore,
    EventTooLarge,
    IdempotencyKeyReused,
    IdempotentRequest,
    VersionConflict,
)
from eventlog.storage.errors import DuplicateEvent
from tests.support.builders import metadata

NAMESPACE = UUID("00000000-0000-0000-0000-00000000feed")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def an_id(text: str) -> UUID:
    return uuid5(NAMESPACE, text)


def an_event(text: str, *, reason: str = "", account: str = "acme") -> NewEvent:
    return NewEvent(
        event_id=an_id(text),
        payload=CredentialRemoved(credential_id=an_id("c"), reason=reason or text, forced=False),
        metadata=metadata(account_id=account, occurred_at=MOMENT),
    )


class EventStoreSuite:
    """A subclass has a fixture `store`, which writes verification streams."""

    def stream(self, text: str) -> StreamId:
        return verification_stream(an_id(text))

    def test_an_unwritten_stream_is_empty(self, store: EventStore) -> None:
        assert store.newest(self.stream("nothing")) == []

    def test_appended_events_are_loaded_in_order_and_complete(self, store: EventStore) -> None:
        stream = self.stream("whole")
        first, second = an_event("whole-1"), an_event("whole-2")
        assert store.append(stream, 0, [first, second]) == Appended(version=2, replayed=False, response=None)
        loaded = store.newest(stream)
        assert [event.version for event in loaded] == [1, 2]
        assert [event.event_id for event in loaded] == [first.event_id, second.event_id]
        assert [event.payload for event in loaded] == [first.payload, second.payload]
        assert loaded[0].metadata == first.metadata
        assert {event.type for event in loaded} == {"credential.removed"}
        assert loaded[0].position is None

    def test_the_newest_events_are_the_first_and_the_last_of_each_type(self, store: EventStore) -> None:
        stream = self.stream("newest")
        assert store.newest(stream) == []
        payload = VerificationRequested(credential_id=an_id("c"), secret_version=3, trigger="scheduled")
        removals = [an_event(f"newest-{number}") for number in range(4)]
        requests = [
            NewEvent(event_id=an_id(f"newest-r-{number}"), payload=payload, metadata=removals[0].metadata)
            for number in range(3)
        ]
        store.append(stream, 0, [*removals[:2], *requests, *removals[2:]])
        newest = store.newest(stream)
        assert newest[0].event_id == removals[0].event_id
        assert (newest[-1].event_id, newest[-1].version) == (removals[-1].event_id, 7)
        assert requests[-1].event_id in {event.event_id for event in newest}
        assert [event.version for event in newest] == sorted(event.version for event in newest)
        assert all(store.event(event.event_id) == event for event in newest)

    def test_an_event_is_found_by_its_id(self, store: EventStore) -> None:
        stream = self.stream("found")
        store.append(stream, 0, [an_event("found-1"), an_event("found-2")])
        assert store.event(an_id("found-2")) == store.newest(stream)[1]
        assert store.event(an_id("found-3")) is None

    def test_an_append_at_another_version_is_refused_with_the_actual_version(self, store: EventStore) -> None:
        stream = self.stream("versions")
        store.append(stream, 0, [an_event("versions-1")])
        for wrong in (0, 2, 7):
            with pytest.raises(VersionConflict) as refused:
                store.append(stream, wrong, [an_event(f"versions-wrong-{wrong}")])
            assert refused.value.actual == 1
        assert len(store.newest(stream)) == 1

    def test_a_missing_stream_has_version_zero(self, store: EventStore) -> None:
        with pytest.raises(VersionConflict) as refused:
            store.append(self.stream("missing"), 3, [an_event("missing-1")])
        assert refused.value.actual == 0

    def test_a_repeated_request_has_one_effect_and_returns_the_first_response(
        self, store: EventStore
    ) -> None:
        stream = self.stream("repeated")
        request = IdempotentRequest(key="k-repeated", fingerprint=b"f" * 32, response={"answer": 1})
        again = IdempotentRequest(key="k-repeated", fingerprint=b"f" * 32, response={"answer": 2})
        first = store.append(stream, 0, [an_event("repeated-1")], request=request)
        second = store.append(stream, 0, [an_event("repeated-2")], request=again)
        assert (first.version, first.replayed) == (1, False)
        assert (second.version, second.replayed, second.response) == (1, True, {"answer": 1})
        assert len(store.newest(stream)) == 1

    def test_a_key_cannot_be_used_for_another_request(self, store: EventStore) -> None:
        stream = self.stream("reused")
        request = IdempotentRequest(key="k-reused", fingerprint=b"f" * 32, response={})
        other = IdempotentRequest(key="k-reused", fingerprint=b"g" * 32, response={})
        store.append(stream, 0, [an_event("reused-1")], request=request)
        with pytest.raises(IdempotencyKeyReused):
            store.append(stream, 1, [an_event("reused-2")], request=other)
        assert len(store.newest(stream)) == 1

    def test_accounts_can_use_the_same_key(self, store: EventStore) -> None:
        for account in ("acme", "umbrella"):
            request = IdempotentRequest(key="k-accounts", fingerprint=account.encode() * 4, response={})
            appended = store.append(
                self.stream(f"accounts-{account}"),
                0,
                [an_event(f"accounts-{account}", account=account)],
                request=request,
            )
            assert not appended.replayed

    def test_a_refused_append_does_not_use_its_key(self, store: EventStore) -> None:
        stream = self.stream("free")
        request = IdempotentRequest(key="k-free", fingerprint=b"f" * 32, response={})
        with pytest.raises(VersionConflict):
            store.append(stream, 5, [an_event("free-1")], request=request)
        assert not store.append(stream, 0, [an_event("free-2")], request=request).replayed

    def test_an_event_that_is_too_large_for_the_broker_is_refused(self, store: EventStore) -> None:
        stream = self.stream("large")
        with pytest.raises(EventTooLarge):
            store.append(stream, 0, [an_event("large-1", account="x" * 256 * 1024)])
        assert store.newest(stream) == []

    def test_one_of_many_concurrent_writers_succeeds(self, store: EventStore) -> None:
        stream = self.stream("race")

        def write(number: int) -> bool:
            try:
                store.append(stream, 0, [an_event(f"race-{number}")])
            except VersionConflict:
                return False
            return True

        with ThreadPoolExecutor(8) as writers:
            won = list(writers.map(write, range(16)))
        assert sum(won) == 1
        assert len(store.newest(stream)) == 1

    def test_events_of_two_types_are_loaded_with_their_class(self, store: EventStore) -> None:
        stream = self.stream("kinds")
        requested = VerificationRequested(credential_id=an_id("c"), secret_version=3, trigger="scheduled")
        event = an_event("kinds-1")
        other = NewEvent(event_id=an_id("kinds-2"), payload=requested, metadata=event.metadata)
        store.append(stream, 0, [event, other])
        assert store.newest(stream)[1].payload == requested

    @pytest.mark.parametrize("expected", [0, 2, 3], ids=["as then", "as now", "as never"])
    def test_repeated_events_return_their_first_version(self, store: EventStore, expected: int) -> None:
        """A retry after an unknown outcome, without an idempotency key."""
        stream = self.stream(f"same-{expected}")
        events = [an_event(f"same-{expected}-1"), an_event(f"same-{expected}-2")]
        store.append(stream, 0, events)
        for repeated, version in ((events, 2), (events[:1], 1), (events[1:], 2)):
            again = store.append(stream, expected, repeated)
            assert again == Appended(version=version, replayed=True, response=None)
        assert store.newest(stream)[-1].version == 2

    def test_a_request_for_stored_events_has_its_own_response(self, store: EventStore) -> None:
        stream = self.stream("asked")
        store.append(stream, 0, [an_event("asked-1")])
        request = IdempotentRequest(key="k-asked", fingerprint=b"f" * 32, response={"answer": 7})
        for expected in (0, 1):
            again = store.append(stream, expected, [an_event("asked-1")], request=request)
            assert again == Appended(version=1, replayed=True, response={"answer": 7})

    @pytest.mark.parametrize("expected", [0, 2], ids=["another version", "the right version"])
    def test_an_event_id_cannot_be_used_for_another_event(self, store: EventStore, expected: int) -> None:
        name = f"taken-{expected}"
        stream, other = self.stream(name), self.stream(f"{name}-other")
        events = [an_event(f"{name}-1"), an_event(f"{name}-2")]
        store.append(stream, 0, events)
        store.append(other, 0, [an_event(f"{name}-{number}") for number in (3, 4)])
        changed = an_event(f"{name}-1", reason="another reason")
        later = replace(events[0], metadata=replace(events[0].metadata, request_id="r-2"))
        new = an_event(f"{name}-new")
        for wrong in ([changed], [later], [events[0], new], [new, events[0]], events[::-1]):
            with pytest.raises(DuplicateEvent):
                store.append(stream, expected, wrong)
        with pytest.raises(DuplicateEvent):
            store.append(other, expected, events[:1])
        assert [store.newest(one)[-1].version for one in (stream, other)] == [2, 2]

    def test_an_append_with_a_repeated_event_id_is_refused(self, store: EventStore) -> None:
        stream = self.stream("twice")
        with pytest.raises(DuplicateEvent):
            store.append(stream, 0, [an_event("twice-1"), an_event("twice-1")])
        assert store.newest(stream) == []

    def test_concurrent_appends_of_the_same_event_store_it_once(self, store: EventStore) -> None:
        stream = self.stream("same-race")
        with ThreadPoolExecutor(8) as writers:
            answers = list(writers.map(lambda _: store.append(stream, 0, [an_event("same-race")]), range(16)))
        assert [answer.version for answer in answers] == [1] * 16
        assert sum(not answer.replayed for answer in answers) == 1
        assert len(store.newest(stream)) == 1
