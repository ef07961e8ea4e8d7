"""`regcred completion`: the script with which a shell completes commands, options and names."""

import click
from click.shell_completion import get_completion_class

from regcred.cli.examples import examples

_VARIABLE = "_REGCRED_COMPLETE"  # click's script sets it to request completions from this program


@click.command(
    "completion",
    epilog=examples(
        "regcred completion bash >> ~/.bashrc",
        "regcred completion zsh >> ~/.zshrc    # below the line with compinit",
        "regcred completion fish > ~/.config/fish/completions/regcred.fish",
        title="To install it, once:",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the completion script of a shell.

    Completion requests providers and names of credentials from the API. If it does not respond, they are not
    offered.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(context.find_root().command, {}, "regcred", _VARIABLE).source())
