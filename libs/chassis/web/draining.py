"""Health and readiness of a process that is stopping."""

from collections.abc import Iterable
from http import HTTPStatus
from threading import Event
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from chassis.web.problem_document import document_of, unavailable

HEALTH, READINESS = "/healthz", "/readyz"
_RETRY_SECONDS = 2


def while_draining(app: WSGIApplication, draining: Event) -> WSGIApplication:
    """An application that responds to probes with 503 while the process is stopping, and else calls `app`."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not draining.is_set() or environ.get("PATH_INFO") not in {HEALTH, READINESS}:
            return app(environ, start_response)
        problem = unavailable("unavailable", "the process is stopping", _RETRY_SECONDS)
        status = HTTPStatus(problem.status)
        headers = [("Content-Type", "application/problem+json"), *problem.headers.items()]
        start_response(f"{status.value} {status.phrase}", headers)
        return [document_of(problem, None)]

    return application
