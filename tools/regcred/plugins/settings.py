"""Settings of a plugin: a file that is named by an argument, otherwise the environment, otherwise a file.

The file is for installations in which Docker or the kubelet starts the plugin without these variables. It is
TOML. Its names are those of the variables, without `REGCRED_` and in lower case:

    address = "https://regcred.example.com"
    token_file = "node.token"                # relative to this file, or an absolute path
    account = "acme"
    project = "shop"
    workload = "deployment/storefront"       # default: host/<name of the machine>
    operation = "push"                       # for builders; default: pull
    ca_file = "ca.crt"                       # authorities in addition to those of the system; like token_file

A node of a cluster with several accounts has a table for each of them, with the settings that differ. The
service account of a pod can select one of these accounts, and no other. `account` is then the one of pods
that select none; without it their pulls are refused.

    [accounts.acme]
    token_file = "acme.token"

    [accounts.umbrella]
    token_file = "umbrella.token"
    project = "lab"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regcred.apiclient.errors import ConfigurationError
from regcred.apiclient.settings import DEFAULT_ADDRESS, TOKEN_FILE, Connection, connection
from regcred.apiclient.trust import CA_FILE

CONFIG_FILE = "REGCRED_HELPER_CONFIG"
_ACCOUNT, _ACCOUNTS = "REGCRED_ACCOUNT", "accounts"
_BOOLEANS = ("allow_http", "allow_not_eligible")
_OF_ACCOUNT = ("token_file", "project", "credential", "allow_not_eligible")
_NAMES = (
    "address",
    "token_file",
    "account",
    "project",
    "workload",
    "credential",
    "operation",
    *_BOOLEANS,
    "ca_file",
)
_OPERATIONS = ("pull", "push")
_YES = {"1", "true", "yes", "on"}
_NO = {"", "0", "false", "no", "off"}
_MAX_FILE = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class _File:
    """A file as variables: those for every account, and those of each account."""

    settings: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The project and workload that pull or push an image, with their connection to regcred."""

    connection: Connection
    account: str
    project: str
    workload_kind: str
    workload_name: str
    operation: str  # pull or push
    credential: str | None  # name or id of the one to use for its registry
    allow_not_eligible: bool  # pull without a login if the project may use none of the credentials


def read_caller(
    environment: Mapping[str, str],
    *,
    hostname: str,
    config: Path | None = None,
    overrides: Mapping[str, str | None] | None = None,
) -> Caller:
    """Read the settings.

    `config` is a file that the user named by an argument, and takes precedence over the environment. Without
    it, the environment takes precedence over the file that `REGCRED_HELPER_CONFIG` names, otherwise over the
    file of the user. Values of `overrides` take precedence over both; an account of theirs must be one of
    the file.

    Raises:
        ConfigurationError: a required setting is missing, or a setting is invalid.
    """
    file = config or _named_file(environment)
    of_file = _read(file) if file else _File()
    layers = [environment, of_file.settings] if config else [of_file.settings, environment]
    settings: dict[str, str] = {}
    for layer in layers:
        settings.update({name: value for name, value in layer.items() if value})
    selected = {name: value for name, value in (overrides or {}).items() if value is not None}
    account = _selected_account(settings.get(_ACCOUNT), selected.pop(_ACCOUNT, None), of_file, file)
    settings.update({**account, **of_file.accounts.get(account.get(_ACCOUNT, ""), {})})
    settings.update({name: value for name, value in selected.items() if value})
    _needed(settings, _ACCOUNT, file)  # before the token, which is that of the account
    kind, slash, name = settings.get("REGCRED_WORKLOAD", f"host/{hostname}").partition("/")
    if not (kind and slash and name):
        raise ConfigurationError("REGCRED_WORKLOAD must look like deployment/storefront")
    return Caller(
        connection=connection(
            settings.get("REGCRED_ADDRESS", DEFAULT_ADDRESS),
            settings,
            allow_http=_is_true(settings, "REGCRED_ALLOW_HTTP"),
            ca_file=Path(settings[CA_FILE]) if CA_FILE in settings else None,
        ),
        account=_needed(settings, "REGCRED_ACCOUNT", file),
        project=_needed(settings, "REGCRED_PROJECT", file),
        workload_kind=kind,
        workload_name=name,
        operation=_operation(settings),
        credential=settings.get("REGCRED_CREDENTIAL"),
        allow_not_eligible=_is_true(settings, "REGCRED_ALLOW_NOT_ELIGIBLE"),
    )


def _selected_account(
    default: str | None, selected: str | None, of_file: _File, file: Path | None
) -> dict[str, str]:
    """Return the variable of the account: the one that the pod selects, if the file has it, or the default.

    Raises:
        ConfigurationError: the file does not have the selected account.
    """
    if selected is not None and selected != default and selected not in of_file.accounts:
        raise ConfigurationError(
            f"the service account selects an account that {file or 'the configuration'} does not have"
        )
    account = default if selected is None else selected
    return {_ACCOUNT: account} if account else {}


def _operation(settings: Mapping[str, str]) -> str:
    text = settings.get("REGCRED_OPERATION", "pull")
    if text not in _OPERATIONS:
        raise ConfigurationError("REGCRED_OPERATION must be pull or push")
    return text


def _is_true(settings: Mapping[str, str], name: str) -> bool:
    text = settings.get(name, "").lower()
    if text not in _YES | _NO:
        raise ConfigurationError(f"{name} must be true or false")
    return text in _YES


def _named_file(environment: Mapping[str, str]) -> Path | None:
    """The file that the environment names, otherwise the file of the user if it exists."""
    if named := environment.get(CONFIG_FILE):
        return Path(named)
    if base := environment.get("XDG_CONFIG_HOME"):
        own = Path(base, "regcred", "helper.toml")
    elif home := environment.get("HOME"):
        own = Path(home, ".config", "regcred", "helper.toml")
    else:
        return None
    return own if own.exists() else None


def _read(file: Path) -> _File:
    """Read the file. Messages do not quote its values."""
    try:
        with file.open("rb") as opened:
            values = tomllib.loads(opened.read(_MAX_FILE).decode())
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(f"{file} is not TOML") from None
    accounts = values.pop(_ACCOUNTS, {})
    if not isinstance(accounts, dict) or not all(isinstance(one, dict) for one in accounts.values()):
        raise ConfigurationError(f"{file}: {_ACCOUNTS} must have a table for each account")
    if "" in accounts:
        raise ConfigurationError(f"{file}: {_ACCOUNTS} has a table without a name")
    return _File(
        settings=_variables(values, file, _NAMES, ""),
        accounts={
            name: _variables(table, file, _OF_ACCOUNT, f"{_ACCOUNTS}.{name}.")
            for name, table in accounts.items()
        },
    )


def _variables(
    values: Mapping[str, object], file: Path, known: tuple[str, ...], table: str
) -> dict[str, str]:
    """Return the entries of a table as variables. `table` is its name with a dot, for messages."""
    settings = {}
    for name, value in values.items():
        if name not in known:
            where = f" in {table.rstrip('.')}" if table else ""
            raise ConfigurationError(f"{file} has an unknown entry{where}; known are {', '.join(known)}")
        if not isinstance(value, bool if name in _BOOLEANS else str):
            wanted = "true or false" if name in _BOOLEANS else "text in quotes"
            raise ConfigurationError(f"{file}: {table}{name} must be {wanted}")
        if table and value == "":  # it would not replace the one outside of the table
            raise ConfigurationError(f"{file}: {table}{name} must not be empty")
        settings[f"REGCRED_{name.upper()}"] = str(value)
    for name in (TOKEN_FILE, CA_FILE):
        if name in settings:
            settings[name] = str(file.parent / Path(settings[name]).expanduser())
    return settings


def _needed(settings: Mapping[str, str], name: str, file: Path | None) -> str:
    value = settings.get(name)
    if not value:
        entry = name.removeprefix("REGCRED_").lower()
        where = f"{entry} in {file}" if file else f"{entry} in a file that {CONFIG_FILE} names"
        raise ConfigurationError(f"no {entry}: set {name}, or {where}")
    return value
