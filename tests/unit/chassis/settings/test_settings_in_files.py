"""Settings that are read from files because they are secret."""

from pathlib import Path

import pytest

from chassis.settings.environment import InvalidSetting, Settings


def test_the_broker_url_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "broker.url"
    file.write_text("amqps://regcred-relay:secret@broker:5671/regcred\n")
    settings = Settings.from_environment({"REGCRED_BROKER_URL_FILE": str(file)})
    assert settings.broker_url == "amqps://regcred-relay:secret@broker:5671/regcred"


def test_the_variable_has_precedence_over_the_file(tmp_path: Path) -> None:
    environment = {"REGCRED_BROKER_URL": "amqp://here", "REGCRED_BROKER_URL_FILE": str(tmp_path / "none")}
    assert Settings.from_environment(environment).broker_url == "amqp://here"


def test_the_role_id_is_read_from_a_file(tmp_path: Path) -> None:
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


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        Settings.from_environment({"REGCRED_BROKER_URL_FILE": str(tmp_path / "none")})
