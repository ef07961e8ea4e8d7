import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chassis.runtime.clock import now
from regcred.apiclient.client import PAGE, REPEAT_SECONDS, ApiClient, Repeats
from regcred.apiclient.errors import ApiProblem, NotConnected, ResponseLost, UnexpectedResponse
from regcred.apiclient.secret import Secret
from regcred.apiclient.settings import Connection
from tests.support.servers import free_port
from tests.unit.regcred.conftest import TOKEN, Reply, Server, Times, ok, problem

HANGS_UP = Reply(status=None)
ClientOf = Callable[..., ApiClient]
NDJSON = "application/x-ndjson"


def keys(server: Server) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in server.requests]


def test_a_query_sends_the_token_and_the_position_to_wait_for(api: ApiClient, server: Server) -> None:
    server.replies = [ok({"a": 1}, ETag='"3"', Regcred_Position="p:3")]
    answer = api.get("/v1/x", {"name": "a b", "left_out": None}, wait_for="p:2")
    assert (answer.body, answer.etag, answer.position) == ({"a": 1}, '"3"', "p:3")
    [request] = server.requests
    assert request.path == "/v1/x?name=a+b"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Regcred-Wait-For"] == "p:2"


def test_a_secret_is_only_in_the_body(api: ApiClient, server: Server, notices: list[str]) -> None:
    server.replies = [problem(503, "busy"), problem(422, "invalid_request")]
    with pytest.raises(ApiProblem) as raised:
        api.post("/v1/x", {"credential": {"password": Secret("s3cret-canary")}})
    assert [json.loads(request.body)["credential"]["password"] for request in server.requests] == [
        "s3cret-canary"
    ] * 2
    assert "canary" not in f"{raised.value!r} {raised.value} {notices}"


@pytest.mark.parametrize(
    "failure", [problem(503, "busy"), HANGS_UP, problem(409, "idempotency_key_in_flight")]
)
def test_a_post_is_repeated_under_the_same_key(
    api: ApiClient, server: Server, times: Times, notices: list[str], failure: Reply
) -> None:
    server.replies = [failure, failure, ok({"id": "1"})]
    assert api.post("/v1/x", {"a": 1}).body == {"id": "1"}
    assert len(server.requests) == 3
    assert len(set(keys(server))) == 1
    assert times.pauses == [0.25, 0.5]
    assert len(notices) == 1
    assert notices[0].endswith("trying again")


def test_each_post_has_a_key_of_its_own(api: ApiClient, server: Server) -> None:
    server.replies = [ok({})]
    api.post("/v1/x")
    api.post("/v1/x")
    assert len(set(keys(server))) == 2


def test_retry_after_is_respected(api: ApiClient, server: Server, times: Times) -> None:
    server.replies = [problem(503, "busy", Retry_After="3"), ok({})]
    api.get("/v1/x")
    assert times.pauses == [3.0]


def test_an_unavailable_api_is_reported_after_repeated_attempts(
    api: ApiClient, server: Server, times: Times
) -> None:
    server.replies = [problem(503, "busy", Retry_After="5")]
    with pytest.raises(ApiProblem) as raised:
        api.get("/v1/x")
    assert raised.value.code == "busy"
    assert times.now < REPEAT_SECONDS
    assert len(server.requests) == 3


@pytest.mark.parametrize("failure", [problem(503, "busy"), HANGS_UP])
def test_a_change_is_sent_once(api: ApiClient, server: Server, failure: Reply) -> None:
    server.replies = [failure, ok({})]
    with pytest.raises((ApiProblem, ResponseLost)):
        api.change("PUT", "/v1/x", '"1"', {"a": 1}, {"force": "true", "reason": None})
    [request] = server.requests
    assert (request.method, request.path) == ("PUT", "/v1/x?force=true")
    assert request.headers["If-Match"] == '"1"'
    assert "Idempotency-Key" not in request.headers


def test_a_post_without_an_idempotency_key_is_sent_once(api: ApiClient, server: Server) -> None:
    server.replies = [HANGS_UP, ok({})]
    with pytest.raises(ResponseLost, match="broke before the response"):
        api.post_once("/v1/accounts/acme/verifications", {"name": "x"})
    assert len(server.requests) == 1


def test_a_refusal_is_not_repeated(api: ApiClient, server: Server) -> None:
    server.replies = [problem(422, "invalid_request"), ok({})]
    with pytest.raises(ApiProblem) as raised:
        api.get("/v1/x")
    assert (raised.value.status, raised.value.detail) == (422, "it is invalid_request")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(api: ApiClient, server: Server, status: int) -> None:
    with Server() as elsewhere:
        elsewhere.replies = [ok({})]
        server.replies = [Reply(status, b"", {"Location": f"{elsewhere.address}/v1/x"})]
        with pytest.raises(UnexpectedResponse, match=f"responded with {status}"):
            api.post("/v1/x", {"password": Secret("canary")})
        assert elsewhere.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_proxy_is_not_used_for_the_loopback_address(
    client_of: ClientOf, server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    with Server() as proxy:
        monkeypatch.setenv(name, proxy.address)
        server.replies = [ok("here")]
        proxy.replies = [ok("by the proxy")]
        with client_of(Connection(address=server.address, token=Secret(TOKEN), loopback=True)) as api:
            assert api.get("/v1/x").body == "here"
        away = Connection(address="http://regcred.invalid", token=Secret(TOKEN), loopback=False)
        with client_of(away) as api:
            assert api.get("/v1/x").body == "by the proxy"
        assert [request.path for request in proxy.requests] == ["http://regcred.invalid/v1/x"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>", {"Content-Type": "text/html"}),
        Reply(200, b"{", {"Content-Type": "application/json"}),
        Reply(500, b"<html>", {"Content-Type": "text/html"}),
        Reply(404, b"[]", {"Content-Type": "application/problem+json"}),
        Reply(404, b"{", {"Content-Type": "application/problem+json"}),
    ],
)
def test_a_response_that_is_not_from_regcred_is_reported(
    api: ApiClient, server: Server, reply: Reply
) -> None:
    server.replies = [reply]
    with pytest.raises(UnexpectedResponse, match="is the address right"):
        api.get("/v1/x")


def test_a_refused_connection_is_reported_at_once(
    client_of: ClientOf, times: Times, notices: list[str]
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    where = Connection(address=address, token=Secret(TOKEN), loopback=True)
    with (
        client_of(where, repeats=Repeats(notices.append, clock=times.clock, pause=times.pause)) as api,
        pytest.raises(NotConnected, match="make up"),
    ):
        api.get("/v1/x")
    assert times.pauses == []


def test_a_list_is_read_page_by_page(api: ApiClient, server: Server) -> None:
    server.replies = [
        ok({"items": [1, 2], "next_cursor": "c1"}),
        ok({"items": [3], "next_cursor": None}),
    ]
    assert api.listing("/v1/x", {"name": "n"}, limit=None) == {"items": [1, 2, 3], "next_cursor": None}
    assert [request.path for request in server.requests] == [
        f"/v1/x?name=n&limit={PAGE}",
        f"/v1/x?name=n&limit={PAGE}&cursor=c1",
    ]


def test_a_list_ends_at_its_limit_and_returns_the_next_cursor(api: ApiClient, server: Server) -> None:
    server.replies = [ok({"items": [1, 2], "next_cursor": "c1"}), ok({"items": [3], "next_cursor": "c2"})]
    assert api.listing("/v1/x", {}, limit=3) == {"items": [1, 2, 3], "next_cursor": "c2"}
    assert [request.path for request in server.requests] == ["/v1/x?limit=3", "/v1/x?limit=1&cursor=c1"]


@pytest.mark.parametrize("answer", [[], {"items": [1]}, None])
def test_a_malformed_list_is_reported(api: ApiClient, server: Server, answer: object) -> None:
    server.replies = [ok(answer)]
    with pytest.raises(UnexpectedResponse, match="a list"):
        api.listing("/v1/x", {}, limit=None)


def test_lines_end_only_at_line_feeds(api: ApiClient, server: Server) -> None:
    body = 'a\u2028b\x85\n"c\r\n\nd'.encode()
    server.replies = [Reply(200, body, {"Content-Type": f"{NDJSON}; charset=utf-8"})]
    with api.lines("/v1/x", {}, accept=NDJSON) as lines:
        assert list(lines) == ["a\u2028b\x85\n".encode(), b'"c\r\n', b"\n", b"d"]
    assert server.requests[0].headers["Accept"] == NDJSON


def test_interrupted_lines_are_reported(api: ApiClient, server: Server) -> None:
    server.replies = [Reply(200, b"a\nb", {"Content-Type": NDJSON}, cut=True)]
    with pytest.raises(ResponseLost), api.lines("/v1/x", {}, accept=NDJSON) as lines:
        for _ in lines:
            pass


def test_refused_lines_are_reported(api: ApiClient, server: Server) -> None:
    server.replies = [problem(403, "insufficient_scope")]
    with pytest.raises(ApiProblem), api.lines("/v1/x", {}, accept=NDJSON):
        pass
    server.replies = [ok({})]
    with pytest.raises(UnexpectedResponse), api.lines("/v1/x", {}, accept=NDJSON):
        pass


def test_a_server_without_tls_is_reported(client_of: ClientOf, server: Server) -> None:
    address = server.address.replace("http://", "https://")
    with (
        client_of(Connection(address=address, token=Secret(TOKEN), loopback=True)) as api,
        pytest.raises(NotConnected, match="violates the TLS protocol"),
    ):
        api.get("/v1/x")


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[int]:
    """The port of a server with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now())
        .not_valid_after(now() + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    class Silent(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Silent(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield http.server_port
        http.shutdown()
        thread.join()


def test_an_untrusted_certificate_is_reported(client_of: ClientOf, untrusted: int) -> None:
    where = Connection(address=f"https://localhost:{untrusted}", token=Secret(TOKEN), loopback=True)
    with client_of(where) as api, pytest.raises(NotConnected) as raised:
        api.get("/v1/x")
    assert "its certificate is not trusted, self-signed certificate" in str(raised.value)
    assert "REGCRED_CA_FILE" in str(raised.value)
