"""Serves `/healthz`, `/readyz` and `/metrics` of a process without an API, without authentication."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prometheus_client.registry import Collector

from chassis.observability.exposition import exposition
from chassis.runtime.addresses import check_address_is_free
from chassis.runtime.loops import Loops
from chassis.runtime.readiness import Check, readiness

_JSON = "application/json"
_REQUEST_SECONDS = 10.0  # for a client that sends nothing
_MAX_CONNECTIONS = 50


def serve_process(
    address: tuple[str, int] | None,
    collectors: Sequence[Collector],
    *,
    checks: Mapping[str, Check],
    loops: Loops,
) -> None:
    """Serve at an address in a thread. Does nothing without an address.

    `/healthz` is 503 if one of `loops` is dead, and `/readyz` if one of `checks` fails.
    Raises `AddressUnusable`.
    """
    if address is None:
        return
    check_address_is_free("REGCRED_METRICS_LISTEN", *address)
    expose = exposition(collectors)

    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path:
                case "/metrics":
                    body, content_type = expose(self.headers.get("Accept", ""))
                    self._respond(HTTPStatus.OK, body, content_type)
                case "/healthz":
                    dead = loops.dead()
                    status = HTTPStatus.SERVICE_UNAVAILABLE if dead else HTTPStatus.OK
                    self._respond(status, {"status": "dead", "loops": dead} if dead else {"status": "ok"})
                case "/readyz":
                    self._respond(*readiness(checks, exclude=parse_qs(url.query).get("exclude", ())))
                case _:
                    self._respond(HTTPStatus.NOT_FOUND, {})

        def log_message(self, *_: object) -> None:
            """Log nothing: these routes are requested every few seconds."""

        def _respond(
            self, status: HTTPStatus, body: bytes | Mapping[str, object], content_type: str = _JSON
        ) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = _Server(address, Handler)
    Thread(target=server.serve_forever, name="process-server", daemon=True).start()


class _Server(ThreadingHTTPServer):
    """One thread for each connection. A connection in excess of the limit ends the oldest one."""

    request_queue_size = 128  # connections that wait to be accepted

    def __init__(self, *arguments: Any) -> None:
        self._open: list[Any] = []
        super().__init__(*arguments)

    def get_request(self) -> Any:
        request = super().get_request()
        self._open.append(request[0])
        if len(self._open) > _MAX_CONNECTIONS:
            with suppress(OSError):  # its client has ended it
                self._open.pop(0).shutdown(SHUT_RDWR)
        return request

    def shutdown_request(self, request: Any) -> None:
        with suppress(ValueError):  # it was the oldest one
            self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Log nothing: the client has closed its connection."""
