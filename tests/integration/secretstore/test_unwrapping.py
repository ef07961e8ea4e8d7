"""A wrapped secret id is unwrapped once, and a wrapping that was used before is an error."""

import stat
from pathlib import Path

import httpx2
import pytest

from secretstore.unwrapping import WrappingUnusable, unwrap
from tests.support.timing import PATIENCE
from tests.support.vault import Vault


def wrapped(vault: Vault, path: str, folder: Path, role: str = "verifier") -> str:
    headers = {"X-Vault-Token": vault.root_token, "X-Vault-Wrap-TTL": "60s"}
    answer = httpx2.post(
        f"{vault.addr}/v1/{path}", headers=headers, json={}, timeout=PATIENCE, trust_env=False
    )
    token = str(answer.raise_for_status().json()["wrap_info"]["token"])
    (folder / f"{role}.wrapped").write_text(token + "\n")
    return token


SECRET_ID = "auth/approle/role/regcred-verifier/secret-id"


def test_an_unwrapped_secret_id_can_log_in(vault: Vault, tmp_path: Path) -> None:
    wrapped(vault, SECRET_ID, tmp_path)
    assert unwrap(tmp_path, "verifier", address=vault.addr, ca_file=None)
    secret_id = tmp_path / "verifier.secret-id"
    assert stat.S_IMODE(secret_id.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["verifier.secret-id"]
    login = {"role_id": vault.role_id("verifier"), "secret_id": secret_id.read_text()}
    assert vault.api("POST", "auth/approle/login", login).json()["auth"]["policies"] == [
        "default",
        "regcred-verifier",
    ]


def test_a_missing_wrapping_is_not_an_error(vault: Vault, tmp_path: Path) -> None:
    assert not unwrap(tmp_path, "verifier", address=vault.addr, ca_file=None)


def test_a_used_wrapping_is_an_alarm(vault: Vault, tmp_path: Path) -> None:
    token = wrapped(vault, SECRET_ID, tmp_path)
    thief = {"X-Vault-Token": token}
    httpx2.post(
        f"{vault.addr}/v1/sys/wrapping/unwrap", headers=thief, timeout=PATIENCE, trust_env=False
    ).raise_for_status()
    with pytest.raises(WrappingUnusable, match="another program has unwrapped it"):
        unwrap(tmp_path, "verifier", address=vault.addr, ca_file=None)
    assert not (tmp_path / "verifier.secret-id").exists()


def test_a_wrapping_created_for_another_path_is_refused(vault: Vault, tmp_path: Path) -> None:
    """Somebody who can write the file could otherwise have the service log in as what he chose."""
    wrapped(vault, "auth/approle/role/regcred-credentials/secret-id", tmp_path)
    with pytest.raises(WrappingUnusable, match="not for auth/approle/role/regcred-verifier"):
        unwrap(tmp_path, "verifier", address=vault.addr, ca_file=None)
