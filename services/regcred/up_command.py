"""`regcred up`."""

import os

import click

from regcred.command_errors import refused
from regcred.preparation import DamagedToken
from regcred.up import CannotStart, up
from shared.eventstore.errors import YoungerCluster
from shared.eventstore.migrate import MigrationRefused
from shared.runtime.logs import configure_logs
from shared.runtime.settings import InvalidSetting, Settings


@click.command("up")
def up_command() -> None:
    """Run everything on this machine."""
    with refused(CannotStart, InvalidSetting, MigrationRefused, YoungerCluster, DamagedToken):
        configure_logs("up")
        up(Settings.from_environment(os.environ))
