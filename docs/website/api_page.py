"""The reference of the HTTP API, generated from its OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from chassis.web.problem_types import PROBLEMS

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")

_HEAD = """\
# HTTP reference

JSON under `/v1`, bearer tokens, problem documents (RFC 9457). A running regcred serves the same at
`/docs` and `/openapi.json`.

| header | |
|---|---|
| `Authorization: Bearer …` | a service token, or a JWT of a trusted issuer |
| `Idempotency-Key` | of a `POST`: a repetition with the same key returns the first response |
| `If-Match` | the `ETag` that a change is based on; `PATCH`, `PUT` and `DELETE` need it |
| `Regcred-Position` | of the response to a command: its position in the log |
| `Regcred-Wait-For` | of a query: such a position, which the response must include |
| `Prefer: wait=N` | of `POST …/verifications`: wait up to N seconds for the result |
| `X-Request-Id` | your own, or one that regcred generates; audit log, logs and problem documents have it |
"""


def api_page(document: Json) -> str:
    """Return the page in Markdown: operations by tag, then schemas, then problems."""
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
            text = one.get("description") or schema.get("description") or ""
            default = f" Default: `{schema['default']}`." if schema.get("default") is not None else ""
            name = f"`{one['name']}`{', required' if one.get('required') else ''}"
            yield f"| {name} | {one['in']} | {_type(schema)} | {_cell(text)}{_cell(default)} |"
        yield ""
    body = operation.get("requestBody")
    if body:
        yield "Body: " + ", ".join(_contents(_resolved(document, body))) + "\n"
    yield "| response | |\n|---|---|"
    for status, response in sorted(operation.get("responses", {}).items()):
        known = _resolved(document, response)
        text = known.get("description", "")
        yield f"| `{status}` | {', '.join((_cell(text), *_contents(known)))} |"
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
            text = _cell(inner.get("description", ""))
            yield f"| `{field}`{', required' if field in required else ''} | {_type(inner)} | {text} |"
        yield ""


def _problems() -> Iterator[str]:
    yield "| code | status | meaning |\n|---|---|---|"
    for code, kind in PROBLEMS.items():
        yield f"| `{code}` | {kind.status} | {_cell(kind.advice)} |"


def _resolved(document: Json, found: Json) -> Json:
    """The object that a reference points to, or the object itself without a reference."""
    if "$ref" not in found:
        return found
    target: Any = document
    for step in found["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    resolved: Json = target
    return resolved


def _type(schema: Json) -> str:
    """A short description of a type. A schema of the document becomes a link."""
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
    text = " or ".join(kinds)
    if schema.get("format"):
        text = text.replace("string", schema["format"])
    if "array" in kinds:
        text = f"list of {_type(schema.get('items', {}))}"
    extra = schema.get("additionalProperties")
    return f"{text} of {_type(extra)}" if isinstance(extra, dict) and extra else text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
