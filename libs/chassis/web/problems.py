"""Responds to every error of an application with a problem document (RFC 9457)."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from chassis.database_failure import failure_reason
from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.runtime.unavailable import Unavailable
from chassis.web.problem_document import Problem, document_of, unavailable

__all__ = ["Problem", "field_errors", "install", "invalid", "respond", "unavailable"]

log = structlog.get_logger()


def respond(problem: Problem) -> Response:
    """The response of a problem, with the id of the request."""
    g.problem_code = problem.code
    return Response(
        document_of(problem, g.get("request_id")),
        status=problem.status,
        headers=dict(problem.headers),
        content_type="application/problem+json",
    )


def invalid(errors: Sequence[FieldProblem]) -> Problem:
    """A problem 422 that lists every invalid value."""
    detail = "the request has an invalid value" if len(errors) == 1 else "the request has invalid values"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors)


def install(app: Flask) -> None:
    """Respond to every error of an application with a problem document."""

    @app.errorhandler(Problem)
    def _problem(problem: Problem) -> Response:
        return respond(problem)

    @app.errorhandler(ValidationError)
    def _validation(error: ValidationError) -> Response:
        return respond(invalid(list(field_errors(error.messages))))

    @app.errorhandler(InvalidInput)
    def _invalid(error: InvalidInput) -> Response:
        return respond(invalid(error.problems))

    @app.errorhandler(Unavailable)
    def _unavailable(error: Unavailable) -> Response:
        reason = failure_reason(error)
        log.warning("dependency_unavailable", code=error.code, error=type(error).__name__, reason=reason)
        return respond(unavailable(error.code, error.sentence, error.retry_after))

    @app.errorhandler(RequestEntityTooLarge)
    def _body_too_large(_error: RequestEntityTooLarge) -> Response:
        return respond(Problem(413, "too_large", "the request's body is too large"))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        # The descriptions of werkzeug are for users of browsers; the phrase of the status is enough.
        return respond(Problem(status, status.name.lower(), status.phrase.lower()))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.error("request_failed", error=type(error).__name__, exc_info=error)
        detail = "internal error; the log of the service has the cause under this request id"
        return respond(Problem(500, "internal_error", detail))


_CODES = {
    "Missing data for required field.": "required",
    "Unknown field.": "unknown_field",
    "Field may not be null.": "required",
    "Invalid input type.": "invalid_type",
}


def field_errors(messages: Any, pointer: str = "") -> Iterator[FieldProblem]:
    """Convert nested messages of marshmallow to errors with pointers."""
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            step = "" if key == "_schema" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from field_errors(value, pointer + step)
    elif isinstance(messages, list):
        for message in messages:
            yield from field_errors(message, pointer)
    elif isinstance(messages, FieldProblem):  # a field with a code of its own
        yield FieldProblem(pointer + messages.pointer, messages.code, messages.detail)
    else:
        text = str(messages)
        code = _CODES.get(text) or ("invalid_type" if text.startswith("Not a valid") else "invalid")
        yield FieldProblem(pointer, code, text)
