"""The services refuse large requests with a problem document; every response has security headers."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.e2e.conftest import Running
from tests.support.timing import PATIENCE

MEBIBYTE = 1024 * 1024
PATH = "/v1/accounts/limits/credentials"


@pytest.fixture
def client(running: Running) -> Iterator[httpx2.Client]:
    with running.system.client() as made:
        yield made


def test_no_process_writes_core_dumps(running: Running) -> None:
    pids = running.system.processes()
    assert len(pids) >= 4
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"], (pid, line)


def test_a_body_of_more_than_a_mebibyte_is_refused(client: httpx2.Client) -> None:
    body = json.dumps({"name": "x" * MEBIBYTE})
    answer = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too_large"


def test_a_large_body_without_a_length_is_refused(client: httpx2.Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(32):
            yield b"x" * (MEBIBYTE // 16)
        yield b'"}'

    answer = client.post(PATH, content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /v1/providers?" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/providers HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /v1/providers HTTP/1.1\r\nHost: h\r\n" + b"X: x\r\n" * 5_000 + b"\r\n",
        b"POST /v1/providers HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/providers HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["line", "field", "many fields", "two lengths", "negative length"],
)
def test_a_large_or_ambiguous_request_head_is_refused(running: Running, request_head: bytes) -> None:
    parts = urlsplit(running.system.address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE) as connection:
        try:
            connection.sendall(request_head)
            answer = connection.recv(100)
        except ConnectionError:
            answer = b""  # the server closed the connection before the end of the request
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer


def test_every_response_forbids_storing_and_sniffing(client: httpx2.Client) -> None:
    for answer in (
        client.get(PATH),
        client.get(f"{PATH}/none"),
        client.post(PATH, json={}),
        client.get(PATH, headers={"Authorization": "Bearer none"}),
        client.get("/nowhere"),
        client.get("/healthz"),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer.url
        assert "no-store" in answer.headers["Cache-Control"], answer.url
        assert answer.headers["X-Request-Id"] or answer.url.path == "/nowhere", answer.url


@pytest.mark.parametrize(
    "path", ["//", "//v1//providers", "/v1//providers", "/sign-in/", "//evil.example/sign-in", "//sign-in"]
)
def test_no_redirect_names_the_host_that_the_caller_sent(client: httpx2.Client, path: str) -> None:
    url = str(client.base_url).rstrip("/") + path
    for accept in ("text/html", "application/json"):
        answer = client.get(url, headers={"Host": "evil.example", "Accept": accept})
        assert "evil.example" not in answer.text + answer.headers.get("Location", "")
