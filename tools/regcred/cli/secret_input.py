"""How a secret comes in: a file, stdin, or a hidden prompt. Never an argument.

Everybody on the machine sees arguments (`ps`), and shells keep them in their histories.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from regcred.apiclient.secret import Secret
from regcred.cli.errors import SecretUnreadable
from regcred.cli.secret_kinds import KEY_KINDS, KeyField, KeyKind

MAX_BYTES = 1024 * 1024  # a config.json with many logins is some KiB; a wrong file is often larger
STDIN = "-"
_F = TypeVar("_F", bound=Callable[..., object])

_PASSWORDS = ("password_stdin", "password_file")
_PLACES = (*_PASSWORDS, "keyfile", "docker_config")
_SOURCE = click.Path(dir_okay=False, allow_dash=True)


def secret_options(command: _F) -> _F:
    """The options that say what the secret is, and where; `credential_of` takes what they give."""
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
    sources: Mapping[str, Any], *, username: str | None, otherwise: str | None = None
) -> dict[str, Any]:
    """The `credential` of a request's body, from the options of `secret_options`.

    `username` was given with the command; `otherwise` is the one that stands if none was. Without any source,
    a person at a terminal is asked for a password.

    Raises:
        click.UsageError: several sources, or none and nobody to ask.
        SecretUnreadable: the source does not hold what it should.
    """
    kinds = [kind for kind in KEY_KINDS if any(sources.get(name) for name in map(_option_of, kind.fields))]
    given = [name for name in _PLACES if sources.get(name)]
    if kinds:
        return _keys(kinds, given, sources, username=username, otherwise=otherwise)
    if len(given) > 1:
        named = " and ".join(_option(name) for name in given)
        raise click.UsageError(f"{named} cannot be combined: there is one secret")
    kind = given[0] if given else "prompt"
    if kind in {"keyfile", "docker_config"}:
        if username is not None:
            raise click.UsageError(f"{_option(kind)} names the user itself: leave out --username")
        return {"kind": kind, kind: read_document(sources[kind])}
    user = username if username is not None else otherwise
    if kind == "prompt":
        password = _ask(f"Password or token of {user}" if user else "Password or token")
    else:
        password = read_password(_place(kind, sources))
    return {"kind": "username_password", **({"username": user} if user else {}), "password": password}


def _key_options() -> Iterator[Callable[[_F], _F]]:
    """Of kinds that are made of several values: an option for each, a file for a second secret."""
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
    otherwise: str | None,
) -> dict[str, Any]:
    """A kind that is made of several values. The id that a credential shows stands where none was given."""
    named = [_option_of(field) for kind in kinds for field in kind.fields if sources.get(_option_of(field))]
    others = [name for name in given if name not in _PASSWORDS] + (["username"] if username else [])
    if len(kinds) > 1 or others or len(given) > 1:
        wrong = " and ".join(map(_option, [*named, *others, *(given if len(given) > 1 else [])]))
        raise click.UsageError(f"{wrong} cannot be combined: there is one secret")
    (kind,) = kinds
    body: dict[str, Any] = {"kind": kind.id}
    for field in kind.fields:
        value = sources.get(_option_of(field)) or (otherwise if field.user else None)
        if field is _main_secret(kind):
            asked = field.label
            body[field.name] = read_password(_place(given[0], sources)) if given else _ask(asked)
        elif field.secret:
            if value and given and STDIN == value == _place(given[0], sources):
                raise click.UsageError("only one secret can come from stdin")
            if value:
                body[field.name] = read_password(value)
        elif value:
            body[field.name] = value
        else:
            raise click.UsageError(f"{_option(_option_of(field))} is needed too")
    return body


def _main_secret(kind: KeyKind) -> KeyField:
    """The one that takes the password's place."""
    return next(field for field in kind.fields if field.secret)


def _option_of(field: KeyField) -> str:
    return f"{field.name}_file" if field.secret else field.name


def _place(name: str, sources: Mapping[str, Any]) -> str:
    return STDIN if name == "password_stdin" else str(sources[name])


def read_password(source: str) -> Secret:
    """The whole of the file or stdin (`-`), but for exactly one newline at its end."""
    text = _read(source)
    for newline in ("\r\n", "\n"):
        if text.endswith(newline):
            text = text.removesuffix(newline)
            break
    if not text:
        raise SecretUnreadable(f"{_name(source)} holds no password")
    return Secret(text)


def read_document(source: str) -> Secret:
    """The text of a JSON document that holds a secret; whether it is one, the API says."""
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
        raise SecretUnreadable(f"{_name(source)} holds more than 1 MiB: is it the right one?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the original carries the bytes.
        raise SecretUnreadable(f"{_name(source)} is not UTF-8 text: is it the right one?") from None


def _bounded(file: BinaryIO) -> bytes:
    return file.read(MAX_BYTES + 1)


def _ask(what: str) -> Secret:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "where is the secret? --password-stdin, --password-file, --keyfile or --docker-config; "
            "only a terminal can be asked for it"
        )
    return Secret(click.prompt(what, hide_input=True, err=True))


def _name(source: str) -> str:
    return "stdin" if source == STDIN else source


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
