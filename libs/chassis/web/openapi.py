"""The OpenAPI document of an application: paths, bodies and queries by flask-smorest, and what it leaves out.

That are operation ids, scopes, headers, and every status with the codes of its problems. They follow from the
marks of the view functions (`requires`, `describes`), and some are the same for every operation.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from http import HTTPStatus
from itertools import groupby
from typing import Any

from flask import Flask

from chassis.web.authentication import scopes_of
from chassis.web.described import Description, description_of
from chassis.web.header_types import (
    EVERY_RESPONSE,
    OF_STATUS,
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    HeaderType,
)
from chassis.web.problem_types import PROBLEMS

Json = dict[str, Any]

PROBLEM = "application/problem+json"
SOMETIMES = {"x-sometimes": True}  # metadata of a field that only some responses have
EXTENSION = "regcred-openapi"  # of the application: the document of flask-smorest
_METHODS = ("get", "post", "put", "patch", "delete")
_SCHEMA = re.compile(r'"#/components/schemas/(\w+)"')
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")

# Of the server, before the application sees the request.
_OF_SERVER = (
    "bad_request",
    "request_timeout",
    "too_large",
    "target_too_long",
    "too_many_at_once",
    "header_too_large",
    "not_implemented",
    "overloaded",
    "unavailable",
)
_OF_EVERY_OPERATION = (
    "unauthenticated",
    "issuer_unavailable",
    "limit_reached",
    "invalid_request",
    "database_unavailable",
    "log_not_adopted",
    "key_missing",
    "internal_error",
)
_OF_BODY = ("invalid_json", "unsupported_media_type")
_INFO = {
    "title": "regcred",
    "version": "v1",
    "description": "Stores the credentials of container registries for deploy platforms. Conventions of all "
    "operations, such as versions, dry runs, idempotency, pages and limits: `docs/http.md`.",
    "contact": {"name": "The regcred authors"},
    "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
}
_SERVERS = [{"url": "/", "description": "The address that serves this document."}]
_PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "An error (RFC 9457). Clients decide by `code`; new codes can be added.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The page of the code."},
        "title": {"type": "string", "description": "The code in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong with this request, for people."},
        "code": {"type": "string", "description": "What is wrong, for programs."},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "description": "The invalid values, 100 at most.",
            "items": {"$ref": "#/components/schemas/InvalidValue"},
        },
        "more_errors": {
            "type": "integer",
            "description": "How many are invalid, if not all are listed.",
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
}
_INVALID_VALUE_SCHEMA: Json = {
    "type": "object",
    "description": "A value of the request that cannot be accepted.",
    "properties": {
        "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) into the body or the query."},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["pointer", "code", "detail"],
}


class Undescribed(Exception):
    """A route lacks what the document needs."""


def openapi_of_routes(app: Flask) -> Json:
    """Return the OpenAPI document that the routes of an application define.

    Raises:
        Undescribed: a route has no `describes(...)`, or its body no example.
    """
    document: Json = deepcopy(app.extensions[EXTENSION].to_dict())
    views = dict(_views(app))
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(operations[method], path, views[method, path])
    components = document["components"]
    _require_fields(document)
    components["schemas"] |= {"Problem": _PROBLEM_SCHEMA, "InvalidValue": _INVALID_VALUE_SCHEMA}
    for unused in ("Error", "PaginationMetadata"):
        components["schemas"].pop(unused, None)
    components["responses"] = {_common_name(status): response for status, response in _common().items()}
    components["parameters"] = {name: _parameter(name, kind) for name, kind in REQUEST_HEADERS.items()}
    components["headers"] = {name: _header(kind) for name, kind in RESPONSE_HEADERS.items()}
    return {**document, "info": _INFO, "servers": _SERVERS}


def _require_fields(document: Json) -> None:
    """Say which fields a body has.

    Schemas that only responses have require the fields that every response has, and allow others. Those of
    requests name defaults in words: openapi-typescript takes a field with `default` for one that is always
    there, and its users would have to send it.
    """
    schemas = document["components"]["schemas"]
    operations = [
        operation
        for path in document["paths"].values()
        for name, operation in path.items()
        if name in _METHODS
    ]
    sent = _reachable(schemas, [one.get("requestBody") for one in operations])
    for name in sent:
        for inner in schemas[name].get("properties", {}).values():
            default = inner.pop("default", None)
            if default not in {None, ""}:
                text = f"Default: `{json.dumps(default)}`."
                inner["description"] = " ".join(filter(None, (inner.get("description"), text)))
    for name in _reachable(schemas, [one["responses"] for one in operations]):
        schema = schemas[name]
        fields = schema.get("properties", {}).items()
        sometimes = {field for field, inner in fields if inner.pop("x-sometimes", False)}
        if name not in sent and fields:
            schema["required"] = [field for field, _ in fields if field not in sometimes]
            schema.pop("additionalProperties", None)


def _reachable(schemas: Json, parts: Iterable[object]) -> set[str]:
    """The names of the schemas to which these parts of the document refer, also through other schemas."""
    found: set[str] = set()
    left = {name for part in parts for name in _SCHEMA.findall(json.dumps(part))}
    while left:
        name = left.pop()
        if name in schemas and name not in found:
            found.add(name)
            left.update(_SCHEMA.findall(json.dumps(schemas[name])))
    return found


def _views(app: Flask) -> Iterator[tuple[tuple[str, str], Callable[..., Any]]]:
    """The view function of each method and path of the document."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods or ():
            yield (method.lower(), path_of(rule.rule)), app.view_functions[rule.endpoint]


def path_of(rule: str) -> str:
    """Return the path of a rule of Flask in the document: `/v1/accounts/{account_id}`."""
    return _ARGUMENT.sub(r"{\1}", rule)


def _complete(operation: Json, path: str, view: Callable[..., Any]) -> None:
    description = description_of(view)
    if description is None:
        raise Undescribed(f"{view.__name__} has no @describes(...): its headers and problems are unknown")
    operation["operationId"] = _camel_case(view.__name__)
    scopes = scopes_of(view)
    operation["x-scopes"] = list(scopes)  # roles in `security` are unknown to most programs
    needed = " or ".join(f"`{scope}`" for scope in scopes)
    text = f"Needs the scope {needed}." if scopes else "Needs a token, of any scope."
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), text)))
    reads = [{"$ref": f"#/components/parameters/{name}"} for name in description.reads]
    operation["parameters"] = [*operation.get("parameters", []), *reads]
    _add_example(operation, view.__name__, description)
    success = {
        status: response
        for status, response in operation["responses"].items()
        if status != "default" and int(status) < HTTPStatus.BAD_REQUEST
    }
    for response in success.values():
        response["headers"] = _headers((*description.sends, *EVERY_RESPONSE))
        for media_type in description.media_types:
            response.setdefault("content", {})[media_type] = {"schema": {"type": "string"}}
    codes = _codes(operation, path, description, scopes)
    common = _common()
    problems = _problems(codes)
    for status, response in problems.items():
        if response == common.get(status):
            problems[status] = {"$ref": f"#/components/responses/{_common_name(status)}"}
        else:
            response["headers"] |= _headers(description.sends_refused)
    operation["responses"] = success | problems


def _add_example(operation: Json, name: str, description: Description) -> None:
    body = operation.get("requestBody")
    if body is None:
        return
    if description.example is None:
        raise Undescribed(f"{name} has a body: give @describes(...) an example of it")
    body["content"]["application/json"]["example"] = dict(description.example)


def _codes(operation: Json, path: str, description: Description, scopes: Iterable[str]) -> set[str]:
    """The codes of all problems with which an operation can respond."""
    codes = {*_OF_SERVER, *_OF_EVERY_OPERATION, *description.problems}
    if scopes:
        codes |= {"insufficient_scope", "account_forbidden"}
    if "{account_id}" in path:
        codes |= {"project_forbidden"}
    if "{" in path:
        codes.add("not_found")
    if "requestBody" in operation:
        codes.update(_OF_BODY)
    return codes


def _problems(codes: Iterable[str]) -> Json:
    """The responses for these problems, by status."""
    in_order = sorted(codes, key=lambda code: (PROBLEMS[code].status, code))
    return {
        str(status): _problem_response(status, list(alike))
        for status, alike in groupby(in_order, key=lambda code: PROBLEMS[code].status)
    }


def _common() -> Json:
    """The problems that every operation has, by status."""
    return _problems({*_OF_SERVER, *_OF_EVERY_OPERATION})


def _common_name(status: str) -> str:
    return HTTPStatus(int(status)).name.title().replace("_", "")


def _problem_response(status: int, codes: list[str]) -> Json:
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": _headers((*OF_STATUS.get(status, ()), *EVERY_RESPONSE)),
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "x-problem-codes": codes,
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameter(name: str, kind: HeaderType) -> Json:
    return {
        "in": "header",
        "name": name,
        "required": kind.required,
        "description": kind.meaning,
        "schema": kind.schema,
        "example": kind.example,
    }


def _header(kind: HeaderType) -> Json:
    return {"description": kind.meaning, "schema": kind.schema, "example": kind.example}


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
