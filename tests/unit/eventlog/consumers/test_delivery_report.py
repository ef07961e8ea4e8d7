"""Log lines of consumers: one for each delivery, one for each batch."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from contracts.credential_events import CredentialRemoved
from contracts.streams import credential_stream
from eventlog.consumers import ConcurrentConsumer, reported_batch
from eventlog.events import RecordedEvent, StoredEvent, encode, encode_metadata
from tests.support.builders import MOMENT, metadata

CREDENTIAL = UUID("0b7c3c5e-6f2d-5d5e-9f57-1c1f6a1f0d11")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def stored(position: int, payload: str | None = None) -> StoredEvent:
    name, version, data = encode(CredentialRemoved(credential_id=CREDENTIAL, reason="canary", forced=False))
    written = metadata(request_id="req-1", correlation_id="cor-1", traceparent=TRACEPARENT)
    return StoredEvent(
        position=position,
        event_id=CREDENTIAL,
        stream=credential_stream(CREDENTIAL),
        version=1,
        type=name,
        schema_version=version,
        payload=data.decode() if payload is None else payload,
        metadata=encode_metadata(written).decode(),
        recorded_at=MOMENT,
    )


class Connection:
    """A connection that accepts every statement. The lines do not depend on the stored rows."""

    rowcount = 1

    def execute(self, *_arguments: object) -> "Connection":
        return self

    def fetchall(self) -> list[object]:
        return []

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()


def deliveries(handle: Callable[[RecordedEvent], str | None], event: StoredEvent) -> list[dict[str, Any]]:
    follower = ConcurrentConsumer(
        handle, name="tester", types=frozenset({"credential.removed"}), concurrency=1, tiers=(), stop=Event()
    )
    with capture_logs() as lines:
        follower.begin(6)
        follower.handle(Connection(), [event])  # type: ignore[arg-type]
        follower.close()
    return [dict(line) for line in lines if line["event"] == "delivery"]


def test_a_delivery_writes_one_line() -> None:
    [line] = deliveries(lambda _event: "bad_credential", stored(7))
    assert line["ms"] >= 0
    assert (
        line.items()
        >= {
            "consumer": "tester",
            "position": 7,
            "type": "credential.removed",
            "credential_id": str(CREDENTIAL),
            "attempt": 1,
            "outcome": "bad_credential",
            "request_id": "req-1",
            "correlation_id": "cor-1",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        }.items()
    )


def test_a_delivery_without_an_outcome_is_reported_as_handled() -> None:
    [line] = deliveries(lambda _event: None, stored(7))
    assert line["outcome"] == "handled"


def test_an_unreadable_delivery_is_reported_without_a_credential() -> None:
    [line] = deliveries(lambda _event: None, stored(7, json.dumps({"reason": 1})))
    assert line["credential_id"] is None
    assert line["outcome"] != "handled"


def test_a_batch_writes_one_line() -> None:
    with capture_logs() as lines, reported_batch("tester", [stored(7), stored(8), stored(9)]):
        pass
    [line] = lines
    assert line["ms"] >= 0
    assert line.items() >= {"event": "batch", "consumer": "tester", "first": 7, "last": 9, "count": 3}.items()


def test_an_empty_or_failed_batch_writes_no_line() -> None:
    with capture_logs() as lines:
        with reported_batch("tester", []):
            pass
        with pytest.raises(ConnectionError), reported_batch("tester", [stored(7)]):
            raise ConnectionError
    assert lines == []
