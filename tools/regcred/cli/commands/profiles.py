"""`regcred profiles`: the named servers of this user."""

import os
from typing import Any

import click

from regcred.apiclient.errors import ClientError
from regcred.apiclient.text import shown
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_fields, print_json, print_table
from regcred.cli.profiles import Profile, Profiles, config_path, read_profiles, use_profile
from regcred.cli.session import FAILED

_HEADERS = ("NAME", "DEFAULT", "ADDRESS", "ACCOUNT", "TOKEN FILE")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    "profiles",
    epilog=examples(
        "regcred profiles list",
        "regcred profiles use prod",
        "regcred credentials list --profile staging",
        "REGCRED_PROFILE=staging regcred audit",
    ),
)
def profiles() -> None:
    """Select one of several servers.

    ~/.config/regcred/config.toml defines them as [profiles.NAME] with address, account, token_file,
    ca_file and allow_http. An option takes precedence over the environment, the environment over a profile.
    """


@profiles.command("list")
@_JSON
def list_profiles(*, as_json: bool) -> None:
    """List the profiles."""
    found = _read()
    if as_json:
        print_json({"default": found.default, "items": [_document(each) for each in found.by_name.values()]})
    elif found.by_name:
        print_table(_HEADERS, (_row(found, each) for each in found.by_name.values()))
    else:
        notice(f"there are no profiles in {found.path}")


@profiles.command("show")
@click.argument("name", required=False)
@_JSON
def show_profile(*, name: str | None, as_json: bool) -> None:
    """Show a profile, by default the one in use."""
    try:
        found = _read().chosen(name or os.environ.get("REGCRED_PROFILE"))
    except ClientError as error:
        raise _failed(error) from None
    if found is None:
        raise _failed(ClientError("there is no default profile; set it with `regcred profiles use NAME`"))
    if as_json:
        print_json(_document(found))
    else:
        print_fields((key.replace("_", " "), value) for key, value in _document(found).items())


@profiles.command("use")
@click.argument("name")
def use_command(*, name: str) -> None:
    """Set the default profile."""
    try:
        use_profile(config_path(os.environ), name)
    except ClientError as error:
        raise _failed(error) from None
    notice(f"{name} is the default profile")


def _read() -> Profiles:
    try:
        return read_profiles(config_path(os.environ))
    except ClientError as error:
        raise _failed(error) from None


def _document(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "address": profile.address,
        "account": profile.account,
        "token_file": str(profile.token_file) if profile.token_file else None,
        "allow_http": bool(profile.allow_http),
        "ca_file": str(profile.ca_file) if profile.ca_file else None,
    }


def _row(found: Profiles, profile: Profile) -> tuple[object, ...]:
    default = "*" if profile.name == found.default else ""
    return (profile.name, default, profile.address, profile.account, profile.token_file)


def _failed(error: ClientError) -> click.exceptions.Exit:
    click.echo(f"regcred: {shown(str(error))}", err=True)
    return click.exceptions.Exit(FAILED)
