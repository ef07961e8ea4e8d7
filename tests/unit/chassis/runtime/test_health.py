"""The health check of the images."""

import pytest

from chassis.observability.process_server import serve_process
from chassis.runtime.health import is_healthy
from chassis.runtime.loops import Loops
from tests.support.servers import free_port


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


@pytest.mark.parametrize("url", ["127.0.0.1:80", "tcp://127.0.0.1:80", "http://127.0.0.1/"])
def test_another_form_of_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://host:port/path"):
        is_healthy(url)
