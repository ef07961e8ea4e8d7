"""Golden files: a JSON Schema and an example for every version of every event.

`released.txt` in their folder lists the released events, one `<name>.v<version>` per line. The files of other
events follow the code. Of a released event only descriptions may change. Every other change needs a new
version.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from docs.contract_documents.messages import dataschema, example_body
from eventlog.events import EVENTS, EventType

RELEASED = "released.txt"
_SCHEMA = ".schema.json"
_EXAMPLE = ".example.json"


def golden_name(kind: EventType) -> str:
    return f"{kind.name}.v{kind.version}"


def schema_of(kind: EventType) -> dict[str, Any]:
    """The JSON Schema of the body of an event, without external references."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": dataschema(kind),
        **msgspec.json.schema(kind.payload_class),
    }


def golden_files(kinds: Sequence[EventType] | None = None) -> dict[str, str]:
    """Return the golden files of the current code as a map from file name to text.

    Raises:
        LookupError: an event has no example.
    """
    files = {}
    for kind in EVENTS.all_types() if kinds is None else kinds:
        files[golden_name(kind) + _SCHEMA] = _json(schema_of(kind))
        files[golden_name(kind) + _EXAMPLE] = _json(json.loads(example_body(kind)))
    return files


def released_names(text: str) -> list[str]:
    """The names in `released.txt`."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def broken_promises(
    released: Sequence[str], stored: Mapping[str, str], current: Mapping[str, str]
) -> list[str]:
    """Return an error for each released file that the current code would change.

    `stored` and `current` map file names to texts.
    """
    broken = []
    for name in released:
        for file, shape in ((name + _SCHEMA, _shape), (name + _EXAMPLE, _unchanged)):
            if file not in stored:
                broken.append(f"{file} is released, but the file is missing")
            elif file not in current:
                broken.append(f"{file} is released, but no class is registered for it")
            elif shape(json.loads(stored[file])) != shape(json.loads(current[file])):
                broken.append(f"{file} is released, but the code would change it: add a new version instead")
    return broken


def _shape(schema: Any) -> Any:
    """A schema without titles and descriptions. Properties with these names are not strings and stay."""
    if isinstance(schema, dict):
        return {
            key: _shape(value)
            for key, value in schema.items()
            if not (key in {"title", "description"} and isinstance(value, str))
        }
    return [_shape(item) for item in schema] if isinstance(schema, list) else schema


def _unchanged(example: Any) -> Any:
    return example


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
