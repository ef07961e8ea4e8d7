"""Profiles: their settings, what has precedence over them, and which server gets which token."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main
from regcred.apiclient.errors import ConfigurationError
from regcred.cli.profiles import config_path, read_profiles, use_profile
from tests.unit.regcred.conftest import TOKEN, Server, ok

OTHER = "rgcs_another-token"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the profiles file, without the environment of this machine."""
    for name in ("ADDRESS", "ACCOUNT", "TOKEN_FILE", "PROFILE", "ALLOW_HTTP", "HOME", "ON_BEHALF_OF"):
        monkeypatch.delenv(f"REGCRED_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    path = config_path({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    path.parent.mkdir(parents=True)
    return path


def _profile(folder: Path, name: str, address: str, account: str, token: str = TOKEN) -> str:
    file = folder / f"{name}.token"
    file.write_text(token)
    return f'[profiles.{name}]\naddress = "{address}"\naccount = "{account}"\ntoken_file = "{file}"\n'


def _run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=dict(environment or {}))


def _listed(server: Server) -> str:
    """The account in the path of the last request."""
    return server.requests[-1].path.split("/")[3]


def test_the_default_profile_sets_address_token_and_account(config: Path, server: Server) -> None:
    config.write_text('default = "prod"\n' + _profile(config.parent, "prod", server.address, "acme"))
    server.replies = [ok({"items": [], "next_cursor": None})]
    assert _run("credentials", "list").exit_code == 0
    assert _listed(server) == "acme"
    assert server.requests[-1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_options_have_precedence_over_the_environment_and_that_over_profiles(
    config: Path, server: Server
) -> None:
    config.write_text(_profile(config.parent, "prod", server.address, "of-profile"))
    server.replies = [ok({"items": [], "next_cursor": None})]
    environment = {"REGCRED_PROFILE": "prod"}
    assert _run("credentials", "list", environment=environment).exit_code == 0
    assert _listed(server) == "of-profile"
    environment["REGCRED_ACCOUNT"] = "of-environment"
    assert _run("credentials", "list", environment=environment).exit_code == 0
    assert _listed(server) == "of-environment"
    assert _run("credentials", "list", "--account", "of-option", environment=environment).exit_code == 0
    assert _listed(server) == "of-option"


def test_the_profile_option_has_precedence_over_the_environment(config: Path, server: Server) -> None:
    both = [_profile(config.parent, name, server.address, name) for name in ("first", "second")]
    config.write_text("".join(both))
    server.replies = [ok({"items": [], "next_cursor": None})]
    _run("credentials", "list", "--profile", "second", environment={"REGCRED_PROFILE": "first"})
    assert _listed(server) == "second"


def test_the_token_of_a_profile_is_not_sent_to_another_address(config: Path, server: Server) -> None:
    config.write_text(_profile(config.parent, "prod", "https://regcred.example.com", "acme"))
    done = _run("credentials", "list", "--profile", "prod", "--address", server.address)
    assert done.exit_code == 1
    assert "no token" in done.output
    assert server.requests == []


def test_plain_http_is_allowed_only_to_the_address_of_the_profile(config: Path) -> None:
    config.write_text(
        _profile(config.parent, "lab", "http://lab.example.com", "acme") + "allow_http = true\n"
    )
    token = {"REGCRED_TOKEN_FILE": str(config.parent / "lab.token")}
    elsewhere = ("--profile", "lab", "--address", "http://192.0.2.1:1")
    done = _run("credentials", "list", *elsewhere, environment=token)
    assert done.exit_code == 1
    assert "in plain text" in done.output


def test_a_profile_with_an_address_needs_a_token_file(config: Path) -> None:
    """Otherwise the admin token of this machine would be sent to another one."""
    config.write_text('[profiles.prod]\naddress = "https://regcred.example.com"\n')
    done = _run("credentials", "list", "--profile", "prod", "--account", "acme")
    assert done.exit_code == 1
    assert "token_file" in done.output


@pytest.mark.parametrize(
    "text",
    [
        f'[profiles.prod]\ntoken = "{OTHER}"\n',
        f"[profiles.prod]\ntoken_file = {OTHER}\n",
        f'[profiles.prod]\nsecret = "{OTHER}"\n',
        '[profiles."a b"]\n',
        "[profiles.prod]\nallow_http = 1\n",
        'default = "other"\n[profiles.prod]\n',
        "default = [1]\n",
        "profiles = 1\n",
        "other = 1\n",
    ],
)
def test_an_invalid_file_is_refused_without_its_values(config: Path, text: str) -> None:
    config.write_text(text)
    done = _run("providers")
    assert done.exit_code == 1
    assert str(config) in done.output
    assert OTHER not in done.output


def test_without_a_file_nothing_changes(config: Path, server: Server) -> None:
    (config.parent / "token").write_text(TOKEN)
    server.replies = [ok({"items": []})]
    environment = {"REGCRED_TOKEN_FILE": str(config.parent / "token")}
    assert _run("providers", "--address", server.address, environment=environment).exit_code == 0


def test_use_changes_only_the_default(config: Path) -> None:
    rest = "# mine\n" + "".join(
        _profile(config.parent, name, "https://r.example.com", name) for name in ("one", "two")
    )
    config.write_text('default = "one"\n' + rest)
    assert _run("profiles", "use", "two").exit_code == 0
    assert config.read_text() == 'default = "two"\n' + rest
    assert json.loads(_run("profiles", "show", "--json").stdout)["account"] == "two"
    assert "no profile 'three'" in _run("profiles", "use", "three").output


def test_use_does_not_edit_a_file_that_it_would_damage(config: Path) -> None:
    config.write_text('profiles = {one = {}, two = {}}\n"default" = "one"\n')
    with pytest.raises(ConfigurationError):
        use_profile(config, "two")
    assert read_profiles(config).default == "one"


def test_list_and_show_do_not_show_a_token(config: Path) -> None:
    config.write_text('default = "prod"\n' + _profile(config.parent, "prod", "https://r.example.com", "acme"))
    for arguments in (("list",), ("list", "--json"), ("show",), ("show", "prod", "--json")):
        done = _run("profiles", *arguments)
        assert done.exit_code == 0
        assert "https://r.example.com" in done.output
        assert TOKEN not in done.output


def test_on_behalf_of_is_sent(config: Path, server: Server) -> None:
    config.write_text('default = "prod"\n' + _profile(config.parent, "prod", server.address, "acme"))
    server.replies = [ok({"items": [], "next_cursor": None})]
    assert _run("credentials", "list", "--on-behalf-of", "octo@example.com").exit_code == 0
    assert server.requests[-1].headers["Regcred-On-Behalf-Of"] == "octo@example.com"
    assert _run("credentials", "list", "--on-behalf-of", "a\nb").exit_code == 1
