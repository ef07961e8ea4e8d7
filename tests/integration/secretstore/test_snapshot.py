"""infra/vault/snapshot.sh on real Vaults: a snapshot is restored elsewhere with the unseal key of its time only."""

import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretstore.store import SecretMissing, SecretPath
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings
from tests.support.secretstore_suite import a_path, put
from tests.support.servers import ROOT, free_port, program
from tests.support.timing import PATIENCE
from tests.support.vault import Vault

SCRIPT = ROOT / "infra" / "vault" / "snapshot.sh"


@pytest.fixture
def another() -> Iterator[Vault]:
    """A Vault of another deployment, with another unseal key."""
    with Vault() as server:
        yield server


def operate(
    vault: Vault, operator: Path, command: str, snapshot: bytes = b"", *, key: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    tools = operator / "bin"
    tools.mkdir(exist_ok=True)
    binary = program("vault")
    assert binary is not None
    if not (tools / "vault").exists():
        (tools / "vault").symlink_to(binary)
    (operator / "unseal.key").write_text(key or vault._unseal_key)
    return subprocess.run(
        ["sh", SCRIPT, command],
        input=snapshot,
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(operator),
            "OPERATOR": str(operator),
            "VAULT_ADDR": vault.addr,
            "DRILL_PORT": str(free_port()),
            "DRILL_CLUSTER_PORT": str(free_port()),
        },
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def store(vault: Vault) -> VaultStore:
    role = "one-machine"
    return VaultStore(
        VaultSettings(addr=vault.addr, role_id=vault.role_id(role), secret_id_file=vault.secret_id_file(role))
    )


def read(vault: Vault, path: SecretPath, secret_id_of: Vault) -> str:
    """The secret at a path, read by a service of the deployment of the snapshot."""
    role = "one-machine"
    opened = VaultStore(
        VaultSettings(
            addr=vault.addr,
            role_id=secret_id_of.role_id(role),
            secret_id_file=secret_id_of.secret_id_file(role),
        )
    )
    try:
        return opened.get(path, 1).reveal()
    finally:
        opened.close()


def test_a_snapshot_is_saved_verified_and_restored_on_another_server(
    vault: Vault, another: Vault, tmp_path: Path
) -> None:
    before, after, foreign = a_path("before-snapshot"), a_path("after-snapshot"), a_path("of-another")
    ours, theirs = store(vault), store(another)
    put(ours, before, "kept")
    saved = operate(vault, tmp_path, "save")
    assert saved.returncode == 0, saved.stderr
    put(ours, after, "too late")
    put(theirs, foreign, "goes away")
    ours.close()
    theirs.close()
    assert b"kept" not in saved.stdout

    tried = operate(vault, tmp_path, "drill", saved.stdout)
    assert tried.returncode == 0, tried.stderr
    words = tried.stdout.decode().split()
    assert words[:4] == ["the", "snapshot", "is", "usable:"]
    assert int(words[5]) >= 1

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "restored.key").write_text(vault._unseal_key)
    restored = operate(another, elsewhere, "restore", saved.stdout)
    assert restored.returncode == 0, restored.stderr
    assert (elsewhere / "unseal.key").read_text() == vault._unseal_key
    assert read(another, before, vault) == "kept"
    for gone in (after, foreign):
        with pytest.raises(SecretMissing):
            read(another, gone, vault)
    shutil.rmtree(elsewhere)


def test_a_snapshot_cannot_be_decrypted_with_another_key(vault: Vault, tmp_path: Path) -> None:
    saved = operate(vault, tmp_path, "save")
    assert saved.returncode == 0
    tried = operate(vault, tmp_path, "drill", saved.stdout, key=b64encode(bytes(range(32))).decode())
    assert tried.returncode != 0
    assert b"usable" not in tried.stdout


def test_no_root_token_remains(vault: Vault, tmp_path: Path) -> None:
    before = len(vault.api("LIST", "auth/token/accessors").json()["data"]["keys"])
    assert operate(vault, tmp_path, "save").returncode == 0
    assert len(vault.api("LIST", "auth/token/accessors").json()["data"]["keys"]) == before
    assert not (tmp_path / "root.token").exists()


def test_an_unknown_command_is_refused(vault: Vault, tmp_path: Path) -> None:
    assert operate(vault, tmp_path, "remove").returncode == 2
