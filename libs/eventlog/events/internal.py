"""Fields of events that leave the log neither in messages nor in proofs. Pure.

A field is internal if its definition says so: `Annotated[str, Meta(extra=INTERNAL)]`. Outside of the log it
has zeros in place of its value, so that it still has the form of its published schema.
"""

from functools import cache
from typing import Any

import msgspec

from eventlog.events.errors import UnknownEvent
from eventlog.events.personal import marked_fields
from eventlog.events.registry import EVENTS, EventRegistry

_Fields = dict[str, Any]  # name → `True`, or the internal fields of the object in this field


def without_internal(name: str, version: int, payload: str, *, registry: EventRegistry = EVENTS) -> str:
    """The JSON of a payload without the values of its internal fields.

    Events that this program does not know stay as they are.
    """
    try:
        fields = _internal_fields(registry.since(name, version)[0].payload_class)
    except UnknownEvent:
        return payload
    if not fields:
        return payload
    return msgspec.json.encode(_cleared(msgspec.json.decode(payload), fields)).decode()


@cache
def _internal_fields(payload_class: type) -> _Fields:
    return marked_fields(payload_class, "internal")


def _cleared(value: Any, fields: _Fields) -> Any:
    for name, within in fields.items():
        inner = value.get(name) if isinstance(value, dict) else None
        if isinstance(within, dict):
            _cleared(inner, within)
        elif isinstance(inner, str):
            value[name] = "0" * len(inner)
    return value
