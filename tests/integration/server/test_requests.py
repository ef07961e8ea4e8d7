"""What the server makes of a request: refusals, paths, and headers that only a proxy may set."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.server.program import connections, received, response, serving

CLOSE = b"Host: evil.example\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as made:
        yield made


def answer(port: int, sent: bytes) -> tuple[bytes, bytes]:
    """Head and body of the response."""
    with connections(port, 1, sent) as [connection]:
        return response(connection)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (b"GET http://[ HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
        (
            b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "bad_request",
        ),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n", 400, "bad_request"),
        (b"POST /sum HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413, "too_large"),
        (b"POST /sum HTTP/1.1\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n", 413, "too_large"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 414, "target_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "header_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 5_000 + b"\r\n", 431, "header_too_large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
        (b"BREW / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem_document(port: int, sent: bytes, status: int, code: str) -> None:
    head, body = answer(port, sent)
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    document = json.loads(body)
    assert (document["status"], document["code"]) == (status, code)
    assert head.split(b" ")[1] == str(status).encode()
    assert document["type"] == f"/docs#problem-{code}"
    assert document["request_id"].encode() in head


def test_the_largest_body_is_accepted_and_a_request_after_it_ends_the_connection(port: int) -> None:
    body = b"x" * 1024 * 1024
    _, text = answer(
        port, b"POST /sum HTTP/1.1\r\nContent-Length: 1048576\r\nConnection: close\r\n\r\n" + body
    )
    assert text == b"1048576"
    with connections(port, 1, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 2) as [connection]:
        assert received(connection).count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize("name", [b"SCRIPT_NAME", b"Script-Name", b"REMOTE_ADDR", b"PATH_INFO"])
def test_a_header_does_not_set_a_variable_of_the_server(port: int, name: bytes) -> None:
    _, body = answer(port, b"GET /environ HTTP/1.1\r\n" + CLOSE + name + b": /environ\r\n\r\n")
    environ = json.loads(body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REMOTE_ADDR"]) == (
        "",
        "/environ",
        "127.0.0.1",
    )
    head, _ = answer(port, b"GET /x/healthz HTTP/1.1\r\n" + CLOSE + name + b": /x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "name", [b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded"]
)
def test_headers_of_proxies_are_not_trusted_from_others(port: int, name: bytes) -> None:
    value = b"for=203.0.113.7;host=evil.example;proto=https" if name == b"Forwarded" else b"203.0.113.7"
    _, body = answer(port, b"GET /environ HTTP/1.1\r\n" + CLOSE + name + b": " + value + b"\r\n\r\n")
    environ = json.loads(body)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    assert environ["HTTP_HOST"] == "evil.example"


@pytest.mark.parametrize(
    "path", [b"//", b"//healthz", b"/healthz/", b"//evil.example/..", b"/a//b", b"//a//b"]
)
def test_no_response_sends_the_client_to_the_host_that_it_named(port: int, path: bytes) -> None:
    head, body = answer(port, b"GET " + path + b" HTTP/1.1\r\n" + CLOSE + b"\r\n")
    assert b"evil.example" not in head + body
    assert b"\r\nLocation:" not in head
