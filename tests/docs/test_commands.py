"""The commands that pages show exist. They are parsed as `regcred` parses them, and not run."""

import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from docs.website.provider_pages import provider_pages
from regcred.__main__ import main
from registries.catalogue import PROVIDERS
from tests.support.servers import ROOT

PAGES = sorted(
    (
        *ROOT.glob("*.md"),
        *ROOT.glob("libs/**/*.md"),
        *ROOT.glob("docs/**/*.md"),
    )
)
_FENCED = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:regcred|make|python -m) [^`]+)`")
_HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
_ASSIGNED = re.compile(r"[A-Z_]+=.*")
_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of the shell code of a page, as words. Substitutions are not expanded."""
    for block in _FENCED.findall(text):
        for line in re.sub(r"\\\n\s*", " ", _HEREDOC.sub("", block)).splitlines():
            yield from simple(line)
    for line in _INLINE.findall(text):
        yield from simple(" ".join(line.split()))


def simple(line: str) -> Iterator[list[str]]:
    """The commands of a line, without prefixes (variables, `exec`, the command that enters a container)."""
    lexer = shlex.shlex(line.replace("$(", "( ").replace('"(', "( "), posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*_read(lexer), ";"]:
        if set(word) <= set("|&;()"):
            yield from started(words)
            words = []
        else:
            words.append(word)


def _read(lexer: shlex.shlex) -> list[str]:
    try:
        return list(lexer)
    except ValueError:  # a quotation that continues in the next line
        return []


def started(words: Sequence[str]) -> Iterator[list[str]]:
    for place, word in enumerate(words):
        if word in {"regcred", "make", "python"} or word.endswith("/regcred"):
            before = words[:place]
            if "--entrypoint" in before or words[place:] == _READY:  # another program, or printed text
                return
            if all(_ASSIGNED.fullmatch(one) or one in _IN_FRONT or before[0] == "docker" for one in before):
                redirected = next((i for i, one in enumerate(words) if set(one) <= set("<>")), len(words))
                yield [word.rpartition("/")[2], *words[place + 1 : redirected]]
            return


_READY = ["regcred", "is", "ready", "at", "http://127.0.0.1:8080"]
_IN_FRONT = {"exec", "sudo", "time", "if", "!", "while", "until", "do", "then"}


def wrong(
    command: click.Command, arguments: Sequence[str], parent: click.Context | None = None
) -> str | None:
    """The message of click for these words. Of the values, only choices are checked."""
    context = click.Context(command, info_name=command.name, parent=parent)
    try:
        own = command.make_parser(context)
        given, rest, _order = own.parse_args(list(_default(command, context, arguments)))
        if isinstance(command, click.Group):
            if not rest:
                return None  # the text names a group
            _name, inner, further = command.resolve_command(context, rest)
            return wrong(inner, further, context) if inner else f"{rest[0]}?"
        if rest:
            return f"{context.command_path} takes no {rest[0]}"
        for parameter in command.params:
            value = given.get(parameter.name)
            if isinstance(parameter.type, click.Choice):
                for one in value if isinstance(value, (list, tuple)) else [value]:
                    if isinstance(one, str) and "…" not in one and "$" not in one:
                        parameter.type.convert(one, parameter, context)
    except click.UsageError as error:
        return error.format_message()
    return None


def _default(command: click.Command, context: click.Context, arguments: Sequence[str]) -> Sequence[str]:
    """As in `DefaultGroup`, words that name no command belong to the first command."""
    default = type(command).__name__ == "DefaultGroup"
    if (
        default
        and isinstance(command, click.Group)
        and (not arguments or arguments[0] not in command.list_commands(context))
    ):
        return [command.list_commands(context)[0], *arguments]
    return arguments


def fault(words: Sequence[str]) -> str | None:
    program, *arguments = words
    arguments = [word for word in arguments if word not in {"…", "..."}]
    if program == "regcred":
        return wrong(main, arguments)
    if program == "make":
        targets = [word for word in arguments if "=" not in word and not word.startswith("-")]
        return next((f"make {target}?" for target in targets if target not in _TARGETS), None)
    if arguments[:1] == ["-m"] and find_spec(arguments[1]) is None:
        return f"python -m {arguments[1]}?"
    return None


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_commands_of_a_page_exist(page: Path) -> None:
    found = list(commands(page.read_text(encoding="utf-8")))
    faults = {" ".join(words): said for words in found if (said := fault(words))}
    assert not faults


def test_the_commands_of_the_provider_guides_exist() -> None:
    providers = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    found = [
        words for text in provider_pages(PROVIDERS, document=providers).values() for words in commands(text)
    ]
    assert len(found) > len(PROVIDERS)
    assert not [(words, said) for words in found if (said := fault(words))]


def test_commands_are_found_in_the_cli_page() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert sum(words[0] == "regcred" for words in commands(text)) > 20


def leaf_commands(
    command: click.Command, context: click.Context, path: str
) -> Iterator[tuple[str, set[str]]]:
    """Each command that is not a group: its path below `regcred`, and its options."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaf_commands(inner, context, f"{path} {name}".strip())
    else:
        yield path, {option for parameter in command.params for option in parameter.opts}


def test_the_cli_page_names_every_command_without_json() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    [sentences] = re.findall(r"has `--json`, except\s+(.*?)\. A command whose", text, re.DOTALL)
    named = {" ".join(name.split()) for name in re.findall(r"`([a-z][^`]*)`", sentences)}
    without = {
        path for path, options in leaf_commands(main, click.Context(main), "") if "--json" not in options
    }
    assert named == without


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("regcred credentials lsit", "lsit"),
        ("regcred credentials list --colour", "--colour"),
        ("regcred credentials list --status gone", "gone"),
        ("regcred credentials list too many", "too"),
        ("FOO=1 regcred audit --since", "--since"),
        ("make everything", "everything"),
        ("python -m nowhere", "nowhere"),
    ],
)
def test_a_wrong_command_is_reported(line: str, said: str) -> None:
    [words] = simple(line)
    assert said in (fault(words) or "")
