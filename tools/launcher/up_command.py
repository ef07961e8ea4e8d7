"""`regcred up`."""

import os

import click

from chassis.observability.logs import configure_logs
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.settings.environment import Settings
from eventlog.storage import LowerTransactionIds
from launcher.child_settings import check_child_settings
from launcher.up import up
from operations.command_errors import refused
from operations.home_lock import HomeInUse
from operations.migrate.preparation import DamagedToken


@click.command("up")
def up_command() -> None:
    """Run everything on this machine."""
    with refused(HomeInUse, LowerTransactionIds, DamagedToken):
        disable_core_dumps()
        configure_logs("up")
        settings = Settings.from_environment(os.environ)
        check_child_settings(settings, os.environ)
        up(settings)
