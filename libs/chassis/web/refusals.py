"""Requests that are refused before an application sees them, as problem documents."""

from http import HTTPStatus

import structlog
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, Error, RequestHeaderFieldsTooLarge

from chassis.ids import new_id
from chassis.observability.metrics import HTTP_REQUESTS
from chassis.runtime.turns import Turn
from chassis.web.problem_document import Problem, document_of

log = structlog.get_logger()

_END_OF_LINE = b"\r\n"


class EarlyRefusal(Error):
    """Why the server refuses a request that its parser accepted."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.code = status.value


_PROBLEMS = {
    problem.status: problem
    for problem in (
        Problem(400, "bad_request", "the request is not valid HTTP"),
        Problem(408, "request_timeout", "the request did not arrive in time"),
        Problem(413, "too_large", "the request's body is too large"),
        Problem(414, "target_too_long", "path and query are too long"),
        Problem(
            429,
            "too_many_at_once",
            "too many requests of this caller wait; try again after Retry-After",
            headers={"Retry-After": "2"},
        ),
        Problem(431, "header_too_large", "the header of the request is too large"),
        Problem(500, "internal_error", "internal error of the server"),
        Problem(501, "not_implemented", "this transfer coding is not supported"),
        Problem(
            503,
            "overloaded",
            "too many requests wait; try again after Retry-After",
            headers={"Retry-After": "2"},
        ),
    )
}


class RefusedRequestTask(ErrorTask):
    """Responds to a refused request. The connection ends when the client has read the response."""

    def execute(self) -> None:
        """Write the response."""
        problem = _PROBLEMS[self.request.error.code]
        request_id = str(new_id())
        body = document_of(problem, request_id)
        self.status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        self.response_headers.extend(
            [
                *problem.headers.items(),
                ("Content-Type", "application/problem+json"),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Request-Id", request_id),
            ]
        )
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        # A connection that is closed while its client still sends is reset, and the response may be lost.
        self.close_on_finish = False
        self.channel.refused = True
        log.info("request_refused", status=problem.status, problem=problem.code, request_id=request_id)
        HTTP_REQUESTS.labels("(other)", "(none)", str(problem.status)).inc()


class RequestParser(HTTPRequestParser):
    """Reads one request of a connection, as strictly as a gateway, so that both see the same requests."""

    command = path = ""
    turn: Turn | None = None

    def received(self, data: bytes) -> int:
        """Read a part of the request. Returns the number of bytes that belong to it.

        A client that sends a further request before the response gets none for it, and the connection ends: a
        thread would wait until it reads the responses.
        """
        try:
            consumed: int = super().received(data)
        except ValueError:  # the target is not a URL
            self.error, self.completed = BadRequest("target"), True
            return len(data)
        if not self.completed or self.empty:
            return consumed
        self.expect_continue = False
        if isinstance(self.error, RequestHeaderFieldsTooLarge) and not self._has_line(data):
            self.error = EarlyRefusal(HTTPStatus.REQUEST_URI_TOO_LONG)
        if consumed < len(data):
            self.headers["CONNECTION"] = "close"
        return len(data)

    def parse_header(self, header_plus: bytes) -> None:
        """Read line and fields. Raises `ParsingError` for an ambiguous length."""
        super().parse_header(header_plus)
        if "CONTENT_LENGTH" in self.headers if self.chunked else "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("ambiguous length")

    def _has_line(self, data: bytes) -> bool:
        return _END_OF_LINE in (self.header_plus + data)[: self.adj.max_request_header_size]
