"""The confirmation of a command whose effect is permanent."""

import sys

import click

YES = click.option("--yes", is_flag=True, help="Do not ask for confirmation; required without a terminal.")


def check_confirmable(*, yes: bool) -> None:
    """Refuse a command that would have to prompt and has no terminal. Call it before any other work.

    Raises:
        click.UsageError: there is neither `--yes` nor a terminal.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("confirm with --yes: there is no terminal for a prompt")


def confirm(question: str, *, yes: bool) -> None:
    """Prompt unless `yes` is set. Another response than yes ends the command with exit code 1.

    Raises:
        click.UsageError: as `check_confirmable`.
    """
    check_confirmable(yes=yes)
    if not yes:
        click.confirm(question, abort=True, err=True)
