"""Responses of others than an active Vault: standby nodes, proxies, rate limits, elections."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chassis.secret import Secret
from secretstore.store import SecretDamaged, SecretStoreUnavailable
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings
from tests.support.secretstore_suite import CANARY, a_path, shown


@dataclass
class Scripted:
    """A server that responds to every request alike, and records the requests."""

    address: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            script.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(script.status)
            for name, value in {**script.headers, "Content-Length": str(len(script.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(script.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_LIST = answer  # noqa: N815 the standard library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the standard library's name
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.address = f"http://127.0.0.1:{http.server_port}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield script
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def store(server: Scripted, tmp_path: Path) -> Iterator[VaultStore]:
    """With a token, so that no login comes first."""
    token = tmp_path / "token"
    token.write_text("hvs.token")
    made = VaultStore(VaultSettings(addr=server.address, token_file=token))
    yield made
    made.close()


def everything(store: VaultStore) -> list[Callable[[], object]]:
    path = a_path("answers")
    return [
        lambda: store.put(path, Secret(CANARY), write_id="w", expected_version=0),
        lambda: store.get(path, 1),
        lambda: store.destroy(path, [1]),
        lambda: store.remove(path),
        lambda: store.versions(path),
        lambda: store.current_version(path),
        lambda: list(store.paths()),
    ]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (307, b""),
        (412, b'{"errors": []}'),
        (429, b'{"errors": ["request path: rate limit quota exceeded"]}'),
        (472, b'{"errors": []}'),
        (473, b'{"errors": ["replication lag"]}'),
        (500, b'{"errors": ["local node not active but active cluster node not found"]}'),
        (502, b"<html>no upstream</html>"),
        (503, b'{"errors": ["Vault is sealed"]}'),
        (504, b""),
        (200, b"<html>Welcome to this network. Please log in.</html>"),
        (200, b""),
        (200, b"[]"),
        (200, b'{"data": null}'),
        (202, b""),
    ],
)
def test_a_response_that_is_not_from_vault_is_unavailable(
    server: Scripted, store: VaultStore, status: int, body: bytes
) -> None:
    server.status, server.body = status, body
    server.headers["Location"] = f"{server.address}/elsewhere"
    for number, attempt in enumerate(everything(store)):
        with pytest.raises(SecretStoreUnavailable) as raised:
            pytest.fail(f"attempt {number} gave {attempt()!r}")
        assert raised.value.retry_after > 0
        said = shown(raised.value)
        assert CANARY not in said
        assert "v1/" not in said
        assert "Welcome" not in said
    assert not [request for request in server.asked if "elsewhere" in request]


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"auth": null}', b'{"auth": {"client_token": 1}}']
)
def test_a_login_without_a_token_is_unavailable(server: Scripted, tmp_path: Path, body: bytes) -> None:
    server.body = body
    secret_id = tmp_path / "secret-id"
    secret_id.write_text(CANARY)
    store = VaultStore(VaultSettings(addr=server.address, role_id="r", secret_id_file=secret_id))
    with pytest.raises(SecretStoreUnavailable) as raised:
        store.get(a_path("login"), 1)
    assert CANARY not in shown(raised.value)
    store.close()


@pytest.mark.parametrize("fields", [{}, {"password": CANARY}, {"secret": 5}, {"secret": None}])
def test_an_entry_of_another_program_is_no_secret(
    server: Scripted, store: VaultStore, fields: dict[str, object]
) -> None:
    server.body = json.dumps({"data": {"data": fields, "metadata": {"version": 1}}}).encode()
    with pytest.raises(SecretDamaged) as raised:
        store.get(a_path("foreign"), 1)
    assert CANARY not in shown(raised.value)


@pytest.mark.parametrize(
    ("status", "serves"), [(200, True), (429, False), (472, False), (501, False), (503, False)]
)
def test_check_follows_the_health_of_vault(
    server: Scripted, store: VaultStore, status: int, serves: bool
) -> None:
    server.status = status
    if serves:
        store.check()
    else:
        with pytest.raises(SecretStoreUnavailable):
            store.check()
    assert server.asked == ["GET /v1/sys/health?standbyok=true&perfstandbyok=true"]
