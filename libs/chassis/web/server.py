"""Runs an application in one process with threads, with a graceful stop and without an access log.

A stop has two phases. While it drains, the process responds to `/healthz` and `/readyz` with 503 and handles
every other request, so that the gateway sends the next ones to another replica. Then it accepts no connection
any more, and handles the requests that it has.
"""

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from wsgiref.types import WSGIApplication

import structlog
from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from chassis.runtime.addresses import AddressUnusable, check_address_is_free
from chassis.runtime.cannot_start import CannotStart
from chassis.runtime.lifecycle import stop_on_signals
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.web.callers import Callers
from chassis.web.client_address import client_addresses
from chassis.web.connections import ClientConnection, ServerLimits
from chassis.web.dispatch import Dispatch
from chassis.web.draining import while_draining

log = structlog.get_logger()

LIMITS = ServerLimits()
THREADS = LIMITS.threads
GRACEFUL_SECONDS = 8
SWITCH_SECONDS = 0.0002
_POLL_SECONDS = 1.0  # between two checks of the deadlines
_TURN_SECONDS = 0.02  # between two checks of the requests that wait for their turn or refusal
_ACCEPTED = 32  # connections in one round of the loop
_RECEIVED_BYTES = 64 * 1024  # at a time
_UNLIMITED = 2**40


def serve(
    factory: Callable[[], Flask],
    *,
    host: str,
    port: int,
    proxies: TrustedProxies | None,
    drain: timedelta = timedelta(0),
    setting: str = "REGCRED_LISTEN",
    limits: ServerLimits = LIMITS,
) -> None:
    """Serve until a stop signal. Exits with code 1 if `factory` raises `CannotStart`.

    Only the X-Forwarded-For of `proxies` is trusted. `drain` is the time in which a gateway notices the stop;
    SIGINT or SIGQUIT ends it. `setting` is the variable that names the address. Raises `AddressUnusable`.
    """
    stop, started, draining = stop_on_signals(), Event(), Event()

    def stop_server() -> None:
        stop.wait()
        if not started.wait(GRACEFUL_SECONDS):
            os._exit(0)  # what the application waits for at its start may never come
        draining.set()
        signal.sigtimedwait((signal.SIGINT, signal.SIGQUIT), drain.total_seconds())
        server.stop(GRACEFUL_SECONDS)

    Thread(target=stop_server, name="drain", daemon=True).start()
    check_address_is_free(setting, host, port)
    try:
        app = factory()
    except CannotStart as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)
    wsgi = while_draining(app.wsgi_app, draining)
    if proxies:
        wsgi = client_addresses(wsgi, proxies)
    # Objects that exist now live as long as the process, so the garbage collector need not scan them.
    gc.collect()
    gc.freeze()
    # A thread that waits for the interpreter gets it sooner from one that computes (the default is 5 ms).
    sys.setswitchinterval(SWITCH_SECONDS)
    # It warns of each request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        server = Server(wsgi, host, port, limits, proxies.client_at_once if proxies else _peer)
    except OSError as error:
        raise AddressUnusable(setting, host, port, error) from None
    started.set()
    server.run()


def _peer(peer: str, _forwarded: str) -> str:
    return peer


class Server(TcpWSGIServer):
    """Serves an application until `stop`.

    One thread, the loop, receives every request completely before another thread handles it, and sends what
    is left of each response. A client that sends or reads slowly takes a connection, and no thread.

    When there are too many connections, or they hold too much, the one that has waited longest for its client
    is closed. So a new connection is always accepted.
    """

    channel_class = ClientConnection

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
        self._dispatch = Dispatch(limits, self.callers)
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
        super().__init__(application, dispatcher=self._dispatch.requests, adj=settings)

    def add_task(self, task: ClientConnection) -> None:
        """Let a thread handle the request of a connection when it has its turn."""
        self._dispatch.add(task)

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
        """Close connections that hold something while requests and responses take too much memory."""
        while sum(one.held_bytes for one in self.active_channels.values()) > self._limits.held_bytes:
            if not self._close_longest_waiting(at_least=1):
                return

    def _close_longest_waiting(self, at_least: int = 0) -> bool:
        waiting = [one for one in self.active_channels.values() if one.waits and one.held_bytes >= at_least]
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
            timeout = _TURN_SECONDS if self._dispatch.waits else _POLL_SECONDS
            wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)
            now = time.monotonic()
            if now - turned >= _TURN_SECONDS:
                turned = now
                self._dispatch.check(now)
            if now - checked < _POLL_SECONDS:
                continue
            checked = now
            for connection in list(self.active_channels.values()):
                connection.check(self._limits, now)
            self.limit_memory()
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
            self._dispatch.stop()
            wasyncore.dispatcher.close(self)  # the listening socket
        for connection in list(self.active_channels.values()):
            if not connection.requests and connection.request is None and not connection.total_outbufs_len:
                connection.handle_close()
        return not self.active_channels or time.monotonic() >= self._stop_at
