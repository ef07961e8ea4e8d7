"""HTTP/1.1 on one connection, with `h11`: one request after the other, and responses of limited size."""

from collections.abc import Mapping
from dataclasses import dataclass

import h11

from registries.dialer.connection import NetworkConnection
from registries.dialer.errors import NotHttp, Unreachable
from registries.dialer.response import HttpResponse

_NOT_HTTP = "the server does not speak HTTP as a registry does"
MAX_HEAD_BYTES = 100 * 1024
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request. `target` is path and query; `headers` has all headers except `Content-Length`."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


class HttpConnection:
    """An HTTP client on one connection. `response_begun`: the response to the last request has begun."""

    def __init__(self, connection: NetworkConnection) -> None:
        self.response_begun = False
        self._connection = connection
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    def ask(self, request: HttpRequest, *, body_bytes: int) -> HttpResponse:
        """Send a request and return the response, with at most `body_bytes` of its body.

        Raises:
            LoginNotTried: Unreachable, TlsFailed or NotHttp; the connection can then not be used again.
        """
        self.response_begun = False
        try:
            self._connection.write(self._encode(request))
            return self._read_response(body_bytes)
        except h11.ProtocolError:
            if self._connection.closed_by_peer:
                raise Unreachable("the registry closed the connection during its response") from None
            raise NotHttp(_NOT_HTTP) from None

    def prepare_next(self) -> bool:
        """Prepare for another request; `False` if the connection cannot be used again."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._http.trailing_data[0] and self._connection.is_idle()

    def close(self) -> None:
        self._connection.close()

    def _encode(self, request: HttpRequest) -> bytes:
        headers = list(request.headers.items())
        if request.body is not None:
            headers.append(("Content-Length", str(len(request.body))))
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        events: list[h11.Event] = [head, *([h11.Data(data=request.body)] if request.body else [])]
        return b"".join(self._http.send(event) or b"" for event in [*events, h11.EndOfMessage()])

    def _read_response(self, body_bytes: int) -> HttpResponse:
        head: h11.Response | None = None
        body = b""
        while len(body) < body_bytes:
            event = self._next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
        if head is None:
            raise NotHttp(_NOT_HTTP)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        return HttpResponse(status=head.status_code, headers=headers, body=body[:body_bytes])

    def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.PAUSED:  # the server switches to another protocol
                raise NotHttp(_NOT_HTTP)
            if isinstance(event, h11.Event):
                return event
            data = self._connection.read(_READ_BYTES)
            self.response_begun = self.response_begun or bool(data)
            self._http.receive_data(data)
