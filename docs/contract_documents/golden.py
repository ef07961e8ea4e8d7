"""Golden files: for every version of every event a JSON Schema and an example, fixed once released.

`released.txt` beside them names what is released, one `<name>.v<version>` a line. What is not named there
follows the code whenever the files are written. What is named there keeps its shape: descriptions may be
worded better, all else takes a new version.
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
    """The JSON Schema of an event's body, whole in itself."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": dataschema(kind),
        **msgspec.json.schema(kind.payload_class),
    }


def golden_files(kinds: Sequence[EventType] | None = None) -> dict[str, str]:
    """File name to text, as the code has it now.

    Raises:
        LookupError: an event has no example.
    """
    files = {}
    for kind in EVENTS.all_types() if kinds is None else kinds:
        files[golden_name(kind) + _SCHEMA] = _json(schema_of(kind))
        files[golden_name(kind) + _EXAMPLE] = _json(json.loads(example_body(kind)))
    return files


def released_names(text: str) -> list[str]:
    """What `released.txt` names."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def broken_promises(
    released: Sequence[str], stored: Mapping[str, str], current: Mapping[str, str]
) -> list[str]:
    """A sentence for each released file that the code would not write so any more; both maps go from file
    name to text.
    """
    broken = []
    for name in released:
        for file, shape in ((name + _SCHEMA, _shape), (name + _EXAMPLE, _whole)):
            if file not in stored:
                broken.append(f"{file} is released, but is not there")
            elif file not in current:
                broken.append(f"{file} is released, but no class is registered for it any more")
            elif shape(json.loads(stored[file])) != shape(json.loads(current[file])):
                broken.append(
                    f"{file} is released, but the code says something else: add a new version instead"
                )
    return broken


def _shape(schema: Any) -> Any:
    """A schema without its wording. Properties may have the same names: theirs are never plain texts."""
    if isinstance(schema, dict):
        return {
            key: _shape(value)
            for key, value in schema.items()
            if not (key in {"title", "description"} and isinstance(value, str))
        }
    return [_shape(item) for item in schema] if isinstance(schema, list) else schema


def _whole(example: Any) -> Any:
    return example


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
