"""The health check of the images."""

import socket
from contextlib import ExitStack

import pytest

from chassis.observability.process_server import serve_process
from chassis.runtime.health import is_healthy
from chassis.runtime.loops import Loops
from tests.support.servers import free_port
from tests.support.timing import PATIENCE


def test_only_200_is_healthy() -> None:
    def fails() -> None:
        raise ConnectionError

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    assert not is_healthy(f"{address}/healthz")
    serve_process(("127.0.0.1", port), [], checks={"database": fails}, loops=Loops())
    assert is_healthy(f"{address}/healthz")
    assert not is_healthy(f"{address}/readyz")
    assert is_healthy(f"{address}/readyz?exclude=database")


def test_connections_without_a_request_do_not_add_up() -> None:
    port = free_port()
    serve_process(("127.0.0.1", port), [], checks={}, loops=Loops())
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(200)
        ]
        for one in slow:
            one.settimeout(PATIENCE)
        assert [one.recv(1) for one in slow[:150]] == [b""] * 150
        assert is_healthy(f"http://127.0.0.1:{port}/healthz", PATIENCE)


@pytest.mark.parametrize("url", ["127.0.0.1:80", "tcp://127.0.0.1:80", "http://127.0.0.1/"])
def test_another_form_of_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://host:port/path"):
        is_healthy(url)
