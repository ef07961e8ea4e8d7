"""A request that the gateway cannot parse gets a problem document, by HAProxy 3.2."""

import json
import socket
import ssl

import pytest

from tests.support.compose import Deployment
from tests.support.timing import PATIENCE

BROKEN_REQUESTS = {
    "no HTTP": (400, b"GARBAGE\r\n\r\n"),
    "an invalid header": (400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    "an unknown transfer encoding": (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n"),
    "headers that are too large": (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"),
    "a request that does not end": (408, b"GET / HTTP/1.1\r\nHost: a\r\n"),
}


@pytest.mark.parametrize("name", BROKEN_REQUESTS)
def test_a_request_that_cannot_be_parsed_gets_a_problem(deployment: Deployment, name: str) -> None:
    status, sent = BROKEN_REQUESTS[name]
    context = ssl.create_default_context(cadata=deployment.authority)
    received = b""
    with (
        socket.create_connection(("localhost", deployment.port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(sent)
        while b"}" not in received:
            chunk = connection.recv(65536)
            assert chunk, received
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in head.lower()
    found = json.loads(body)
    assert (found["status"], found["errors"]) == (status, [])
    assert found["code"]
