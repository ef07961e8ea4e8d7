"""What must not stand in an environment comes from files; and the health of a port."""

import socket
from pathlib import Path

import pytest

from chassis.runtime.health import is_healthy
from chassis.settings.environment import InvalidSetting, Settings


def test_a_broker_url_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "broker.url"
    file.write_text("amqps://regcred-relay:secret@broker:5671/regcred\n")
    settings = Settings.from_environment({"REGCRED_BROKER_URL_FILE": str(file)})
    assert settings.broker_url == "amqps://regcred-relay:secret@broker:5671/regcred"


def test_the_variable_is_before_the_file(tmp_path: Path) -> None:
    environment = {"REGCRED_BROKER_URL": "amqp://here", "REGCRED_BROKER_URL_FILE": str(tmp_path / "none")}
    assert Settings.from_environment(environment).broker_url == "amqp://here"


def test_a_role_id_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "verifier.role-id"
    file.write_text("5b6f\n")
    settings = Settings.from_environment(
        {
            "REGCRED_VAULT_ADDR": "https://vault:8200",
            "REGCRED_VAULT_ROLE_ID_FILE": str(file),
            "REGCRED_VAULT_SECRET_ID_FILE": str(tmp_path / "verifier.secret-id"),
        }
    )
    assert settings.vault is not None
    assert settings.vault.role_id == "5b6f"


def test_a_file_that_is_not_there_is_told_of_without_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        Settings.from_environment({"REGCRED_BROKER_URL_FILE": str(tmp_path / "none")})


def test_health_of_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_healthy(f"tcp://127.0.0.1:{port}")
    assert not is_healthy(f"tcp://127.0.0.1:{port}")
    assert not is_healthy(f"http://127.0.0.1:{port}/healthz")
    with pytest.raises(ValueError, match="neither"):
        is_healthy("127.0.0.1:80")
