"""JSON-like data as YAML that people can read. Values are written as JSON writes them, which is YAML too."""

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z$][\w$.-]*")
_WORDS = {
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
}  # which YAML 1.1 takes for something else


def to_yaml(document: dict[str, Any]) -> str:
    """Block style, two spaces, in the order given."""
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
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS else json.dumps(key)
