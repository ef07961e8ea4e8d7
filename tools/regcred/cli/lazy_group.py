"""Groups whose commands are imported when they are run: the others start without what they need."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, cast

import click
from click.shell_completion import CompletionItem


class Lazy(NamedTuple):
    """A command: `module:attribute`, and the sentence of its group's help."""

    target: str
    short_help: str


class LazyGroup(click.Group):
    """`lazy` are commands by name, beside those that are added as to any group.

    Help of the group, and completion of a command's name, import none of them. A command whose packages are
    not installed fails with a sentence and exit code 1.
    """

    def __init__(self, *arguments: Any, lazy: Mapping[str, Lazy], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].target.partition(":")
        try:
            return cast("click.Command", getattr(import_module(module), attribute))
        except ModuleNotFoundError as error:
            missing = error.name or module
            if _is_installed(missing.partition(".")[0]) and not f"{module}.".startswith(f"{missing}."):
                raise  # a mistake in an import
            if ctx.resilient_parsing:  # completion says nothing in the middle of a line
                return None
            raise click.ClickException(
                f"`{ctx.command_path} {cmd_name}` is not part of this installation: {missing} is missing"
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short_help(ctx, name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        offered = [CompletionItem(name, help=self._short_help(ctx, name)) for name in names]
        return [*offered, *click.Command.shell_complete(self, ctx, incomplete)]

    def _short_help(self, ctx: click.Context, name: str) -> str:
        if name in self.lazy:
            return self.lazy[name].short_help
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=1000) if command else ""


class DefaultGroup(LazyGroup):
    """A command that is also a group: what is not one of its commands belongs to the first one.

    `regcred audit --since 24h` is `regcred audit list --since 24h`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.list_commands(ctx), *ctx.help_option_names}
        if not args or args[0] not in own:
            args = [self.list_commands(ctx)[0], *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click calls it so
        return [*self.commands, *self.lazy]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False
