"""Runs an application in gunicorn: one process with threads, a graceful stop, no access log."""

import gc
from collections.abc import Callable
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from chassis.settings.trusted_proxies import TrustedProxies
from chassis.web.client_address import client_addresses

THREADS = 24
GRACEFUL_SECONDS = 8


class _Worker(ThreadWorker):
    """Stops after requests in progress on every signal that stops it.

    On SIGINT and SIGQUIT, gunicorn's worker shuts its thread pool down in the handler. That takes a lock,
    which the interrupted main thread may hold.
    """

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self.handle_exit(sig, frame)


class _Server(BaseApplication):
    def __init__(self, factory: Callable[[], Flask], bind: str) -> None:
        self._factory = factory
        self._bind = bind
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
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._factory()


def serve(factory: Callable[[], Flask], *, host: str, port: int, proxies: TrustedProxies | None) -> None:
    """Serve until SIGTERM or SIGINT. `factory` is called in the worker, after the fork.

    Only the X-Forwarded-For of `proxies` is trusted.
    """

    def behind_proxies() -> Flask:
        app = factory()
        if proxies:
            app.wsgi_app = client_addresses(app.wsgi_app, proxies)  # type: ignore[method-assign, assignment]
        # Objects that exist now live as long as the process, so the garbage collector need not scan them.
        gc.collect()
        gc.freeze()
        return app

    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _Server(behind_proxies, address).run()
