"""Reads one entry of a Docker configuration as Docker and Kubernetes clients read it.

Forms that these read differently are refused. No program is run: `credsStore` and `credHelpers` name programs
on the machine of the file, and their entries contain no secret.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from chassis.invalid_input import InvalidInput
from chassis.secret import Secret
from registries.catalogue import IDENTITY_TOKEN_USERNAME, KEYFILE_USERNAME, username_problem
from registries.errors import InvalidHost, InvalidPrefix
from registries.hosts import DOCKER_HUB_CONFIG_KEY, canonical_host, parse_config_key
from registries.input.keyfile import read_keyfile
from registries.input.repository_prefix import read_prefix
from registries.json_document import decode_base64
from registries.logins.registry_login import RegistryLogin

MAX_PASSWORD = 64 * 1024

LOGIN_FIELDS = ("auth", "username", "password", "identitytoken", "registrytoken")
# Docker's browser login stores its OAuth tokens under these names, next to the entry for the registry
# (docker/cli).
_HUB_SESSION_KEYS = frozenset(DOCKER_HUB_CONFIG_KEY + name for name in ("access-token", "refresh-token"))
_KEYFILE_USERNAMES = frozenset({KEYFILE_USERNAME, "_json_key_base64"})
IN_HELPER = (
    "its secret is in the credential store of the computer (credsStore or credHelpers), not in this file; "
    "enter username and token instead"
)

EntryProblem = Literal["unsupported", "invalid", "repeated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """One entry. It has either a `login`, or a `problem` with a `reason`.

    Problems: `unsupported`, the entry has no secret that can be stored; `invalid`, the entry is not a valid
    login; `repeated`, another entry has the same login for the same repositories and is used.

    `key` is the key in the file, after the name of the Secret if there are several. A key that is not a host
    could be a secret, so it is replaced by `entry N`, and `host` is `None`. `host` is canonical
    (`docker.io`). `path_prefix` is `project` for the key `gcr.io/project`. `pointer` is the JSON pointer of
    the entry in the request.
    """

    key: str
    host: str | None
    path_prefix: str | None
    login: RegistryLogin | None
    problem: EntryProblem | None
    reason: str | None
    pointer: str


@dataclass(frozen=True, slots=True)
class Source:
    """The entries of a file. `pointer` is their JSON pointer. `inside`: each entry has a pointer below it."""

    auths: Mapping[str, Any]
    helpers: Mapping[str, Any]
    has_store: bool
    pointer: str
    inside: bool


class _UnusableEntry(Exception):
    """The entry has no login that can be stored. The message is the reason."""

    problem: EntryProblem = "invalid"


class _EntryWithoutSecret(_UnusableEntry):
    """The entry has no secret, or only a temporary one."""

    problem: EntryProblem = "unsupported"


def read_entry(source: Source, key: str, number: int) -> ConfigEntry:
    try:
        named = parse_config_key(key)
    except InvalidHost as refusal:
        return ConfigEntry(
            key=f"entry {number}",
            host=None,
            path_prefix=None,
            login=None,
            problem="invalid",
            reason=f"its key is not a registry: {refusal.detail}",
            pointer=source.pointer,
        )
    host, path = canonical_host(named.host), named.path_prefix
    login = problem = reason = None
    try:
        if path is not None:
            path = _path_prefix(path, host)
        if key in _HUB_SESSION_KEYS:
            raise _EntryWithoutSecret(
                "it is a session of Docker's browser login; create an access token instead"
            )
        login = _login(source.auths.get(key, {}), in_helper=source.has_store or key in source.helpers)
    except _UnusableEntry as error:
        problem, reason = error.problem, str(error)
    below = source.inside and key in source.auths
    return ConfigEntry(
        key=key,
        host=host,
        path_prefix=path,
        login=login,
        problem=problem,
        reason=reason,
        pointer=f"{source.pointer}/{_escaped(key)}" if below else source.pointer,
    )


def _path_prefix(path: str, host: str) -> str:
    try:
        return read_prefix(path, host)
    except InvalidPrefix as refusal:
        raise _UnusableEntry(f"the path in its key: {refusal.detail}") from None


def _login(fields: object, *, in_helper: bool) -> RegistryLogin:
    if not isinstance(fields, dict):
        raise _UnusableEntry("it must be an object")
    login_fields = {name: fields[name] for name in LOGIN_FIELDS if fields.get(name) not in (None, "")}
    for name, text in login_fields.items():
        if not isinstance(text, str):
            raise _UnusableEntry(f"{name}: must be a text")
    if "identitytoken" in login_fields:
        return _identity_token(login_fields["identitytoken"])
    if "auth" in login_fields:
        username, password = _decoded(login_fields["auth"])
        if (
            login_fields.get("username", username) != username
            or login_fields.get("password", password) != password
        ):
            raise _UnusableEntry("auth and username with password differ")
    elif "username" in login_fields and "password" in login_fields:
        username, password = login_fields["username"], login_fields["password"]
    elif "username" in login_fields or "password" in login_fields:
        raise _UnusableEntry("username and password are needed, both of them")
    elif "registrytoken" in login_fields:
        raise _EntryWithoutSecret("a registrytoken expires within minutes or hours, so it is not stored")
    else:
        raise _EntryWithoutSecret(IN_HELPER if in_helper else "it contains no secret")
    return _checked(username, password)


def _decoded(auth: str) -> tuple[str, str]:
    """`user:password` from base64, with or without padding. Docker may append NULs to the password."""
    decoded = decode_base64(auth)
    if decoded is None:
        raise _UnusableEntry("auth: not valid base64")
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        raise _UnusableEntry("auth: not valid UTF-8") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise _UnusableEntry("auth: must contain username and password, separated by a colon")
    return username, password.rstrip("\0")


def _checked(username: str, password: str) -> RegistryLogin:
    if not password:
        raise _UnusableEntry("its password is empty")
    if len(password) > MAX_PASSWORD:
        raise _UnusableEntry("its password is too long")
    if username == IDENTITY_TOKEN_USERNAME:
        return _identity_token(password)
    if username in _KEYFILE_USERNAMES:
        try:
            return read_keyfile(password)
        except InvalidInput as refusal:
            raise _UnusableEntry(f"the key file in it cannot be used: {refusal.problems[0].detail}") from None
    problem = username_problem(username)
    if problem is not None:
        raise _UnusableEntry(problem[1])
    if password.endswith(("\n", "\r")):
        raise _UnusableEntry("its password ends with a line break, which `echo` adds; use `echo -n`")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        raise _UnusableEntry("its password contains control characters")
    if username == password:
        raise _UnusableEntry(
            "its username is the secret itself, but usernames are visible; enter both separately"
        )
    return RegistryLogin(username=username, password=Secret(password))


def _identity_token(token: str) -> RegistryLogin:
    if len(token) > MAX_PASSWORD or not token.isascii() or not token.isprintable() or " " in token:
        raise _UnusableEntry("identitytoken: not a valid token")
    return RegistryLogin(username=IDENTITY_TOKEN_USERNAME, identity_token=Secret(token))


def reconciled(entries: list[ConfigEntry], *, by_username: bool = False) -> tuple[ConfigEntry, ...]:
    """Select one of several entries for the same repositories, or none if their logins differ.

    With `by_username`, entries with different usernames are independent of each other.
    """
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for index, entry in enumerate(entries):
        if entry.login is not None:
            username = entry.login.username if by_username else ""
            key = (entry.host, (entry.path_prefix or "").rstrip("/"), username)
            groups.setdefault(key, []).append(index)
    for first, *others in groups.values():
        same = all(entries[other].login == entries[first].login for other in others)
        reason = (
            f"the same login as under {entries[first].key}"
            if same
            else "several entries for this registry have different secrets; remove all but one"
        )
        problem: EntryProblem = "repeated" if same else "invalid"
        for index in others if same else (first, *others):
            entries[index] = replace(entries[index], login=None, problem=problem, reason=reason)
    return tuple(entries)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
