"""The one place where what a query refuses becomes a problem document."""

from flask import Flask, Response

from chassis.web.problems import Problem, respond
from projector.read.selection import InvalidCursor


def install(app: Flask) -> None:
    """Answer what the queries refuse."""

    @app.errorhandler(InvalidCursor)
    def _cursor(_error: InvalidCursor) -> Response:
        return respond(Problem(400, "invalid_cursor", "the cursor is not one of an earlier page"))
