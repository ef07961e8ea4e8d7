"""Runs an application in gunicorn: one process with threads, a graceful stop, no access log.

A stop by SIGTERM has two phases. While it drains, the process responds to `/healthz` and `/readyz` with 503
and handles every other request, so that the gateway sends the next ones to another replica. Then it accepts
no connection any more, and handles the requests that it has.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from queue import Empty
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from chassis.runtime.addresses import check_address_is_free
from chassis.runtime.cannot_start import CannotStart
from chassis.runtime.lifecycle import block_stop_signals, unblock_stop_signals
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.web.client_address import client_addresses
from chassis.web.draining import Draining, while_draining

THREADS = 24
GRACEFUL_SECONDS = 8
_MEMORY = "/dev/shm"  # noqa: S108 gunicorn removes its file at once


class _Arbiter(Arbiter):
    """Waits after SIGTERM, before gunicorn stops the worker."""

    def __init__(self, app: "_Server") -> None:
        self._server = app
        super().__init__(app)

    def init_signals(self) -> None:
        """Handle the signals. A supervisor that blocks its own has started this process with blocked ones."""
        super().init_signals()
        unblock_stop_signals()

    def handle_term(self) -> None:
        """Drain, unless SIGINT or SIGQUIT asks for an end at once."""
        self._server.draining.begin()
        deadline = time.monotonic() + self._server.drain.total_seconds()
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self.SIG_QUEUE.get(timeout=left) in (signal.SIGINT, signal.SIGQUIT):
                    break
            except Empty:
                break
        super().handle_term()

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """End with exit code 1 after a failed start, which the worker has reported."""
        if exit_status == self.APP_LOAD_ERROR:
            self.stop()
            sys.exit(1)
        super().halt(reason, exit_status)


class _Worker(ThreadWorker):
    """Stops after requests in progress on every signal that stops it.

    On SIGINT and SIGQUIT, gunicorn's worker shuts its thread pool down in the handler. That takes a lock,
    which the interrupted main thread may hold.
    """

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self.handle_exit(sig, frame)


class _Server(BaseApplication):
    def __init__(self, factory: Callable[[], Flask], bind: str, draining: Draining, drain: timedelta) -> None:
        self._factory = factory
        self._bind = bind
        self.draining = draining
        self.drain = drain
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": self._bind,
            "worker_class": _Worker,
            "workers": 1,  # a supervisor restarts it; scale by containers
            "threads": THREADS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "timeout": 60,
            "keepalive": 30,
            "loglevel": "warning",
            "control_socket_disable": True,
            # Python removes the handlers when it finalizes. A further signal must not end a process then.
            "on_exit": lambda _arbiter: block_stop_signals(),
            "worker_exit": lambda _arbiter, _worker: block_stop_signals(),
            # In memory, so that a worker starts while the disk is full.
            "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK) else None,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        try:
            return self._factory()
        except CannotStart as error:
            sys.stderr.write(f"Error: {error}\n")
            sys.exit(Arbiter.APP_LOAD_ERROR)

    def run(self) -> None:
        _Arbiter(self).run()


def serve(
    factory: Callable[[], Flask],
    *,
    host: str,
    port: int,
    proxies: TrustedProxies | None,
    drain: timedelta = timedelta(0),
    setting: str = "REGCRED_LISTEN",
) -> None:
    """Serve until SIGTERM or SIGINT. `factory` is called in the worker, after the fork.

    Only the X-Forwarded-For of `proxies` is trusted. `drain` is the time in which a gateway notices the stop.
    `setting` is the variable that names the address. Raises `AddressUnusable`.
    """
    check_address_is_free(setting, host, port)
    draining = Draining()

    def behind_proxies() -> Flask:
        app = factory()
        app.wsgi_app = while_draining(app.wsgi_app, draining)  # type: ignore[method-assign, assignment]
        if proxies:
            app.wsgi_app = client_addresses(app.wsgi_app, proxies)  # type: ignore[method-assign, assignment]
        # Objects that exist now live as long as the process, so the garbage collector need not scan them.
        gc.collect()
        gc.freeze()
        return app

    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _Server(behind_proxies, address, draining, drain).run()
