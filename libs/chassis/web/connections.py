"""Connections of the HTTP server: those of waitress, with deadlines for what a client sends and reads."""

import socket
import time
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from chassis.web.callers import LEARN
from chassis.web.refusals import EarlyRefusal, RefusedRequestTask, RequestParser

_WAITED_SECONDS = 1.0  # for a turn, after which a client may be gone
_LINGER_SECONDS = 2.0  # for a client that still sends when its request was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits of one process.

    One caller has at most `turns` requests in progress, besides those that only wait, and `queued_of_caller`
    before them, whose bodies have `queued_bytes_of_caller`. `held_bytes` are those of all requests, and of
    responses that wait for their clients. At least `send_bytes` of a response are sent in `send_seconds`.
    """

    threads: int = 24
    queued: int = 256
    turns: int = 4
    queued_of_caller: int = 128
    queued_bytes_of_caller: int = 4 * 1024 * 1024
    connections: int = 512
    held_bytes: int = 32 * 1024 * 1024
    head_bytes: int = 16 * 1024
    body_bytes: int = 1024 * 1024
    head_seconds: float = 10.0
    request_seconds: float = 30.0
    idle_seconds: float = 30.0
    send_seconds: float = 30.0
    send_bytes: int = 32 * 1024


class _Task(WSGITask):
    def start(self) -> None:
        """End the connection after this response if the server stops."""
        super().start()
        if self.channel.server.stopping:
            self.set_close_on_finish()

    def service(self) -> None:
        """Handle the request, and tell its turn whether it failed."""
        failed = True
        try:
            super().service()
            failed = int(self.status[:3]) >= HTTPStatus.BAD_REQUEST
        finally:
            if self.request.turn:
                self.request.turn.failed = failed

    def get_environment(self) -> dict[str, Any]:
        """The WSGI environment."""
        made: dict[str, Any] = super().get_environment()
        made[LEARN] = self._learn
        return made

    def _learn(self, *, is_valid: bool, accounts: frozenset[str] | None = None) -> None:
        server, headers = self.channel.server, self.request.headers
        server.callers.learn(headers, is_valid=is_valid, accounts=accounts)
        if is_valid and self.request.turn:
            self.request.turn.move(server.callers.caller(headers, self.request.path, self.channel.peer))


class ClientConnection(HTTPChannel):
    """One connection. It receives a request, or has requests in progress, or sends the rest of a response."""

    task_class = _Task
    error_task_class = RefusedRequestTask
    parser_class = RequestParser
    request: RequestParser | None = None  # the one that is received
    refused = refused_later = False

    def __init__(self, server: Any, *arguments: Any, **named: Any) -> None:
        self.since = time.monotonic()
        self._full_since: float | None = None
        self._sent = 0
        super().__init__(server, *arguments, **named)

    @property
    def peer(self) -> str:
        """The address of the other end."""
        address: str = self.addr[0]
        return address

    @property
    def waits(self) -> bool:
        """Whether the server waits for the client, or lets it wait for a refusal."""
        return not self.requests or self.refused_later

    def refuse_later(self, reason: EarlyRefusal) -> None:
        """Refuse the request, and give up its body and, if others need it, the connection."""
        request = self.requests[0]
        request.error = reason
        request.close()  # the body
        request.body_bytes_received = 0
        self.refused_later, self.since = True, time.monotonic()

    @property
    def held_bytes(self) -> int:
        """The bytes of request and response that are in memory."""
        requests = [self.request, *self.requests]
        found: int = self.total_outbufs_len + sum(one.body_bytes_received for one in requests if one)
        return found

    def received(self, data: bytes) -> bool:
        """Handle what was read."""
        if self.refused:
            return True
        before = self.request
        found: bool = super().received(data)
        if self.request is not before:
            self.since = time.monotonic()
        elif before is not None and before.headers_finished:
            self.server.limit_memory()
        return found

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send, and note whether the client takes everything."""
        number: int = super().send(data, do_close=do_close)
        self._sent += number
        if number == self.total_outbufs_len:
            self._full_since = None
        elif self._full_since is None:
            self._full_since, self._sent = time.monotonic(), 0
        return number

    def service(self) -> None:
        """Handle a request, in a thread."""
        if self.requests[0].turn and time.monotonic() - self.since >= _WAITED_SECONDS and self._is_gone():
            self.connected = False  # a client that tries again would otherwise wait for its former requests
        with self.requests[0].turn or nullcontext():
            super().service()
        self.since = time.monotonic()

    def _is_gone(self) -> bool:
        try:
            found: bytes = self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not found

    def check(self, limits: ServerLimits, now: float) -> None:
        """End what takes too long. Called by the loop."""
        if self.total_outbufs_len:
            # A response that a thread has just written may be seen here before its first byte is sent.
            if self._full_since is not None and now - self._full_since >= limits.send_seconds:
                if self._sent < limits.send_bytes:
                    self.handle_close()
                self._full_since, self._sent = now, 0
            return
        if self.requests:
            return
        waited = now - self.since
        if self.refused or self.request is None:
            if waited >= (_LINGER_SECONDS if self.refused else limits.idle_seconds):
                self.handle_close()
        elif waited >= (limits.request_seconds if self.request.headers_finished else limits.head_seconds):
            with self.requests_lock:
                self.request.error = EarlyRefusal(HTTPStatus.REQUEST_TIMEOUT)
                self.request.completed = True
                self.requests.append(self.request)
                self.request = None
                self.server.add_task(self)
