"""Every command of `regcred` with its options, from the program; `docs/cli.md` tells what they are for."""

import inspect
from collections.abc import Iterator

import click

_HEAD = """\
# Commands

Every command and option, as `--help` shows them. What they are for, exit codes and secrets: [](cli.md).
"""


def command_page(program: click.Command) -> str:
    """The page, in Markdown."""
    context = click.Context(program, info_name="regcred")
    return "\n".join((_HEAD, *_told(program, context)))


def _told(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}\n" if context.parent else ""
    if context.parent:
        yield f"{_help(command)}\n"
        yield f"```text\n{context.command_path} {pieces}\n```\n"
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    told = [record for one in options if (record := one.get_help_record(context))]
    if told and context.parent:
        yield "| option | |\n|---|---|"
        for names, said in told:
            yield f"| `{_cell(names)}` | {_cell(said)} |"
        yield ""
    if command.epilog and context.parent:
        yield "```text\n" + inspect.cleandoc(command.epilog.replace("\b\n", "")) + "\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _told(inner, click.Context(inner, info_name=name, parent=context))


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "").partition("\f")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
