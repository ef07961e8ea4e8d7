"""Problem documents (RFC 9457), the form of all error responses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chassis.invalid_input import FieldProblem

MAX_ERRORS = 100  # in a document; a body can have an invalid value in each of its thousands of items
TYPE_PREFIX = "/docs#problem-"  # the API documentation describes each code


@dataclass(eq=False)
class Problem(Exception):
    """Raise it to respond with a problem document. `code` is stable and part of the contract."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def document_of(problem: Problem, request_id: str | None) -> bytes:
    """The document of a problem, as JSON."""
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": title_of(problem.code),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        "errors": [
            {"pointer": error.pointer, "code": error.code, "detail": error.detail}
            for error in problem.errors[:MAX_ERRORS]
        ],
        **problem.extra,
    }
    if len(problem.errors) > MAX_ERRORS:
        document["more_errors"] = len(problem.errors) - MAX_ERRORS
    return json.dumps(document).encode()


def title_of(code: str) -> str:
    """The name of a type of problems, the same in all its documents (RFC 9457, section 3.1.3)."""
    return code.replace("_", " ").capitalize().replace("json", "JSON")


def unavailable(code: str, detail: str, retry_after: int) -> Problem:
    """A problem 503 with the time of the next attempt, in seconds."""
    headers = {"Retry-After": str(retry_after)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers=headers)
