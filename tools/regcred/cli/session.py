"""Shared by the commands of the client: connection to the API, account, output and error handling.

Exit codes: 0 done; 1 the API refused the request or did not respond, or the configuration is wrong; 2 wrong
usage; 3 the registry refused the credential or could not be reached; 4 no verdict within `--wait`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.errors import ApiProblem, ClientError
from regcred.apiclient.paths import account_path
from regcred.apiclient.problem_text import problem_lines
from regcred.apiclient.settings import DEFAULT_ADDRESS, Connection, connection, token_path
from regcred.apiclient.text import shown
from regcred.apiclient.trust import CA_FILE
from regcred.cli.output import notice
from regcred.cli.profiles import config_path, read_profiles

FAILED = 1
REFUSED = 3
NO_VERDICT = 4
P = ParamSpec("P")
_F = TypeVar("_F", bound=Callable[..., None])
_TOKEN_FILE = "regcred.cli.session.token_file"  # noqa: S105 a key in click's `meta`, not a token

_ADDRESS = click.option(
    "--address",
    envvar="REGCRED_ADDRESS",
    default=DEFAULT_ADDRESS,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="Address of the API.",
)
_ACCOUNT = click.option(
    "--account", envvar="REGCRED_ACCOUNT", show_envvar=True, metavar="ID", help="The account.", required=True
)
_ALLOW_HTTP = click.option(
    "--allow-http",
    envvar="REGCRED_ALLOW_HTTP",
    is_flag=True,
    help="Allow http:// to another machine, without encryption.",
)
_CA_FILE = click.option(
    "--ca-file",
    envvar=CA_FILE,
    show_envvar=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Trust these certificate authorities, in addition to those of the system.",
)
_ON_BEHALF_OF = click.option(
    "--on-behalf-of",
    envvar="REGCRED_ON_BEHALF_OF",
    metavar="USER",
    help="The user that you act for; recorded in the audit trail.",
)


def _apply_profile(context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Use the profile for settings that neither options nor environment define: click's `default_map`."""
    try:
        profile = read_profiles(config_path(os.environ)).chosen(name)
    except ClientError as error:
        if context.resilient_parsing:  # completion must not print into the command line
            return name
        raise _failed(error) from None
    if profile is not None:
        values = {
            "address": profile.address,
            "account": profile.account,
            "allow_http": profile.allow_http,
            "ca_file": profile.ca_file,
        }
        context.default_map = {key: value for key, value in values.items() if value is not None}
        context.meta[_TOKEN_FILE] = profile.token_file
    return name


_PROFILE = click.option(
    "--profile",
    envvar="REGCRED_PROFILE",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_apply_profile,
    help="One of `regcred profiles list`.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print only the JSON of the API.")


@dataclass(frozen=True, slots=True)
class CliSession:
    """One run of a command. `account` is empty for a command that does not belong to an account."""

    api: ApiClient
    account: str
    as_json: bool

    def path(self, *segments: str) -> str:
        """A path of this account."""
        return account_path(self.account, *segments)


Command = Callable[Concatenate[CliSession, P], None]


def of_account(command: Command[P]) -> Callable[..., None]:
    """Decorate a command of an account. It is called with a `CliSession`, then its own parameters."""
    return _of_a_server(_ACCOUNT(_run(command)))


def of_no_account(command: Command[P]) -> Callable[..., None]:
    """Like `of_account`, for a command that does not belong to an account."""
    return _of_a_server(_run(command))


def connection_of(context: click.Context) -> Connection:
    """Return the connection of the options, the environment and the profile. Raises `ConfigurationError`.

    `token_file`, `allow_http` and `ca_file` of a profile are ignored if the address does not come from the
    profile.
    """
    given = context.params

    def applies(name: str) -> bool:
        return _is_from_profile(context, "address") or not _is_from_profile(context, name)

    return connection(
        given["address"],
        os.environ,
        allow_http=bool(given["allow_http"]) and applies("allow_http"),
        token_file=_profile_token_file(context),
        ca_file=given["ca_file"] if applies("ca_file") else None,
        on_behalf_of=given.get("on_behalf_of"),
    )


def token_file_of(context: click.Context) -> Path:
    """Return the file that `connection_of` reads the token from."""
    return token_path(os.environ, _profile_token_file(context))


def _profile_token_file(context: click.Context) -> Path | None:
    return context.meta.get(_TOKEN_FILE) if _is_from_profile(context, "address") else None


def _is_from_profile(context: click.Context, parameter: str) -> bool:
    return context.get_parameter_source(parameter) is ParameterSource.DEFAULT_MAP


def connect(server: Connection, *, repeats: Repeats | None = None, seconds: float | None = None) -> ApiClient:
    """Return a client of the API of `server`. `seconds` limits a request to less than the default."""
    # The import of httpx2 is a third of the start of the program. Help and most of completion do not need it.
    from regcred.apiclient.over_httpx import api_client  # noqa: PLC0415

    return api_client(server, repeats=repeats, seconds=seconds)


def _of_a_server(command: _F) -> _F:
    for option in (_PROFILE, _ADDRESS, _CA_FILE, _ALLOW_HTTP, _ON_BEHALF_OF, _JSON):
        command = option(command)
    return command


def _run(command: Command[P]) -> Callable[..., None]:
    @wraps(command)
    def run(*, as_json: bool, account: str = "", **own: Any) -> None:
        for name in ("address", "allow_http", "ca_file", "on_behalf_of"):
            del own[name]  # `connection_of` reads them from the context
        try:
            server = connection_of(click.get_current_context())
            with connect(server, repeats=Repeats(notice)) as api:
                command(CliSession(api, account, as_json), **own)  # type: ignore[call-arg]  # click passes P by name
        except ClientError as error:
            raise _failed(error) from None

    return run


def _failed(error: ClientError) -> click.exceptions.Exit:
    """Print the error and return the exit that follows."""
    if isinstance(error, ApiProblem):
        for line in problem_lines(error, _labels()):
            click.echo(line, err=True)
    else:
        click.echo(f"regcred: {shown(str(error))}", err=True)
    return click.exceptions.Exit(FAILED)


def _labels() -> list[tuple[str, str]]:
    """The parameters of the running command: name, and label on the command line."""
    return [
        (parameter.name, _label(parameter))
        for parameter in click.get_current_context().command.params
        if parameter.name
    ]


def _label(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name
