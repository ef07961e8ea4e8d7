"""`regcred up`."""

import os

import click

from chassis.migrations import MigrationRefused
from chassis.observability.logs import configure_logs
from chassis.settings.environment import InvalidSetting, Settings
from eventlog.storage import LowerTransactionIds
from launcher.up import CannotStart, up
from operations.command_errors import refused
from operations.migrate.preparation import DamagedToken


@click.command("up")
def up_command() -> None:
    """Run everything on this machine."""
    with refused(CannotStart, InvalidSetting, MigrationRefused, LowerTransactionIds, DamagedToken):
        configure_logs("up")
        up(Settings.from_environment(os.environ))
