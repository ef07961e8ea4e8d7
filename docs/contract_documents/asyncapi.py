"""The events as an AsyncAPI 3.1 document, generated from the event types, the topology and the headers. Pure.

The described application is regcred, which sends to `regcred.events`. The channels of its own two consumers
show the events in their queues. A consumer of the platform has its own queue with similar bindings.
"""

import json
from typing import Any

import msgspec

from contracts.broker import CONSUMERS, TOPOLOGY
from docs.contract_documents.golden import golden_name
from docs.contract_documents.messages import HEADERS, dataschema, example_message
from docs.contract_documents.yaml_text import to_yaml
from eventlog.broker import CONTENT_TYPE, PREFIX
from eventlog.events import EVENTS, EventType
from eventlog.topology import EXCHANGE, VHOST, Queue, queue_name

_BINDING = {"bindingVersion": "0.3.0"}
_REF = "#/components/schemas/{name}"
_HEADERS_SCHEMA = "CloudEventsHeaders"

_HEAD = "# Written by `python -m docs.contract_documents docs`: change the code instead.\n"
_INFO = {
    "title": "regcred events",
    "version": "2.0.0",
    "description": (
        "The events of credentials for external container registries, as CloudEvents 1.0 in binary mode over "
        "RabbitMQ. The routing key is the name of the event. Delivery is at least once. The header "
        "cloudEvents:sequence defines the order and shows repetitions and gaps. No event contains a secret. "
        "docs/events.md describes how to write a consumer."
    ),
}


def asyncapi_text() -> str:
    """The text of the file `asyncapi.yaml`."""
    return f"{_HEAD}{to_yaml(asyncapi())}"


def asyncapi() -> dict[str, Any]:
    """The document as data."""
    kinds = EVENTS.all_types()
    names = list(dict.fromkeys(kind.name for kind in kinds))
    _, schemas = msgspec.json.schema_components([kind.payload_class for kind in kinds], ref_template=_REF)
    return {
        "asyncapi": "3.1.0",
        "info": _INFO,
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "rabbitmq.example.com:5671",
                "protocol": "amqps",
                "protocolVersion": "0.9.1",
                "pathname": f"/{VHOST}",
                "description": "The RabbitMQ of the installation, 3.10 or newer.",
                "security": [{"$ref": "#/components/securitySchemes/user"}],
            }
        },
        "channels": {name: _event_channel(name, _versions(kinds, name)) for name in names}
        | {queue_name(consumer): _queue_channel(consumer, kinds) for consumer in CONSUMERS},
        "operations": {f"publish.{name}": _send_operation(name, _versions(kinds, name)) for name in names}
        | {f"consume.{consumer}": _receive_operation(consumer, kinds) for consumer in CONSUMERS},
        "components": {
            "messages": {golden_name(kind): _message(kind) for kind in kinds},
            "schemas": {_HEADERS_SCHEMA: _headers(), **schemas},
            "securitySchemes": {
                "user": {"type": "userPassword", "description": "A RabbitMQ user with its own rights."}
            },
        },
    }


def _versions(kinds: list[EventType], name: str) -> list[EventType]:
    return [kind for kind in kinds if kind.name == name]


def _events_of(consumer: str, kinds: list[EventType]) -> list[EventType]:
    """The events in the queue of a consumer of regcred. Its binding keys are event names, or `#`."""
    keys = CONSUMERS[consumer]
    return [kind for kind in kinds if "#" in keys or kind.name in keys]


def _event_channel(name: str, versions: list[EventType]) -> dict[str, Any]:
    exchange = {
        "name": EXCHANGE,
        "type": "topic",
        "durable": True,
        "autoDelete": False,
        "vhost": VHOST,
    }
    return {
        "address": name,
        "messages": _messages(versions),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **_BINDING}},
    }


def _queue_channel(consumer: str, kinds: list[EventType]) -> dict[str, Any]:
    queue = _queue(queue_name(consumer))
    return {
        "address": queue.name,
        "description": f"regcred's {consumer}, bound to {EXCHANGE} by: {', '.join(CONSUMERS[consumer])}.",
        "messages": _messages(_events_of(consumer, kinds)),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue.name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                    "vhost": VHOST,
                },
                **_BINDING,
            }
        },
        "x-arguments": dict(queue.arguments),
    }


def _queue(name: str) -> Queue:
    return next(queue for queue in TOPOLOGY.queues if queue.name == name)


def _messages(kinds: list[EventType]) -> dict[str, Any]:
    return {golden_name(kind): {"$ref": f"#/components/messages/{golden_name(kind)}"} for kind in kinds}


def _send_operation(name: str, versions: list[EventType]) -> dict[str, Any]:
    return {
        "action": "send",
        **_on_channel(name, versions),
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, **_BINDING}},
    }


def _receive_operation(consumer: str, kinds: list[EventType]) -> dict[str, Any]:
    return {
        "action": "receive",
        **_on_channel(queue_name(consumer), _events_of(consumer, kinds)),
        "bindings": {"amqp": {"ack": True, **_BINDING}},
    }


def _on_channel(channel: str, kinds: list[EventType]) -> dict[str, Any]:
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{golden_name(kind)}"} for kind in kinds],
    }


def _message(kind: EventType) -> dict[str, Any]:
    example = example_message(kind)
    return {
        "name": golden_name(kind),
        "title": f"{kind.name}, version {kind.version}",
        "summary": (kind.payload_class.__doc__ or "").strip(),
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": _REF.format(name=_HEADERS_SCHEMA)},
                {
                    "type": "object",
                    "properties": {
                        f"{PREFIX}type": {"const": kind.name},
                        f"{PREFIX}dataschema": {"const": dataschema(kind)},
                    },
                },
            ]
        },
        "payload": {"$ref": _REF.format(name=kind.payload_class.__name__)},
        "correlationId": {"location": f"$message.header#/{PREFIX}correlationid"},
        "bindings": {"amqp": {"messageType": kind.name, **_BINDING}},
        "examples": [{"headers": dict(example.headers), "payload": json.loads(example.body)}],
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0 attributes. All values are strings.",
        "required": [header.key for header in HEADERS if header.required],
        "properties": {
            header.key: {"type": "string", "description": header.meaning, **header.schema}
            for header in HEADERS
        },
    }
