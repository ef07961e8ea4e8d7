"""Reads a secret from a file, from stdin or from a hidden prompt, never from an argument.

Other users of the machine can see arguments (`ps`), and shells store them in their histories.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from regcred.apiclient.secret import Secret
from regcred.cli.errors import SecretUnreadable
from regcred.cli.secret_kinds import KEY_KINDS, KeyField, KeyKind

MAX_BYTES = 1024 * 1024  # a config.json with many logins has a few KiB; a wrong file is often larger
STDIN = "-"
_F = TypeVar("_F", bound=Callable[..., object])

_PASSWORDS = ("password_stdin", "password_file")
_SOURCES = (*_PASSWORDS, "keyfile", "docker_config")
_SOURCE = click.Path(dir_okay=False, allow_dash=True)


def secret_options(command: _F) -> _F:
    """Add the options that `credential_of` reads: the kind of the secret and its source."""
    for option in reversed(
        (
            *_key_options(),
            click.option(
                "--password-stdin", is_flag=True, help="Read the password, token or secret key from stdin."
            ),
            click.option(
                "--password-file", type=_SOURCE, metavar="FILE", help="Read it from a file; - is stdin."
            ),
            click.option(
                "--keyfile",
                type=_SOURCE,
                metavar="FILE",
                help="A Google service account's JSON key file; - is stdin.",
            ),
            click.option(
                "--docker-config",
                type=_SOURCE,
                metavar="FILE",
                help="A Docker config.json with one usable login; - is stdin.",
            ),
        )
    ):
        command = option(command)
    return command


def credential_of(
    sources: Mapping[str, Any], *, username: str | None, default_username: str | None = None
) -> dict[str, Any]:
    """Return the `credential` of a request body from the options of `secret_options`.

    `username` is the one on the command line, `default_username` the default. Without a source, the command
    prompts for a password on the terminal.

    Raises:
        click.UsageError: there are several sources, or none and no terminal.
        SecretUnreadable: the source cannot be read or has invalid content.
    """
    kinds = [kind for kind in KEY_KINDS if any(sources.get(name) for name in map(_option_of, kind.fields))]
    given = [name for name in _SOURCES if sources.get(name)]
    if kinds:
        return _keys(kinds, given, sources, username=username, default_username=default_username)
    if len(given) > 1:
        named = " and ".join(_option(name) for name in given)
        raise click.UsageError(f"{named} cannot be combined: there is one secret")
    kind = given[0] if given else "prompt"
    if kind in {"keyfile", "docker_config"}:
        if username is not None:
            raise click.UsageError(f"{_option(kind)} contains the username: remove --username")
        return {"kind": kind, kind: read_document(sources[kind])}
    user = username if username is not None else default_username
    if kind == "prompt":
        password = _prompt(f"Password or token of {user}" if user else "Password or token")
    else:
        password = read_password(_source_of(kind, sources))
    return {"kind": "username_password", **({"username": user} if user else {}), "password": password}


def _key_options() -> Iterator[Callable[[_F], _F]]:
    """Options for kinds with several values: one for each value; a second secret comes from a file."""
    for kind in KEY_KINDS:
        for field in kind.fields:
            if field is _main_secret(kind):
                continue
            of = f"{kind.name}: {field.label.lower()}. {field.help}"
            if field.secret:
                yield click.option(_option(_option_of(field)), type=_SOURCE, metavar="FILE", help=of)
            else:
                yield click.option(_option(_option_of(field)), metavar="ID", help=of)


def _keys(
    kinds: Sequence[KeyKind],
    given: Sequence[str],
    sources: Mapping[str, Any],
    *,
    username: str | None,
    default_username: str | None,
) -> dict[str, Any]:
    """The body of a kind with several values. `default_username` fills its username field by default."""
    named = [_option_of(field) for kind in kinds for field in kind.fields if sources.get(_option_of(field))]
    others = [name for name in given if name not in _PASSWORDS] + (["username"] if username else [])
    if len(kinds) > 1 or others or len(given) > 1:
        wrong = " and ".join(map(_option, [*named, *others, *(given if len(given) > 1 else [])]))
        raise click.UsageError(f"{wrong} cannot be combined: there is one secret")
    (kind,) = kinds
    body: dict[str, Any] = {"kind": kind.id}
    for field in kind.fields:
        value = sources.get(_option_of(field)) or (default_username if field.user else None)
        if field is _main_secret(kind):
            body[field.name] = read_password(_source_of(given[0], sources)) if given else _prompt(field.label)
        elif field.secret:
            if value and given and STDIN == value == _source_of(given[0], sources):
                raise click.UsageError("only one secret can come from stdin")
            if value:
                body[field.name] = read_password(value)
        elif value:
            body[field.name] = value
        else:
            raise click.UsageError(f"{_option(_option_of(field))} is also required")
    return body


def _main_secret(kind: KeyKind) -> KeyField:
    """The first secret field, which the options for a password fill."""
    return next(field for field in kind.fields if field.secret)


def _option_of(field: KeyField) -> str:
    return f"{field.name}_file" if field.secret else field.name


def _source_of(name: str, sources: Mapping[str, Any]) -> str:
    return STDIN if name == "password_stdin" else str(sources[name])


def read_password(source: str) -> Secret:
    """Read the file, or stdin for `-`, without one newline at the end."""
    text = _read(source)
    for newline in ("\r\n", "\n"):
        if text.endswith(newline):
            text = text.removesuffix(newline)
            break
    if not text:
        raise SecretUnreadable(f"{_name(source)} contains no password")
    return Secret(text)


def read_document(source: str) -> Secret:
    """Read a document with a secret. The API checks that it is valid JSON."""
    text = _read(source)
    if not text.strip():
        raise SecretUnreadable(f"{_name(source)} is empty")
    return Secret(text)


def _read(source: str) -> str:
    try:
        if source == STDIN:
            data = _bounded(sys.stdin.buffer)
        else:
            with Path(source).open("rb") as file:
                data = _bounded(file)
    except OSError as error:
        raise SecretUnreadable(f"{_name(source)}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise SecretUnreadable(f"{_name(source)} is larger than 1 MiB: is it the right file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the original error contains the bytes.
        raise SecretUnreadable(f"{_name(source)} is not UTF-8 text: is it the right file?") from None


def _bounded(file: BinaryIO) -> bytes:
    return file.read(MAX_BYTES + 1)


def _prompt(what: str) -> Secret:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "the source of the secret is missing: use --password-stdin, --password-file, --keyfile or "
            "--docker-config; there is a prompt only on a terminal"
        )
    return Secret(click.prompt(what, hide_input=True, err=True))


def _name(source: str) -> str:
    return "stdin" if source == STDIN else source


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
