"""Settings that are read from files because they are secret."""

from pathlib import Path

import pytest

from chassis.settings.environment import InvalidSetting, Settings
from console.settings import ConsoleSettings


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
    (tmp_path / "verifier.secret-id").write_text("8d1e\n")
    settings = Settings.from_environment(
        {
            "REGCRED_VAULT_ADDR": "https://vault:8200",
            "REGCRED_VAULT_ROLE_ID_FILE": str(file),
            "REGCRED_VAULT_SECRET_ID_FILE": str(tmp_path / "verifier.secret-id"),
        }
    )
    assert settings.vault is not None
    assert settings.vault.role_id == "5b6f"


VAULT = {"REGCRED_VAULT_ADDR": "https://vault:8200", "REGCRED_VAULT_ROLE_ID": "5b6f"}


@pytest.mark.parametrize(
    "name",
    [
        "REGCRED_BROKER_URL_FILE",
        "REGCRED_VAULT_ROLE_ID_FILE",
        "REGCRED_VAULT_SECRET_ID_FILE",
        "REGCRED_VAULT_TOKEN_FILE",
        "REGCRED_VAULT_CA_FILE",
        "REGCRED_CA_FILE",
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    environment = {key: value for key, value in VAULT.items() if not name.startswith(key)}
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, reason in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (binary, "is not text|does not contain certificates"),
    ):
        with pytest.raises(InvalidSetting, match=f"^{name}: {path} .*({reason})"):
            read({**environment, name: str(path)})


@pytest.mark.parametrize(
    "name",
    [
        "REGCRED_BROKER_URL_FILE",
        "REGCRED_VAULT_ROLE_ID_FILE",
        "REGCRED_VAULT_SECRET_ID_FILE",
        "REGCRED_VAULT_TOKEN_FILE",
    ],
)
def test_an_empty_file_of_a_secret_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").write_text("\n")
    environment = {key: value for key, value in VAULT.items() if not name.startswith(key)}
    with pytest.raises(InvalidSetting, match=f"^{name}: .*empty"):
        read({**environment, name: str(tmp_path / "empty")})


@pytest.mark.parametrize("name", ["REGCRED_VAULT_SECRET_ID_FILE", "REGCRED_VAULT_TOKEN_FILE"])
def test_a_secret_of_vault_without_the_address_of_vault_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("8d1e")
    with pytest.raises(InvalidSetting, match=f"^REGCRED_VAULT_ADDR: .*{name}"):
        Settings.from_environment({name: str(tmp_path / "secret")})


def read(environment: dict[str, str]) -> None:
    """Read the settings as both kinds of services do."""
    environment = {"REGCRED_VAULT_ADDR": "https://vault:8200", **environment}
    ConsoleSettings.from_environment(environment)
    Settings.from_environment(environment)
