"""The reference of the commands of `regcred`, generated from the program. `docs/cli.md` is the guide."""

import inspect
from collections.abc import Iterator

import click

_HEAD = """\
# Commands

Every command and option, as `--help` shows them. See [](cli.md) for their use, exit codes and secrets.
"""


def command_page(program: click.Command) -> str:
    """Return the page in Markdown."""
    context = click.Context(program, info_name="regcred")
    return "\n".join((_HEAD, *_sections(program, context)))


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}\n" if context.parent else ""
    if context.parent:
        yield f"{_help(command)}\n"
        yield f"```text\n{context.command_path} {pieces}\n```\n"
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    records = [record for one in options if (record := one.get_help_record(context))]
    if records and context.parent:
        yield "| option | |\n|---|---|"
        for names, text in records:
            yield f"| `{_cell(names)}` | {_cell(text)} |"
        yield ""
    if command.epilog and context.parent:
        yield "```text\n" + inspect.cleandoc(command.epilog.replace("\b\n", "")) + "\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _sections(inner, click.Context(inner, info_name=name, parent=context))


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "").partition("\f")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
