"""Named servers, for users of several: `config.toml` in `~/.config/regcred` or `XDG_CONFIG_HOME`.

    default = "prod"

    [profiles.prod]
    address = "https://regcred.example.com"
    account = "acme"
    token_file = "~/.config/regcred/prod.token"
    allow_http = false
    ca_file = "~/.config/regcred/prod-ca.crt"

Options and the environment take precedence over a profile. `token_file`, `allow_http` and `ca_file` apply
only to the address of the profile, so that a token is sent to no other server. The file does not contain the
token itself.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regcred.apiclient.errors import ConfigurationError
from regcred.cli.files import replacing

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_DEFAULT_LINE = re.compile(r"\s*default\s*=")
_KINDS: Mapping[str, type] = {
    "address": str,
    "account": str,
    "token_file": str,
    "allow_http": bool,
    "ca_file": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One server. Settings that the profile does not have are `None`. A `~` in a path is expanded."""

    name: str
    address: str | None = None
    account: str | None = None
    token_file: Path | None = None
    allow_http: bool | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Profiles:
    """The content of the file. `default` is the name of the profile that is used without `--profile`."""

    path: Path
    default: str | None = None
    by_name: Mapping[str, Profile] = field(default_factory=dict)

    def named(self, name: str) -> Profile:
        """Return the profile of this name. Raises `ConfigurationError` if there is none."""
        if name in self.by_name:
            return self.by_name[name]
        known = ", ".join(self.by_name) or "none"
        raise ConfigurationError(f"there is no profile {name!r} in {self.path}; profiles: {known}")

    def chosen(self, name: str | None) -> Profile | None:
        """Return the profile of this name, or without a name the default profile, if there is one."""
        wanted = name or self.default
        return self.named(wanted) if wanted else None


def config_path(environment: Mapping[str, str]) -> Path:
    """The path of the file. The file need not exist."""
    folder = environment.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "regcred" / "config.toml"


def read_profiles(path: Path) -> Profiles:
    """Read the profiles. Without a file there are none.

    Raises:
        ConfigurationError: the file cannot be read or is invalid. The message quotes no value, because a
            value may be a token.
    """
    try:
        return _parsed(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profiles(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text") from None


def use_profile(path: Path, name: str) -> None:
    """Make this profile the default, without other changes to the file.

    Raises:
        ConfigurationError: there is no profile of that name, or the file is invalid.
        OutputUnwritable: the file cannot be replaced.
    """
    read_profiles(path).named(name)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    top = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    others = [line for line in lines[:top] if not _DEFAULT_LINE.match(line)]
    text = "".join([f'default = "{name}"\n', *others, *lines[top:]])
    if _parsed(path, text).default != name:
        raise ConfigurationError(f"regcred cannot edit the layout of {path}: set `default` by hand")
    with replacing(path) as file:
        file.write(text.encode())


def _parsed(path: Path, text: str) -> Profiles:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    tables, default = document.get("profiles", {}), document.get("default")
    _refuse_others(path, document, {"profiles", "default"})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigurationError(f"{path}: a profile is a table, [profiles.NAME]")
    if default is not None and not (isinstance(default, str) and default in tables):
        raise ConfigurationError(f"{path}: `default` must name one of the profiles")
    return Profiles(path, default, {name: _profile(path, name, table) for name, table in tables.items()})


def _profile(path: Path, name: str, table: Mapping[str, Any]) -> Profile:
    where = f"{path}, profile {name}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{where}: names are letters, digits, hyphens and underscores")
    if "token" in table:
        raise ConfigurationError(f"{where}: a token must not be in this file; token_file names its file")
    _refuse_others(where, table, _KINDS)
    for key, value in table.items():
        if type(value) is not _KINDS[key]:
            wanted = "true or false" if _KINDS[key] is bool else "text in quotes"
            raise ConfigurationError(f"{where}: {key} must be {wanted}")
    token_file, ca_file = table.get("token_file"), table.get("ca_file")
    if table.get("address") and not token_file:
        # Otherwise the token of `regcred up` on this machine would be sent to another server.
        raise ConfigurationError(f"{where}: an address needs a token_file")
    return Profile(
        name=name,
        address=table.get("address"),
        account=table.get("account"),
        token_file=Path(token_file).expanduser() if token_file else None,
        allow_http=table.get("allow_http"),
        ca_file=Path(ca_file).expanduser() if ca_file else None,
    )


def _refuse_others(where: object, table: Mapping[str, Any], known: Mapping[str, type] | set[str]) -> None:
    other = sorted(set(table) - set(known))
    if other:
        raise ConfigurationError(f"{where}: {', '.join(other)} is not known; settings: {', '.join(known)}")
