"""A console in its own process forwards the address of the browser to the API."""

from collections.abc import Iterator
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from chassis.secret import Secret
from regcred.apiclient.client import ApiClient
from regcred.apiclient.over_httpx import over_http
from tests.unit.console.fake_api import TOKEN, FakeApi, page


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def fake() -> Iterator[tuple[FakeApi, str]]:
    fake = FakeApi(answers={("GET", "/v1/providers"): (200, page())})
    with make_server("127.0.0.1", 0, fake, handler_class=_Quiet) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield fake, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_request_forwards_the_address_of_its_browser(fake: tuple[FakeApi, str]) -> None:
    api, address = fake
    transport_for = over_http(address)
    for browser in ("203.0.113.9", "2001:db8::5", None):
        asking = ApiClient(transport_for(browser), token=Secret(TOKEN), request_id="r")
        assert asking.get("/v1/providers").status == 200
    forwarded = [request.headers.get("X_FORWARDED_FOR") for request in api.requests]
    assert forwarded == ["203.0.113.9", "2001:db8::5", None]
