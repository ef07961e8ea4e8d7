"""Health and readiness of a process that is stopping."""

import json
import mmap
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/healthz", "/readyz"})


class Draining:
    """Whether the process is stopping. Processes that are forked later see the change."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """Begin to stop."""
        self._shared[0] = 1

    def __bool__(self) -> bool:
        return self._shared[0] == 1


def while_draining(app: WSGIApplication, draining: Draining) -> WSGIApplication:
    """An application that responds to probes with 503 while the process is stopping, and else calls `app`."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not draining or environ.get("PATH_INFO") not in PROBES:
            return app(environ, start_response)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        body = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status,
            "code": "unavailable",
            "detail": "the process is stopping",
            "errors": [],
        }
        headers = [("Content-Type", "application/problem+json"), ("Retry-After", "2")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [json.dumps(body).encode()]

    return application
