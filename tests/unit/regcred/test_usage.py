"""Wrong usage is refused before a request is sent."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main

CLIENT = ("credentials", "import", "images", "audit", "providers", "tokens")  # the others are for operators


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> CliRunner:
    for name in ("REGCRED_ADDRESS", "REGCRED_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    token = f"{tmp_path}/token"
    with open(token, "w") as file:  # noqa: PTH123 a test's own file
        file.write("t")
    monkeypatch.setenv("REGCRED_TOKEN_FILE", token)
    monkeypatch.setenv("REGCRED_ACCOUNT", "acme")
    return CliRunner()


def refused(run: CliRunner, *arguments: str) -> Result:
    result = run.invoke(main, [*arguments, "--address", "http://127.0.0.1:1"], input="")
    assert result.exit_code == 2, result.output
    return result


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("credentials add a --provider custom --password p", "No such option '--password'"),
        ("credentials add a --provider custom --token p", "No such option '--token'"),
        ("credentials add a", "Missing option '--provider'"),
        ("credentials add a --provider custom", "the source of the secret is missing"),
        ("credentials add a --provider custom --keyfile k --password-stdin", "cannot be combined"),
        ("credentials add a --provider custom --expires soon", "neither RFC 3339"),
        ("credentials add a --provider custom --wait -1", "not in the range"),
        ("credentials edit a", "nothing to change"),
        ("credentials edit a --prefix p --every-repository", "contradict"),
        ("credentials edit a --expires 1d --never-expires", "contradict"),
        ("credentials rotate a --expires 1d --never-expires", "contradict"),
        ("credentials restrict a", "give one of"),
        ("credentials restrict a --nobody --everyone", "give one of"),
        ("credentials restrict a --project p --nobody", "give one of"),
        ("credentials remove a --yes --force", "--force needs --reason"),
        ("credentials verify a --wait 31", "not in the range"),
        ("credentials list --status fine", "is not one of"),
        ("credentials test --provider custom --password p", "No such option '--password'"),
        ("credentials test --provider custom", "the source of the secret is missing"),
        ("images tags", "Missing argument"),
        ("images tags reg.io/a/b:1", "remove the tag"),
        ("images tags reg.io/a/b@sha256:" + "a" * 64, "remove the tag"),
        ("images tags reg.io/A", "lower case"),
        ("images show https://reg.io/a", "no scheme"),
        ("audit --json --csv", "use only one of"),
        ("audit --csv --ndjson", "use only one of"),
        ("audit --output f", "--output needs"),
        ("audit --csv --limit 3", "an export has no --limit"),
        ("audit --since 2026-01-01", "no time zone"),
        ("audit list --since 2026-01-01", "no time zone"),
        ("audit --follow --csv", "--follow can be combined only with"),
        ("audit --follow --limit 3", "--follow can be combined only with"),
        ("tokens make t --scope audit:read", "--every-account"),
        ("tokens make t --scope audit:read --every-account --account a", "--every-account"),
        ("tokens make t --scope root --every-account", "is not one of"),
        ("tokens make t --every-account", "Missing option '--scope'"),
    ],
)
def test_wrong_usage_is_refused(run: CliRunner, arguments: str, says: str) -> None:
    assert says in refused(run, *arguments.split()).output


@pytest.mark.parametrize(
    "arguments",
    [
        "credentials remove a --address http://127.0.0.1:1",
        "tokens revoke t --address http://127.0.0.1:1",
        "accounts erase acme",
        "deadletters discard verifier 1 --reason r",
    ],
)
def test_a_permanent_change_needs_a_terminal_or_yes(run: CliRunner, arguments: str) -> None:
    result = run.invoke(main, arguments.split(), input="y\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "confirm with --yes: there is no terminal for a prompt" in result.stderr


def test_every_command_that_can_ask_is_in_the_test_above(run: CliRunner) -> None:
    asking = {path for path, command in commands(main) if any(each.name == "yes" for each in command.params)}
    assert asking == {
        ("credentials", "remove"),
        ("tokens", "revoke"),
        ("accounts", "erase"),
        ("deadletters", "discard"),
        ("installation", "accept-tokens"),  # it asks after it has shown the tokens: test_token_rows.py
        ("installation", "adopt"),  # it asks only if it erases data: test_key_files.py
    }


def test_an_account_is_required(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGCRED_ACCOUNT")
    assert "REGCRED_ACCOUNT" in refused(run, "credentials", "list").output


def test_an_unreachable_api_is_exit_code_one(run: CliRunner) -> None:
    result = run.invoke(main, ["credentials", "list", "--address", "http://127.0.0.1:1"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not respond at http://127.0.0.1:1" in result.stderr


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))
    else:
        yield path, command


@pytest.mark.parametrize(("path", "command"), list(commands(main)))
def test_every_command_and_option_has_a_help_text(
    run: CliRunner, path: tuple[str, ...], command: click.Command
) -> None:
    result = run.invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, (path, parameter.name)
    if path[0] in CLIENT:
        assert "--json" in result.output
