"""A program that serves with the server of the services, for tests of the server itself."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from chassis.runtime.health import is_healthy
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting

PROGRAM = """
import json, sys, time
from flask import Flask, Response, request
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.web.authentication import public
from chassis.web.callers import LEARN
from chassis.web.application import create_app
from chassis.web.server import serve

def of_acme():
    request.environ[LEARN](is_valid=True, accounts=frozenset({{"acme"}}))
    time.sleep(3600)

def app():
    made = create_app([], authenticate=lambda _text: None, checks={{}})
    made.add_url_rule("/sum", "sum", public(lambda: str(len(request.get_data()))), methods=["POST"])
    made.add_url_rule("/large", "large", public(lambda: "x" * 600_000 * int(request.args.get("times", 1))))
    made.add_url_rule("/sleep", "sleep", public(lambda: time.sleep(int(request.args.get("seconds", 3600))) or "done"))
    made.add_url_rule("/environ", "environ", public(
        lambda: {{name: value for name, value in request.environ.items() if isinstance(value, str)}}
    ))
    made.add_url_rule("/v1/service-tokens", "tokens", made.view_functions["sleep"])  # through the gateway
    made.add_url_rule("/a/b", "b", public(lambda: "b"))
    made.add_url_rule("/broken", "broken", public(lambda: Response(1 / 0 for _ in "x")))
    made.add_url_rule("/of-acme", "of_acme", public(of_acme))
    return made

serve(app, host="127.0.0.1", port=int(sys.argv[1]), proxies=TrustedProxies("127.0.0.2") {limits})
"""


@contextmanager
def serving(limits: str = "") -> Iterator[int]:
    """The port of a running server. `limits` are arguments of `ServerLimits`."""
    with server_process(limits) as (port, _):
        yield port


@contextmanager
def server_process(limits: str = "") -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port and the process of a running server."""
    more = f", limits=ServerLimits({limits})" if limits else ""
    code = PROGRAM.format(limits=more)
    if limits:
        code = "from chassis.web.connections import ServerLimits" + code
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", code, str(port)], env=os.environ)
    try:
        waiting(lambda: is_healthy(f"http://127.0.0.1:{port}/healthz"), "the server is healthy")
        yield port, process
    finally:
        process.kill()
        process.wait(PATIENCE)


@contextmanager
def connections(
    port: int, number: int, sent: bytes, *, receive_buffer: int | None = None, source: str = "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    """Connections from the address `source` that have sent these bytes."""
    with ExitStack() as stack:
        made = []
        for _ in range(number):
            connection = stack.enter_context(socket.socket())
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(PATIENCE)
            connection.bind((source, 0))
            connection.connect(("127.0.0.1", port))
            connection.sendall(sent)
            made.append(connection)
        yield made


def received(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def response(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one response that has a Content-Length."""
    head, found, body = b"", b"", b""
    while not found:
        data = connection.recv(1)
        assert data, "the connection ended before a response"
        head += data
        head, found, _ = head.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        data = connection.recv(length - len(body))
        assert data, "the connection ended before the body"
        body += data
    return head, body
