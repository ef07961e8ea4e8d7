"""JWTs of a trusted issuer that does not respond, at the API in a process of its own."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from chassis.settings.environment import Settings
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from tests.integration.server.program import connections
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting

REQUESTS = 60  # more than the API has threads
ISSUER = "https://hangs.example.com"
PATH = "/v1/service-tokens"


def unsigned(key_id: str) -> str:
    """A JWT that could be one of the issuer as long as nobody has read its keys."""

    def part(document: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    claims = {"iss": ISSUER, "sub": "x", "aud": "regcred", "exp": int(time.time()) + 600, "scope": "admin"}
    return f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': key_id})}.{part(claims)}.{'A' * 342}"


@contextmanager
def running_api(home: Path, database_url: str, issuer_port: int) -> Iterator[tuple[int, str]]:
    """The port and the administrator's token of the command API."""
    port = free_port()
    environment = {
        "REGCRED_HOME": str(home),
        "REGCRED_LISTEN": f"127.0.0.1:{port}",
        "REGCRED_DATABASE_URL": database_url,
        "REGCRED_TOKEN_ISSUERS": f"{ISSUER}=http://127.0.0.1:{issuer_port}/keys",
    }
    settings = Settings.from_environment(environment)
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    others = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "credentials", "api"], env={**others, **environment}, stderr=log
        )
    try:
        waiting(lambda: is_ready(port), "the API is ready")
        yield port, token.read_text().strip()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def request(token: str) -> bytes:
    head = (f"GET {PATH} HTTP/1.1", "Host: h", f"Authorization: Bearer {token}", "Connection: close")
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def test_jwts_of_an_issuer_that_hangs_do_not_stop_another_caller(tmp_path: Path, database_url: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=REQUESTS) as silent,  # it accepts nothing
        running_api(tmp_path, database_url, silent.getsockname()[1]) as (port, token),
        connections(port, REQUESTS, b"") as open_ones,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            trust_env=False,
        ) as other,
    ):
        for number, connection in enumerate(open_ones):
            connection.sendall(request(unsigned(f"key-{number}")))
        for _ in range(3):
            assert other.get("/healthz").status_code == httpx2.codes.OK
            assert other.get(PATH).status_code == httpx2.codes.OK
        answers = {connection.recv(12) for connection in open_ones}
    assert answers == {b"HTTP/1.1 503"}
