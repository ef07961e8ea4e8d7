"""The headers of a message, and an example of each event as the relay publishes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from docs.contract_documents.examples import EXAMPLES, METADATA
from eventlog.broker import PREFIX, OutgoingMessage, outgoing_message
from eventlog.events import EVENTS, EventType, StoredEvent, StreamId, encode, encode_metadata


@dataclass(frozen=True, slots=True)
class Header:
    """A CloudEvents attribute. `schema` is its JSON Schema in addition to the type string."""

    name: str
    meaning: str
    schema: Mapping[str, str]
    required: bool = True

    @property
    def key(self) -> str:
        """The name of the AMQP header."""
        return PREFIX + self.name


_INSTALLATION_ID = UUID("6f1d7d52-4b0a-4c3e-9a57-2f8f0c1b9a11")  # of the examples

HEADERS: Sequence[Header] = (
    Header("specversion", "Version of CloudEvents.", {"const": "1.0"}),
    Header("id", "Id of the event, also in `message_id`.", {"format": "uuid"}),
    Header(
        "source",
        "`urn:regcred:<installation>:<kind>`: the id of the installation (`regcred installation show`), and "
        "the kind of stream: `credentials`, `verifications`, `issuances`, `releases`, `audits`, "
        "`accounts`, `service_tokens` or `refusals`.",
        {"format": "uri", "pattern": "^urn:regcred:[0-9a-f-]{36}:[a-z_]+$"},
    ),
    Header("type", "Name of the event, also the routing key and in `type`.", {}),
    Header("subject", "Id of the stream. Events of a stream are ordered.", {"format": "uuid"}),
    Header("time", "Time of the event, RFC 3339, UTC.", {"format": "date-time"}),
    Header(
        "dataschema",
        "`urn:regcred:events:<name>:<version>`, the `$id` of the schema of the body.",
        {"pattern": "^urn:regcred:events:[a-z_.]+:[0-9]+$"},
    ),
    Header(
        "sequence",
        "Position in the log, dense, from 1: a number of 18 decimal digits, so that its text is ordered like "
        "the number.",
        {"pattern": "^[0-9]{18}$"},
    ),
    Header(
        "streamversion",
        "Version of the stream after the event, a decimal number from 1.",
        {"pattern": "^[1-9][0-9]*$"},
    ),
    Header("accountid", "The account of the event; `*`: the installation.", {}),
    Header("requestid", "The request that caused the event.", {}),
    Header("correlationid", "Related events have the same value.", {}),
    Header("causationid", "The event or command that caused the event.", {}, required=False),
    Header("traceparent", "W3C Trace Context of the request.", {}, required=False),
)


def dataschema(kind: EventType) -> str:
    """The URN of an event's schema."""
    return f"urn:regcred:events:{kind.name}:{kind.version}"


def example_body(kind: EventType) -> bytes:
    """Return the body of the example of an event as JSON.

    Raises:
        LookupError: `EXAMPLES` has no example.
    """
    payload, _ = _example(kind)
    return encode(payload)[2]


def example_message(kind: EventType) -> OutgoingMessage:
    """Return the example as the relay publishes it. Raises like `example_body`."""
    _, stream = _example(kind)
    number = EVENTS.all_types().index(kind) + 1
    return outgoing_message(
        StoredEvent(
            event_id=uuid5(NAMESPACE_URL, dataschema(kind)),
            stream=stream,
            version=number,
            type=kind.name,
            schema_version=kind.version,
            payload=example_body(kind).decode(),
            metadata=encode_metadata(METADATA).decode(),
            recorded_at=METADATA.occurred_at,
            position=41_000 + number,
        ),
        _INSTALLATION_ID,
    )


def _example(kind: EventType) -> tuple[object, StreamId]:
    try:
        return EXAMPLES[kind.payload_class]
    except KeyError:
        raise LookupError(f"{kind.name} version {kind.version} has no example, see examples.py") from None
