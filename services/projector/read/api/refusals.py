"""Problem documents for the errors of queries."""

from flask import Flask, Response

from chassis.web.problems import Problem, respond
from projector.read.selection import InvalidCursor


def install(app: Flask) -> None:
    """Register the error handlers of the query API."""

    @app.errorhandler(InvalidCursor)
    def _cursor(_error: InvalidCursor) -> Response:
        return respond(Problem(400, "invalid_cursor", "the cursor is not from a page of this list"))
