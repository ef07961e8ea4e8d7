"""A command that is also a group: what is not one of its commands belongs to the first one."""

import click


class DefaultGroup(click.Group):
    """`regcred audit --since 24h` is `regcred audit list --since 24h`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *ctx.help_option_names}
        if not args or args[0] not in own:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click calls it so
        return list(self.commands)
