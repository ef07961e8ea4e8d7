"""Servers by name, for those who use several: `config.toml` in `~/.config/regcred` (or `XDG_CONFIG_HOME`).

    default = "prod"

    [profiles.prod]
    address = "https://regcred.example.com"
    account = "acme"
    token_file = "~/.config/regcred/prod.token"
    allow_http = false

What an option or the environment says wins over a profile. `token_file` and `allow_http` hold for its
address alone: a token is shown to no server but its own. The token itself never stands in this file.
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
_KINDS: Mapping[str, type] = {"address": str, "account": str, "token_file": str, "allow_http": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One server; `None` is what the profile does not say. `token_file` has its `~` expanded."""

    name: str
    address: str | None = None
    account: str | None = None
    token_file: Path | None = None
    allow_http: bool | None = None


@dataclass(frozen=True, slots=True)
class Profiles:
    """All of the file; `default` is the one that is used where nobody names another."""

    path: Path
    default: str | None = None
    by_name: Mapping[str, Profile] = field(default_factory=dict)

    def named(self, name: str) -> Profile:
        """Raises `ConfigurationError` where there is none of that name."""
        if name in self.by_name:
            return self.by_name[name]
        known = ", ".join(self.by_name) or "none"
        raise ConfigurationError(f"there is no profile {name!r} in {self.path}; there is {known}")

    def chosen(self, name: str | None) -> Profile | None:
        """The profile of that name; without a name the default, which need not be there."""
        wanted = name or self.default
        return self.named(wanted) if wanted else None


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the profiles are, whether there are any or not."""
    folder = environment.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "regcred" / "config.toml"


def read_profiles(path: Path) -> Profiles:
    """The profiles; none where there is no such file.

    Raises:
        ConfigurationError: it cannot be read or understood. Values are not quoted: one may be a token.
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
    """Make it the default; everything else in the file stays as it was written.

    Raises:
        ConfigurationError: there is none of that name, or the file cannot be understood.
        OutputUnwritable: the file cannot be replaced.
    """
    read_profiles(path).named(name)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    top = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[:top] if not _DEFAULT_LINE.match(line)]
    text = "".join([f'default = "{name}"\n', *kept, *lines[top:]])
    if _parsed(path, text).default != name:
        raise ConfigurationError(f"{path} is written in a way that cannot be edited: set `default` by hand")
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
        raise ConfigurationError(f"{where}: a token must not stand in this file; token_file names its file")
    _refuse_others(where, table, _KINDS)
    for key, value in table.items():
        if type(value) is not _KINDS[key]:
            wanted = "true or false" if _KINDS[key] is bool else "a text in quotes"
            raise ConfigurationError(f"{where}: {key} must be {wanted}")
    token_file = table.get("token_file")
    if table.get("address") and not token_file:
        # The token of `regcred up` on this machine must not go to another one because nothing else was named.
        raise ConfigurationError(f"{where}: an address needs the token_file that belongs to it")
    return Profile(
        name=name,
        address=table.get("address"),
        account=table.get("account"),
        token_file=Path(token_file).expanduser() if token_file else None,
        allow_http=table.get("allow_http"),
    )


def _refuse_others(where: object, table: Mapping[str, Any], known: Mapping[str, type] | set[str]) -> None:
    other = sorted(set(table) - set(known))
    if other:
        raise ConfigurationError(f"{where}: {', '.join(other)} is not known; there is {', '.join(known)}")
