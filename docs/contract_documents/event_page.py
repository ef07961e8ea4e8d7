"""The generated parts of `docs/events.md`: the table of headers, and a section for each event. Pure.

Marks delimit the generated parts. The rest of the page is written by hand.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from docs.contract_documents.golden import golden_name, schema_of
from docs.contract_documents.messages import HEADERS, example_message
from eventlog.events import EVENTS, EventType
from eventlog.topology import EXCHANGE

# Keys are the kinds of streams in `cloudEvents:source`.
_WRITERS = {
    "credentials": "credentials service",
    "verifications": "verifier",
    "issuances": "credentials service",
    "releases": "credentials service",
    "audits": "query API, and `regcred audit seal`",
    "accounts": "operators, with `regcred accounts`",
    "refusals": "service that refused the request",
    "service_tokens": "credentials service, and `regcred migrate` for its first tokens",
}


def page(text: str) -> str:
    """Return the page with current generated parts.

    Raises:
        ValueError: a mark is missing or occurs twice.
    """
    return _replaced(_replaced(text, "headers", _header_table()), "events", _catalogue())


def _replaced(text: str, part: str, content: str) -> str:
    marks = re.compile(rf"(<!-- generated: {part} -->\n).*?(<!-- end: {part} -->)", re.DOTALL)
    replaced, count = marks.subn(lambda found: f"{found[1]}{content}{found[2]}", text)
    if count != 1:
        raise ValueError(f"the page has {count} parts called {part}")
    return replaced


def _header_table() -> str:
    rows = "".join(
        f"| `{header.key}` | {'yes' if header.required else 'if known'} | {header.meaning} |\n"
        for header in HEADERS
    )
    return f"| header | required | meaning |\n|---|---|---|\n{rows}"


def _catalogue() -> str:
    kinds = EVENTS.all_types()
    links = "".join(
        f"| [`{kind.name}`](#{_anchor(kind)}) | {kind.version} | {_meaning(kind)} |\n" for kind in kinds
    )
    return f"| event | version | when |\n|---|---|---|\n{links}\n" + "\n".join(map(_section, kinds))


def _title(kind: EventType) -> str:
    return f"{kind.name}, version {kind.version}"


def _anchor(kind: EventType) -> str:
    """The anchor that GitHub generates for the heading."""
    return re.sub(r"[^\w -]", "", _title(kind)).replace(" ", "-")


def _meaning(kind: EventType) -> str:
    return " ".join((kind.payload_class.__doc__ or "").split())


def _section(kind: EventType) -> str:
    schema, message, name = schema_of(kind), example_message(kind), golden_name(kind)
    rows = "".join(f"| `{path}` | {form} | {meaning} |\n" for path, form, meaning in _fields(schema))
    headers = "".join(f"{key}: {value}\n" for key, value in message.headers.items())
    body = json.dumps(json.loads(message.body), indent=2, ensure_ascii=False)
    writer = _WRITERS[message.headers["cloudEvents:source"].rpartition(":")[2]]
    return (
        f"### {_title(kind)}\n\n{_meaning(kind)}\n\n"
        f"Written by the {writer}. [Schema](schemas/events/{name}.schema.json), "
        f"[example](schemas/events/{name}.example.json).\n\n"
        f"| field | type | meaning |\n|---|---|---|\n{rows}\n"
        f"<details><summary>Example message</summary>\n\n"
        f"```\nexchange: {EXCHANGE}\nrouting key: {message.routing_key}\nmessage_id: {message.message_id}\n"
        f"{headers}```\n\n```json\n{body}\n```\n\n</details>\n"
    )


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Path, type and meaning of every field. A class is described once; later fields refer to it."""
    described: dict[str, str] = {}

    def walk(class_name: str, prefix: str) -> Iterator[tuple[str, str, str]]:
        for field, found in schema["$defs"][class_name]["properties"].items():
            path, (kind, nullable) = prefix + field, _without_null(found)
            inner, many = _class_of(kind), kind.get("type") == "array"
            meaning = kind.get("description", "")
            if inner and "properties" in schema["$defs"][inner]:
                meaning = meaning or schema["$defs"][inner].get("description", "")
                form = "list of objects" if many else "object"
                if inner in described:
                    meaning = f"As `{described[inner]}`."
                yield path, form + nullable, " ".join(meaning.split())
                if inner not in described:
                    described[inner] = path
                    yield from walk(inner, f"{path}[]." if many else f"{path}.")
            else:
                kind = {**schema["$defs"][inner], **kind} if inner and not many else kind
                yield path, _form(kind) + nullable, " ".join(kind.get("description", "").split())

    yield from walk(schema["$ref"].rpartition("/")[2], "")


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    found = {**choices[0], **{key: value for key, value in schema.items() if key == "description"}}
    return found, " or null" if "anyOf" in schema else ""


def _class_of(schema: dict[str, Any]) -> str:
    """The name of the class of a field, or of the items of a list. Empty for plain types."""
    reference = schema.get("items", schema) if schema.get("type") == "array" else schema
    return str(reference.get("$ref", "")).rpartition("/")[2]


def _form(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        most = f" (at most {schema['maxItems']})" if "maxItems" in schema else ""
        return f"list of {_form(schema['items'])}{most}"
    bounds = [f"{sign}{schema[key]}" for key, sign in _BOUNDS if key in schema]
    if "pattern" in schema:
        bounds.append(f"`{schema['pattern']}`")
    return str(schema.get("format", schema.get("type", ""))) + (f" ({', '.join(bounds)})" if bounds else "")


_BOUNDS = (
    ("minLength", "length ≥ "),
    ("maxLength", "length ≤ "),
    ("minimum", "≥ "),
    ("maximum", "≤ "),
)
