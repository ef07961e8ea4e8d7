"""Groups that import a command when it runs, so that no command waits for the imports of another."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, cast

import click
from click.shell_completion import CompletionItem

from regcred.cli.stop_signals import interrupted_by_stop_signals


class Lazy(NamedTuple):
    """A command as `module:attribute`, with its line in the help of the group."""

    target: str
    short_help: str


class LazyGroup(click.Group):
    """A group with commands that are imported on use (`lazy`), in addition to ordinary commands.

    The help of the group and the completion of command names import none of the lazy commands. A command
    whose packages are not installed fails with a message and exit code 1.
    """

    def __init__(self, *arguments: Any, lazy: Mapping[str, Lazy], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lazy = lazy

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        """Run the command of this process. Stop signals interrupt it."""
        with interrupted_by_stop_signals():
            return super().__call__(*arguments, **more)

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
                raise  # a wrong import in an installed package
            if ctx.resilient_parsing:  # completion must not print into the command line
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
    """A group with a default command, which is its first one.

    `regcred audit --since 24h` means `regcred audit list --since 24h`.
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
