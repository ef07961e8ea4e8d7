"""The headers of a message, and the example message of each event as the relay would publish it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from docs.contract_documents.examples import EXAMPLES, METADATA
from eventlog.broker import PREFIX, OutgoingMessage, outgoing_message
from eventlog.events import EVENTS, EventType, StoredEvent, StreamId, encode, encode_metadata


@dataclass(frozen=True, slots=True)
class Header:
    """A CloudEvents attribute; `schema` is its JSON Schema beyond being a string."""

    name: str
    meaning: str
    schema: Mapping[str, str]
    required: bool = True

    @property
    def key(self) -> str:
        """The name of the AMQP header."""
        return PREFIX + self.name


HEADERS: Sequence[Header] = (
    Header("specversion", "Version of CloudEvents.", {"const": "1.0"}),
    Header("id", "Id of the event, also in `message_id`.", {"format": "uuid"}),
    Header(
        "source",
        "Kind of stream: `/regcred/credentials`, `/regcred/verifications`, `/regcred/issuances`, "
        "`/regcred/audits` or `/regcred/accounts`.",
        {"format": "uri-reference"},
    ),
    Header("type", "The event's name, also the routing key and in `type`.", {}),
    Header("subject", "Id of the stream: order counts within it.", {"format": "uuid"}),
    Header("time", "When it happened, RFC 3339, UTC.", {"format": "date-time"}),
    Header(
        "dataschema",
        "`urn:regcred:events:<name>:<version>`, the `$id` of the body's schema.",
        {"pattern": "^urn:regcred:events:[a-z_.]+:[0-9]+$"},
    ),
    Header(
        "sequence",
        "Position in the whole log, dense, from 1: a decimal number without leading zeros.",
        {"pattern": "^[1-9][0-9]{0,17}$"},
    ),
    Header(
        "streamversion", "Place within the stream, a decimal number from 1.", {"pattern": "^[1-9][0-9]*$"}
    ),
    Header("accountid", "The account that it belongs to.", {}),
    Header("requestid", "The request that caused it.", {}),
    Header("correlationid", "What belongs together has the same.", {}),
    Header("causationid", "The event or command that it follows from.", {}, required=False),
    Header("traceparent", "W3C Trace Context of the request.", {}, required=False),
)


def dataschema(kind: EventType) -> str:
    """The URN of an event's schema."""
    return f"urn:regcred:events:{kind.name}:{kind.version}"


def example_body(kind: EventType) -> bytes:
    """JSON of the example of an event.

    Raises:
        LookupError: `EXAMPLES` has none.
    """
    payload, _ = _example(kind)
    return encode(payload)[2]


def example_message(kind: EventType) -> OutgoingMessage:
    """The example as the relay publishes it; raises as `example_body` does."""
    _, stream = _example(kind)
    place = EVENTS.all_types().index(kind) + 1
    return outgoing_message(
        StoredEvent(
            event_id=uuid5(NAMESPACE_URL, dataschema(kind)),
            stream=stream,
            version=place,
            type=kind.name,
            schema_version=kind.version,
            payload=example_body(kind).decode(),
            metadata=encode_metadata(METADATA).decode(),
            recorded_at=METADATA.occurred_at,
            position=41_000 + place,
        )
    )


def _example(kind: EventType) -> tuple[object, StreamId]:
    try:
        return EXAMPLES[kind.payload_class]
    except KeyError:
        raise LookupError(f"{kind.name} version {kind.version} has no example, see examples.py") from None
