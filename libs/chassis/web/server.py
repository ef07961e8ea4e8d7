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
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

from flask import Flask

from chassis.runtime.addresses import AddressUnusable, check_address_is_free
from chassis.runtime.cannot_start import CannotStart
from chassis.runtime.lifecycle import stop_on_signals
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.web.client_address import client_addresses
from chassis.web.connections import Server, ServerLimits
from chassis.web.draining import while_draining

LIMITS = ServerLimits()
THREADS = LIMITS.threads
GRACEFUL_SECONDS = 8
SWITCH_SECONDS = 0.0002


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
