"""Connections of the HTTP server: waitress, with deadlines and limits that no client can use up.

One thread, the loop, receives every request completely before another thread handles it, and sends what is
left of each response. A client that sends or reads slowly takes a connection, and no thread.

When there are too many connections, or they hold too much, the one that has waited longest for its client is
closed. So a new connection is always accepted.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from wsgiref.types import WSGIApplication

import structlog
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask

from chassis.runtime.turns import Turn, Turns
from chassis.web.callers import LEARN, Callers
from chassis.web.draining import HEALTH, READINESS
from chassis.web.refusals import EarlyRefusal, RefusedRequestTask, RequestParser

log = structlog.get_logger()

_POLL_SECONDS = 1.0  # between two checks of the deadlines
REFUSAL_SECONDS = 1.0  # before a caller that sends too many requests is told
_TURN_SECONDS = 0.02  # between two checks of the turns and refusals that wait
_ACCEPTED = 32  # connections in one round of the loop
_RECEIVED_BYTES = 64 * 1024  # at a time
_WAITED_SECONDS = 1.0  # for a turn, after which a client may be gone
_LINGER_SECONDS = 2.0  # for a client that still sends when its request was refused
_READINESS_THREADS = 2
_READINESS_QUEUED = 32
_UNLIMITED = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits of one process.

    One caller has at most `turns` requests in progress, besides those that only wait, and `queued_of_caller`
    before them. `held_bytes` are those of requests and of responses that
    wait for their clients. At least `send_bytes` of a response are sent in each `send_seconds`.
    """

    threads: int = 24
    queued: int = 256
    turns: int = 4
    queued_of_caller: int = 128
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
        try:
            super().service()
        finally:
            if self.request.turn:
                self.request.turn.failed = int(self.status[:3]) >= HTTPStatus.BAD_REQUEST

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


class _Connection(HTTPChannel):
    """One connection. It receives a request, or has requests in progress, or sends the rest of a response."""

    task_class = _Task
    error_task_class = RefusedRequestTask
    parser_class = RequestParser
    request: RequestParser | None = None  # the one that is received
    refused = refused_later = False

    def __init__(self, server: "Server", *arguments: Any, **named: Any) -> None:
        self.since = self._window = time.monotonic()
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
        """Send, and count the bytes."""
        number: int = super().send(data, do_close=do_close)
        self._sent += number
        return number

    def service(self) -> None:
        """Handle a request, in a thread."""
        if self.requests[0].turn and time.monotonic() - self.since >= _WAITED_SECONDS and self._is_gone():
            self.connected = (
                False  # a client that tries again would otherwise only get what it waits for no more
            )
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
            if now - self._window >= limits.send_seconds:
                if self._sent < limits.send_bytes:
                    self.handle_close()
                self._window, self._sent = now, 0
            return
        self._window, self._sent = now, 0
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


class Server(TcpWSGIServer):
    """Serves an application until `stop`.

    Refusals and `/healthz` have a thread of their own, and so has `/readyz`: they never wait for requests.
    """

    channel_class = _Connection

    def __init__(
        self,
        application: WSGIApplication,
        host: str,
        port: int,
        limits: ServerLimits,
        client: Callable[[str, str], str],
    ) -> None:
        self._limits = limits
        self.stopping = False
        self._stop_at: float | None = None
        self._stop_seconds = 0.0
        self._closed = 0
        self.callers = Callers(client)
        self._turns = Turns(limits.turns)
        self._refusals = deque[_Connection]()  # whose refusal is sent later
        self._requests = _threads(limits.threads)
        self._prompt = _threads(1)
        self._readiness = _threads(_READINESS_THREADS)
        settings = Adjustments(
            host=host,
            port=port,
            ipv6=":" in host,
            ipv4=":" not in host,
            ident=None,
            connection_limit=_UNLIMITED,
            max_request_header_size=limits.head_bytes,
            max_request_body_size=limits.body_bytes + 1,
            # Never in temporary files, because requests and responses contain secrets.
            inbuf_overflow=_UNLIMITED,
            outbuf_overflow=_UNLIMITED,
            recv_bytes=_RECEIVED_BYTES,
            outbuf_high_watermark=limits.body_bytes,
            clear_untrusted_proxy_headers=False,  # `client_addresses` reads them
        )
        super().__init__(application, dispatcher=self._requests, adj=settings)

    def add_task(self, task: _Connection) -> None:
        """Let a thread handle the request of a connection, or refuse it if too many wait."""
        request = task.requests[0]
        if request.error or request.path == HEALTH:
            self._prompt.add_task(task)
        elif request.path == READINESS:
            if len(self._readiness.queue) < _READINESS_QUEUED + _idle(self._readiness):
                self._readiness.add_task(task)
            else:
                self._refuse(task, EarlyRefusal(HTTPStatus.SERVICE_UNAVAILABLE))
        else:
            self._take_turn(task)

    def _take_turn(self, task: _Connection) -> None:
        request = task.requests[0]
        caller = self.callers.caller(request.headers, request.path, task.peer)
        if self._turns.waiting_of(caller) >= self._limits.queued_of_caller:
            self._refuse_later(task, EarlyRefusal(HTTPStatus.TOO_MANY_REQUESTS))
            return
        room = self._limits.queued + _idle(self._requests) - len(self._requests.queue)
        # A caller that has nothing waiting gets a turn at once: others that wait for theirs use no thread.
        if room <= 0 or (self._turns.waiting >= room and self._turns.waiting_of(caller)):
            self._refuse(task, EarlyRefusal(HTTPStatus.SERVICE_UNAVAILABLE))
            return
        self._turns.take(caller, partial(self._begin, task, caller))

    def _begin(self, task: _Connection, caller: Hashable, moment: float) -> None:
        task.requests[0].turn = Turn(self._turns, caller, moment)
        self._requests.add_task(task)

    def _refuse(self, task: _Connection, reason: EarlyRefusal) -> None:
        task.requests[0].error = reason
        self._prompt.add_task(task)

    def _refuse_later(self, task: _Connection, reason: EarlyRefusal) -> None:
        """Refuse a request after `REFUSAL_SECONDS`, so that a client cannot repeat it at once."""
        task.requests[0].error = reason
        task.requests[0].close()  # the body
        task.refused_later, task.since = True, time.monotonic()
        self._refusals.append(task)

    def _refuse_next(self, now: float) -> None:
        while self._refusals and not self._refusals[0].connected:
            self._refusals.popleft()
        if self._refusals and (self.stopping or now - self._refusals[0].since >= REFUSAL_SECONDS):
            self._prompt.add_task(self._refusals.popleft())

    def handle_accept(self) -> None:
        """Accept connections, or one in place of another if there are too many.

        Several at a time, because each round of the loop looks at all connections.
        """
        room = self._limits.connections - len(self.active_channels)
        for number in range(1, 1 + (_ACCEPTED if room > _ACCEPTED else 1)):
            super().handle_accept()
            if len(self.active_channels) + room < self._limits.connections + number:
                break  # none is left
        if len(self.active_channels) > self._limits.connections:
            self._close_longest_waiting()

    def limit_memory(self) -> None:
        """Close connections while requests and responses take too much memory."""
        while sum(one.held_bytes for one in self.active_channels.values()) > self._limits.held_bytes:
            if not self._close_longest_waiting():
                return

    def _close_longest_waiting(self) -> bool:
        waiting = [one for one in self.active_channels.values() if one.waits]
        if not waiting:
            return False
        min(waiting, key=lambda one: one.since).handle_close()
        self._closed += 1
        return True

    def readable(self) -> bool:
        """Whether connections are accepted."""
        return bool(self.accepting)

    def run(self) -> None:
        """Serve until `stop`, and then until the requests in progress are complete."""
        checked = turned = 0.0
        while not self._is_finished():
            timeout = _TURN_SECONDS if self._turns.waiting or self._refusals else _POLL_SECONDS
            wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)
            now = time.monotonic()
            if now - turned >= _TURN_SECONDS:
                turned = now
                self._turns.begin_due()
                self._refuse_next(now)
            if now - checked < _POLL_SECONDS:
                continue
            checked = now
            for connection in list(self.active_channels.values()):
                connection.check(self._limits, now)
            self.limit_memory()
            self._refusals = deque(one for one in self._refusals if one.connected)
            if self._closed:
                log.warning(
                    "connections_closed", number=self._closed, reason="too many wait for their clients"
                )
                self._closed = 0

    def stop(self, seconds: float) -> None:
        """Accept no connection any more, and let requests take so many seconds. Thread-safe."""
        self._stop_seconds = seconds
        self.stopping = True
        self.pull_trigger()

    def _is_finished(self) -> bool:
        if not self.stopping:
            return False
        if self._stop_at is None:
            self._stop_at = time.monotonic() + self._stop_seconds
            wasyncore.dispatcher.close(self)  # the listening socket
        for connection in list(self.active_channels.values()):
            if not connection.requests and connection.request is None and not connection.total_outbufs_len:
                connection.handle_close()
        return not self.active_channels or time.monotonic() >= self._stop_at


def _threads(number: int) -> ThreadedTaskDispatcher:
    made = ThreadedTaskDispatcher()
    made.set_thread_count(number)
    return made


def _idle(threads: ThreadedTaskDispatcher) -> int:
    number: int = len(threads.threads) - threads.active_count
    return number
