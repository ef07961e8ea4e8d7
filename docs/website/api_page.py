"""The reference of the HTTP interface, from its OpenAPI document: nothing is called to show it."""

from collections.abc import Iterator
from typing import Any

from chassis.web.docs import PROBLEMS

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_REFERENCE = "#/components/"

_HEAD = """\
# HTTP reference

JSON under `/v1`, bearer tokens, problem documents (RFC 9457). A running regcred serves the same at
`/docs` and `/openapi.json`.

| header | |
|---|---|
| `Authorization: Bearer …` | a service token, or a JWT of a trusted issuer |
| `Idempotency-Key` | of a `POST`: sent again, it gives the first answer |
| `If-Match` | the `ETag` that a change is based on; `PATCH`, `PUT` and `DELETE` need it |
| `Regcred-Position` | of an answered command: where the log has it |
| `Regcred-Wait-For` | of a query: such a position, which the answer must know |
| `Prefer: wait=N` | of `POST …/verifications`: answer with the result, within so many seconds |
| `X-Request-Id` | yours, or one that regcred makes; audit log, logs and problem documents have it |
"""


def api_page(document: Json) -> str:
    """The page, in Markdown: each operation under its tag, then every schema, then every problem."""
    return "\n".join(
        [_HEAD, *_operations(document), "## Schemas\n", *_schemas(document), "## Problems\n", *_problems()]
    )


def _operations(document: Json) -> Iterator[str]:
    tags = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    found: dict[str, list[str]] = {name: [] for name in tags}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                shared = operations.get("parameters", [])
                tag = (operation.get("tags") or ["other"])[0]
                found.setdefault(tag, []).append(
                    "\n".join(_operation(document, method, path, operation, shared))
                )
    for tag, texts in found.items():
        yield f"## {tag[:1].upper()}{tag[1:]}\n\n{tags.get(tag, '')}\n"
        yield from texts


def _operation(document: Json, method: str, path: str, operation: Json, shared: list[Json]) -> Iterator[str]:
    yield f"### {method.upper()} {path}\n"
    yield f"{operation.get('summary', '')}\n"
    if operation.get("description"):
        yield f"{operation['description']}\n"
    parameters = [_resolved(document, one) for one in (*shared, *operation.get("parameters", []))]
    if parameters:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for one in parameters:
            schema = one.get("schema", {})
            said = one.get("description") or schema.get("description") or ""
            default = f" Default: `{schema['default']}`." if schema.get("default") is not None else ""
            name = f"`{one['name']}`{', required' if one.get('required') else ''}"
            yield f"| {name} | {one['in']} | {_type(schema)} | {_cell(said)}{_cell(default)} |"
        yield ""
    body = operation.get("requestBody")
    if body:
        yield "Body: " + ", ".join(_contents(_resolved(document, body))) + "\n"
    yield "| answer | |\n|---|---|"
    for status, answer in sorted(operation.get("responses", {}).items()):
        known = _resolved(document, answer)
        said = known.get("description", "")
        yield f"| `{status}` | {', '.join((_cell(said), *_contents(known)))} |"
    yield ""


def _contents(holder: Json) -> Iterator[str]:
    for kind, content in holder.get("content", {}).items():
        yield f"{_type(content.get('schema', {}))}{'' if kind == 'application/json' else f' (`{kind}`)'}"


def _schemas(document: Json) -> Iterator[str]:
    for name, schema in sorted(document["components"].get("schemas", {}).items()):
        yield f"(schema-{name.lower()})=\n### {name}\n"
        if schema.get("description"):
            yield f"{schema['description']}\n"
        if "properties" not in schema:
            continue
        yield "| field | type | |\n|---|---|---|"
        required = schema.get("required", [])
        for field, inner in schema["properties"].items():
            said = _cell(inner.get("description", ""))
            yield f"| `{field}`{', required' if field in required else ''} | {_type(inner)} | {said} |"
        yield ""


def _problems() -> Iterator[str]:
    yield "| code | what it means |\n|---|---|"
    for code, said in PROBLEMS.items():
        yield f"| `{code}` | {_cell(said)} |"


def _resolved(document: Json, found: Json) -> Json:
    """What a reference stands for."""
    if "$ref" not in found:
        return found
    place: Any = document
    for step in found["$ref"].removeprefix("#/").split("/"):
        place = place[step]
    resolved: Json = place
    return resolved


def _type(schema: Json) -> str:
    """A type in few words; a schema of the document as a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#schema-{name.lower()})"
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{'null' if one is None else one}`" for one in schema["enum"])
    kind = schema.get("type", "object")
    kinds = [kind] if isinstance(kind, str) else kind
    said = " or ".join(kinds)
    if schema.get("format"):
        said = said.replace("string", schema["format"])
    if "array" in kinds:
        said = f"list of {_type(schema.get('items', {}))}"
    extra = schema.get("additionalProperties")
    return f"{said} of {_type(extra)}" if isinstance(extra, dict) and extra else said


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
