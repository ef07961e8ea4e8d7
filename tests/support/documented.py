"""Compares each response of an application with the OpenAPI document.

`tests/conftest.py` installs it for every test, so that an undocumented status, code, header or field of any
response fails the test that got it.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Flask, Response, request
from jsonschema import Draft202012Validator

from chassis.web.interface import document
from chassis.web.openapi import EXTENSION, PROBLEM, path_of

JSON = "application/json"
# Headers of HTTP itself, of every response, or of the browser.
UNDOCUMENTED = {
    "Allow",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "X-Accel-Buffering",
    "X-Content-Type-Options",
}

Json = dict[str, Any]


class Responses:
    """Collects what is not documented of the responses since the last `take`."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def take(self) -> list[str]:
        found, self._found = self._found, []
        return found

    def check(self, app: Flask, response: Response, **_more: Any) -> None:
        """Receive the signal `request_finished`."""
        if request.url_rule is None or EXTENSION not in app.extensions:
            return
        path = path_of(request.url_rule.rule)
        method = "get" if request.method == "HEAD" else request.method.lower()
        operation = document()["paths"].get(path, {}).get(method)
        if operation is None:
            return  # of a test's own application, or `/healthz`
        where = f"{method.upper()} {path} → {response.status_code}"
        self._found += [f"{where}: {problem}" for problem in undocumented(operation, response)]


def undocumented(operation: Json, response: Response) -> Iterator[str]:
    """What the description of the operation does not say of the response."""
    described = _resolved(operation["responses"].get(str(response.status_code)))
    if described is None:
        yield "the status is not documented; add the code to @describes(problems=[...]) of the route"
        return
    headers = set(response.headers.keys()) - UNDOCUMENTED - described.get("headers", {}).keys()
    if headers:
        yield f"the headers {sorted(headers)} are not documented; add them to @describes(sends=[...])"
    contents = described.get("content", {})
    kind = response.mimetype
    if kind and kind not in contents:
        yield f"the media type {kind} is not documented"
        return
    if response.is_streamed or kind not in {JSON, PROBLEM} or request.method == "HEAD":
        return
    body = response.get_json()
    if kind == PROBLEM and body["code"] not in described["x-problem-codes"]:
        yield f"the code {body['code']} is not documented; add it to @describes(problems=[...])"
    schema = contents[kind].get("schema", {})
    for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(body):
        yield f"{error.json_path}: {error.message}"


def _resolved(found: Json | None) -> Json | None:
    if found is None or "$ref" not in found:
        return found
    kind, name = found["$ref"].split("/")[-2:]
    resolved: Json = document()["components"][kind][name]
    return resolved


@cache
def _validator(schema: str) -> Draft202012Validator:
    """The validator of a schema, which is the text of a JSON document."""
    return Draft202012Validator({**json.loads(schema), "components": document()["components"]})
