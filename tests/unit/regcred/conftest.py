"""A server of the standard library that sends the replies of a test, one after the other."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.over_httpx import api_client
from regcred.apiclient.secret import Secret
from regcred.apiclient.settings import Connection
from regcred.cli.session import CliSession
from regcred.plugins.over_urllib import UrllibTransport

TOKEN = "rgcs_a-token-of-this-test"


@dataclass(frozen=True)
class Reply:
    """A response. A status of `None` closes the connection; `cut` closes it before the end of the body."""

    status: int | None = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def ok(document: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json", **named})


def problem(status: int, code: str, **headers: str) -> Reply:
    document = {"status": status, "code": code, "detail": f"it is {code}", "request_id": "r-1", "errors": []}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/problem+json", **named})


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    path: str
    headers: Message  # names in any case
    body: bytes


class Server:
    """The last reply is repeated for all further requests."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.replies: list[Reply] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.requests.append(ReceivedRequest(self.command, self.path, self.headers, body))
                reply = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                self.close_connection = reply.status is None or reply.cut
                if reply.status is None:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body) + (100 if reply.cut else 0)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 names of the library

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 its name
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class Times:
    """A clock that each pause advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture(params=["httpx2", "urllib"])
def client_of(request: pytest.FixtureRequest) -> Callable[..., ApiClient]:
    """A factory of clients, for each transport."""

    def over_urllib(server: Connection, *, repeats: Repeats | None = None) -> ApiClient:
        return ApiClient(
            UrllibTransport(server.address, proxies=not server.loopback, ca_file=server.ca_file),
            token=server.token,
            on_behalf_of=server.on_behalf_of,
            repeats=repeats,
        )

    return {"httpx2": api_client, "urllib": over_urllib}[request.param]


@pytest.fixture
def api(
    client_of: Callable[..., ApiClient], server: Server, times: Times, notices: list[str]
) -> Iterator[ApiClient]:
    where = Connection(address=server.address, token=Secret(TOKEN), loopback=True)
    with client_of(where, repeats=Repeats(notices.append, clock=times.clock, pause=times.pause)) as api:
        yield api


@pytest.fixture
def session(server: Server, times: Times, notices: list[str]) -> Iterator[CliSession]:
    """A session over httpx2, as the command line has it."""
    where = Connection(address=server.address, token=Secret(TOKEN), loopback=True)
    with api_client(where, repeats=Repeats(notices.append, clock=times.clock, pause=times.pause)) as api:
        yield CliSession(api, "acme", as_json=False)
