"""A Vault that is sealed, unreachable, restarted, or has revoked the token; and variables of other clients."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.secret import Secret
from secretstore import vault_session
from secretstore.store import SecretDestroyed, SecretStoreUnavailable
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultRefused, VaultSettings
from tests.support.secretstore_suite import CANARY, a_path, put, shown
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting
from tests.support.vault import Vault

SHORT = 6  # seconds
RENEW_AFTER = 1 / 4  # so that a busy machine has time enough for a new login


def settings(vault: Vault, role: str = "one-machine", addr: str = "") -> VaultSettings:
    return VaultSettings(
        addr=addr or vault.addr, role_id=vault.role_id(role), secret_id_file=vault.secret_id_file(role)
    )


@pytest.fixture
def store(vault: Vault) -> Iterator[VaultStore]:
    made = VaultStore(settings(vault))
    yield made
    made.close()


def everything(store: VaultStore, text: str) -> list[Callable[[], object]]:
    path = a_path(text)
    return [
        lambda: store.put(path, Secret(CANARY), write_id="w", expected_version=0),
        lambda: store.get(path, 1),
        lambda: store.destroy(path, [1]),
        lambda: store.remove(path),
        lambda: store.versions(path),
        lambda: store.current_version(path),
        lambda: list(store.paths()),
        store.check,
    ]


def unavailable(attempt: Callable[[], object]) -> None:
    with pytest.raises(SecretStoreUnavailable) as raised:
        attempt()
    assert 0 < raised.value.retry_after <= 60
    said = shown(raised.value)
    assert CANARY not in said
    assert "v1/" not in said  # hvac's messages end with the URL of the request
    assert "hvac.exceptions" not in said


def test_a_sealed_vault_is_unavailable_until_it_is_unsealed(vault: Vault, store: VaultStore) -> None:
    path = a_path("sealed")
    put(store, path, "one")
    fresh = VaultStore(settings(vault))
    vault.seal()
    try:
        for attempt in [*everything(store, "sealed"), *everything(fresh, "sealed")]:
            unavailable(attempt)
    finally:
        vault.unseal()
    assert back(store).get(path, 1).reveal() == "one"
    assert back(fresh).get(path, 1).reveal() == "one"
    fresh.close()


def test_a_token_stays_valid_after_a_restart(vault: Vault, store: VaultStore) -> None:
    path = a_path("restarted")
    put(store, path, "one")
    vault.kill()
    try:
        for attempt in everything(store, "restarted"):
            unavailable(attempt)
    finally:
        vault.start()
    assert back(store).get(path, 1).reveal() == "one"


def test_a_closed_port_is_unavailable(vault: Vault) -> None:
    away = VaultStore(settings(vault, addr=f"http://127.0.0.1:{free_port()}"))
    for attempt in everything(away, "away"):
        unavailable(attempt)
    away.close()


def test_the_error_of_a_destroyed_version_does_not_contain_the_response(store: VaultStore) -> None:
    """hvac puts Vault's whole answer into the message of this one."""
    path = a_path("destroyed-answer")
    put(store, path, CANARY)
    store.destroy(path, [1])
    with pytest.raises(SecretDestroyed) as raised:
        store.get(path, 1)
    said = shown(raised.value)
    for word in ("created_time", "custom_metadata", "destroyed_time", str(path), "GET", "v1/"):
        assert word not in said


def test_a_revoked_token_is_replaced(vault: Vault, store: VaultStore) -> None:
    path = a_path("revoked")
    put(store, path, "one")
    for _ in range(2):
        vault.api("PUT", "sys/leases/revoke-prefix/auth/approle")
        with capture_logs() as logs:
            assert store.get(path, 1).reveal() == "one"
        assert [line["event"] for line in logs] == ["vault_token_ended"]


@pytest.fixture
def short(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VaultSettings:
    """A role whose tokens live for `SHORT` seconds, and a copy of its secret id."""
    monkeypatch.setattr(vault_session, "RENEW_AFTER", RENEW_AFTER)
    vault.api(
        "POST",
        "auth/approle/role/short",
        {"token_policies": ["regcred-credentials"], "token_ttl": f"{SHORT}s", "token_max_ttl": f"{SHORT}s"},
    )
    made = vault.api("POST", "auth/approle/role/short/secret-id").json()["data"]["secret_id"]
    file = tmp_path / "secret-id"
    file.write_text(f"{made}\n")
    role_id = vault.api("GET", "auth/approle/role/short/role-id").json()["data"]["role_id"]
    return VaultSettings(addr=vault.addr, role_id=role_id, secret_id_file=file)


def test_a_token_is_replaced_before_it_expires(short: VaultSettings) -> None:
    store = VaultStore(short)
    path = a_path("expiring")
    put(store, path, "one")
    ends = time.monotonic() + 1.2 * SHORT
    with capture_logs() as logs:
        while time.monotonic() < ends:
            assert store.get(path, 1).reveal() == "one"
            time.sleep(0.1)
    assert logs == []  # no request met a token that had ended
    store.close()


def test_a_failed_login_is_postponed_while_the_token_is_valid(short: VaultSettings) -> None:
    store = VaultStore(short)
    path = a_path("put-off")
    put(store, path, "one")
    assert short.secret_id_file is not None
    short.secret_id_file.unlink()

    def read() -> bool:
        return store.get(path, 1).reveal() == "one"

    with capture_logs() as logs:
        waiting(lambda: read() and logs, "it is time for a new login")
        assert read()
    assert [line["event"] for line in logs] == ["vault_login_put_off"]

    def refused() -> bool:
        try:
            read()
        except VaultRefused:
            return True
        return False

    waiting(refused, "the token ends")
    store.close()


def test_a_vault_that_does_not_respond_makes_no_caller_queue(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logins are made one at a time: those behind one that failed fail with it, and do not each try."""
    monkeypatch.setattr(vault_session, "LOGIN_PAUSE_SECONDS", PATIENCE)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute:
        store = VaultStore(settings(vault, addr=f"http://127.0.0.1:{mute.getsockname()[1]}"))
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: unavailable(lambda: store.get(a_path("mute"), 1)), range(8)))
        assert connections(mute) == 1
        store.close()


def test_a_replaced_token_file_is_read_again(vault: Vault, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(vault.token_of("one-machine") + "\n")
    store = VaultStore(VaultSettings(addr=vault.addr, token_file=token_file))
    path = a_path("token-file")
    put(store, path, "one")
    vault.api("POST", "auth/token/revoke", {"token": token_file.read_text().strip()})
    token_file.write_text(vault.token_of("one-machine"))
    assert store.get(path, 1).reveal() == "one"
    store.close()


def test_an_invalid_secret_id_is_refused_and_not_shown(vault: Vault, tmp_path: Path) -> None:
    wrong = tmp_path / "secret-id"
    wrong.write_text(CANARY)
    for file in (wrong, tmp_path / "absent"):
        store = VaultStore(
            VaultSettings(addr=vault.addr, role_id=vault.role_id("verifier"), secret_id_file=file)
        )
        with capture_logs() as logs, pytest.raises(VaultRefused) as raised:
            store.get(a_path("none"), 1)
        assert CANARY not in shown(raised.value) + repr(logs)
        store.close()


def test_the_configured_certificate_authority_is_used(vault: Vault) -> None:
    path = a_path("tls")
    known = settings(vault, addr=vault.tls_addr)
    with_ca = VaultStore(
        VaultSettings(
            addr=known.addr,
            role_id=known.role_id,
            secret_id_file=known.secret_id_file,
            ca_file=vault.ca_file,
        )
    )
    with_ca.check()
    put(with_ca, path, "one")
    assert with_ca.get(path, 1).reveal() == "one"
    without = VaultStore(known)
    for attempt in everything(without, "tls"):
        unavailable(attempt)
    with_ca.close()
    without.close()


def test_the_environment_is_ignored(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
        monkeypatch.setenv(name.lower(), nowhere)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_ADDR", nowhere)
    monkeypatch.setenv("VAULT_TOKEN", vault.root_token)
    monkeypatch.setenv("VAULT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(vault.ca_file))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(vault.root_token)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")

    verifier = VaultStore(settings(vault, "verifier"))
    with pytest.raises(VaultRefused):  # as root it would be allowed
        verifier.put(a_path("environment"), Secret("x"), write_id="w", expected_version=0)
    verifier.check()
    verifier.close()

    empty = tmp_path / "empty"
    empty.write_text("")
    nobody = VaultStore(VaultSettings(addr=vault.addr, token_file=empty))
    with pytest.raises(VaultRefused):
        nobody.get(a_path("environment"), 1)
    nobody.close()

    stranger = VaultStore(settings(vault, addr=vault.tls_addr))
    unavailable(stranger.check)
    unavailable(lambda: stranger.get(a_path("environment"), 1))
    stranger.close()


def back(store: VaultStore) -> VaultStore:
    """The store once it serves again: a failed login is not tried again at once."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            store.current_version(a_path("back"))
        except SecretStoreUnavailable:
            assert time.monotonic() < deadline, "it does not come back"
            time.sleep(0.1)
        else:
            return store


def connections(server: socket.socket) -> int:
    """How many there were till now; a server that never accepted any."""
    server.setblocking(False)
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
