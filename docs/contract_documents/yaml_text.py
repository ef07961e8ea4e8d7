"""Writes JSON-like data as readable YAML. Values are written as JSON, which is also YAML."""

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z$][\w$.-]*")
_RESERVED_WORDS = {
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
}  # YAML 1.1 reads them as booleans or null


def to_yaml(document: dict[str, Any]) -> str:
    """Return the document in block style, indented by two spaces, in its own order."""
    return "".join(f"{line}\n" for line in _mapping(document))


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return list(_mapping(value))
    if isinstance(value, list) and value:
        return list(_sequence(value))
    return [json.dumps(value, ensure_ascii=False)]


def _mapping(mapping: dict[str, Any]) -> Iterator[str]:
    for key, value in mapping.items():
        lines = _lines(value)
        if isinstance(value, (dict, list)) and value:
            yield f"{_key(key)}:"
            yield from (f"  {line}" for line in lines)
        else:
            yield f"{_key(key)}: {lines[0]}"


def _sequence(items: list[Any]) -> Iterator[str]:
    for item in items:
        first, *rest = _lines(item)
        yield f"- {first}"
        yield from (f"  {line}" for line in rest)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _RESERVED_WORDS else json.dumps(key)
