"""The pure part of messaging: CloudEvents, definitions, backoff, topology."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chassis.runtime.backoff import backoff
from contracts.broker import TOPOLOGY
from contracts.credential_events import CredentialRemoved
from contracts.streams import credential_stream
from eventlog.broker import LONGEST_BACKOFF_SECONDS, BrokerUnavailable, outgoing_message
from eventlog.broker.cloudevents import position_of
from eventlog.broker.connection import parameters
from eventlog.broker.errors import MalformedMessage
from eventlog.events import Actor, Metadata, StoredEvent, encode, encode_metadata
from eventlog.events.positions import ContiguousPrefix
from eventlog.topology import LAST_PUBLISHED
from launcher.deployment import definitions as definitions_file
from launcher.deployment.broker_definitions import password_hash
from tests.support.builders import added
from tests.support.eventstore_suite import an_id

METADATA = Metadata(
    account_id="acme",
    actor=Actor(type="user", id="u-1", name="A User"),
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    request_id="r-1",
    correlation_id="c-1",
    causation_id="cause-1",
    traceparent="00-1-2-01",
)


INSTALLATION = UUID("6f1d7d52-4b0a-4c3e-9a57-2f8f0c1b9a11")


def stored(metadata: Metadata = METADATA, position: int | None = 7) -> StoredEvent:
    name, version, payload = encode(CredentialRemoved(credential_id=an_id("c"), reason="é", forced=True))
    return StoredEvent(
        event_id=an_id("e"),
        stream=credential_stream(an_id("c")),
        version=3,
        type=name,
        schema_version=version,
        payload=payload.decode(),
        metadata=encode_metadata(metadata).decode(),
        recorded_at=datetime(2026, 1, 3, tzinfo=UTC),
        position=position,
    )


def test_an_event_is_published_as_a_cloud_event_in_binary_mode() -> None:
    message = outgoing_message(stored(), INSTALLATION)
    assert message.position == 7
    assert message.routing_key == "credential.removed"
    assert message.message_id == str(an_id("e"))
    assert message.timestamp == METADATA.occurred_at
    assert json.loads(message.body) == {"credential_id": str(an_id("c")), "reason": "é", "forced": True}
    assert message.headers == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": str(an_id("e")),
        "cloudEvents:source": f"urn:regcred:{INSTALLATION}:credentials",
        "cloudEvents:type": "credential.removed",
        "cloudEvents:subject": str(an_id("c")),
        "cloudEvents:time": "2026-01-02T03:04:05.678901Z",
        "cloudEvents:dataschema": "urn:regcred:events:credential.removed:1",
        "cloudEvents:sequence": "000000000000000007",
        "cloudEvents:accountid": "acme",
        "cloudEvents:streamversion": "3",
        "cloudEvents:requestid": "r-1",
        "cloudEvents:correlationid": "c-1",
        "cloudEvents:causationid": "cause-1",
        "cloudEvents:traceparent": "00-1-2-01",
    }


def test_absent_attributes_have_no_header_and_header_names_follow_cloudevents() -> None:
    headers = outgoing_message(
        stored(replace(METADATA, causation_id=None, traceparent=None)), INSTALLATION
    ).headers
    assert "cloudEvents:causationid" not in headers
    assert "cloudEvents:traceparent" not in headers
    for name, value in headers.items():
        assert re.fullmatch(r"cloudEvents:[a-z0-9]{1,20}", name)
        assert isinstance(value, str)


def test_a_message_contains_no_fingerprint_of_a_secret() -> None:
    name, _, data = encode(added(an_id("c")))
    fingerprint = json.loads(data)["secret"]["fingerprint"]
    message = outgoing_message(structs.replace(stored(), type=name, payload=data.decode()), INSTALLATION)
    assert fingerprint not in message.body.decode()
    assert json.loads(message.body)["secret"]["fingerprint"] == "0" * 32


def test_personal_data_is_not_in_the_headers() -> None:
    headers = outgoing_message(
        stored(replace(METADATA, source_ip="192.0.2.7", on_behalf_of="person")), INSTALLATION
    ).headers
    for private in ("u-1", "A User", "192.0.2.7", "person"):
        assert private not in repr(headers)


def test_an_event_without_a_position_is_not_published() -> None:
    with pytest.raises(ValueError, match="log"):
        outgoing_message(stored(position=None), INSTALLATION)


@given(st.integers(0, 10**18 - 1))
def test_the_position_of_a_message_is_read(position: int) -> None:
    assert position_of(outgoing_message(stored(position=position), INSTALLATION).headers) == position


@given(st.lists(st.integers(1, 10**18 - 1)))
def test_sequences_are_ordered_as_text_like_their_numbers(numbers: list[int]) -> None:
    texts = [
        outgoing_message(stored(position=number), INSTALLATION).headers["cloudEvents:sequence"]
        for number in numbers
    ]
    assert [int(text) for text in sorted(texts)] == sorted(numbers)


def test_the_same_event_of_another_installation_has_another_source() -> None:
    headers = [outgoing_message(stored(), one).headers for one in (INSTALLATION, an_id("other"))]
    assert headers[0]["cloudEvents:source"] != headers[1]["cloudEvents:source"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " 7",
        "-7",
        "7.0",
        "0x7",
        "seven",
        7,
        7.0,
        True,
        b"7",
        ["7"],
        "9" * 19,
        "\u0667",
        "\u00b2",
        "7\n",
    ],
    ids=range(16),
)
def test_an_invalid_position_is_malformed(value: object) -> None:
    with pytest.raises(MalformedMessage):
        position_of({"cloudEvents:sequence": value})


@pytest.mark.parametrize("headers", [None, {}, {"sequence": "7"}, {"cloudevents:sequence": "7"}])
def test_a_message_without_a_position_is_malformed(headers: dict[str, object] | None) -> None:
    with pytest.raises(MalformedMessage):
        position_of(headers)


@given(st.permutations(range(1, 12)), st.integers(0, 11))
def test_the_prefix_ends_before_the_first_gap(order: list[int], count: int) -> None:
    prefix = ContiguousPrefix(0)
    done: set[int] = set()
    for position in order[:count]:
        prefix.done(position)
        done.add(position)
        assert prefix.position == next(n for n in range(12) if n + 1 not in done)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_backoff_grows_to_half_a_minute(attempt: int, jitter: float) -> None:
    def wait(number: int) -> float:
        return backoff(number, longest=LONGEST_BACKOFF_SECONDS, jitter=jitter)

    assert 0.1 <= wait(attempt) <= 30
    assert wait(0) <= 0.2
    assert wait(20) >= 15


def test_the_connection_has_heartbeats_and_timeouts() -> None:
    made = parameters("amqps://user:pass@broker.example:5671/regcred?heartbeat=600")
    assert (made.host, made.port, made.virtual_host) == ("broker.example", 5671, "regcred")
    assert made.heartbeat == 15
    assert made.blocked_connection_timeout == 60
    assert made.ssl_options is not None


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:pass/word@broker/regcred",
        "amqp://user:canary@broker:canary/regcred",
        "amqp://user:canary@[::1/regcred",
        "amqp://user:canary@broker/regcred?heartbeat=canary",
    ],
)
def test_an_invalid_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BrokerUnavailable) as raised:
        parameters(url)
    for part in ("pass", "word", "canary"):
        assert part not in str(raised.value)
    assert raised.value.__suppress_context__


def test_passwords_are_hashed_as_in_rabbitmq() -> None:
    hashed = base64.b64decode(password_hash("pass", b"salt"))
    assert hashed == b"salt" + hashlib.sha256(b"saltpass").digest()


def test_the_definitions_file_contains_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {}
    for name in TOPOLOGY.users:
        file = tmp_path / name
        file.write_text(f"canary-{name}\n")
        environment[f"{name.upper().replace('-', '_')}_PASSWORD_FILE"] = str(file)
    definitions_file.main(environment)
    text = capsys.readouterr().out
    document = json.loads(text)
    assert "canary" not in text
    assert {user["name"] for user in document["users"]} == set(TOPOLOGY.users)
    hashes = [base64.b64decode(user["password_hash"]) for user in document["users"]]
    assert len({hashed[:4] for hashed in hashes}) == len(hashes)  # each has a salt of its own
    environment.popitem()
    with pytest.raises(SystemExit, match="PASSWORD_FILE is not set"):
        definitions_file.main(environment)


def test_every_queue_is_durable_with_dead_lettering() -> None:
    wanted = TOPOLOGY
    exchanges = {exchange.name for exchange in wanted.exchanges}
    queues = {queue.name for queue in wanted.queues}
    for queue in wanted.queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        if queue.name == LAST_PUBLISHED:  # one message, replaced by the next one, so it never refuses
            assert queue.arguments["x-max-length"] == 1
            assert "x-overflow" not in queue.arguments
            continue
        assert queue.arguments["x-overflow"] == "reject-publish"
        if queue.name.endswith(".dead"):
            assert "x-dead-letter-exchange" not in queue.arguments
        else:
            assert queue.arguments["x-dead-letter-exchange"] in exchanges
            assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    for binding in wanted.bindings:
        assert binding.exchange in exchanges
        assert binding.queue in queues
    assert {binding.exchange for binding in wanted.bindings} == exchanges  # none drops what it gets
