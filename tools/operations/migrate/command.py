"""`regcred migrate`."""

import os
from pathlib import Path

import click

from chassis.observability.logs import configure_logs
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.settings.environment import Settings
from eventlog.storage import LowerTransactionIds
from operations.command_errors import refused
from operations.migrate.logins import prepare_logins
from operations.migrate.preparation import (
    DamagedToken,
    accept_former_tokens,
    bind_keys,
    prepare,
    prepare_admin_token,
    prepare_metrics_token,
)

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("migrate")
@click.option(
    "--logins", type=_FOLDER, help="Create the logins of the services, with the passwords in this folder."
)
@click.option("--admin-token", type=_FILE, help="Create the first token in this file.")
@click.option("--metrics-token", type=_FILE, help="Create a token for /metrics only in this file.")
def migrate_command(logins: Path | None, admin_token: Path | None, metrics_token: Path | None) -> None:
    """Prepare the database, its roles and the broker.

    It is safe to repeat, and to run twice at the same time. An upgrade from 0.9.0 needs the key file: without
    it, `regcred installation accept-tokens` must follow.
    """
    with refused(LowerTransactionIds, DamagedToken):
        disable_core_dumps()
        configure_logs("migrate")
        settings = Settings.from_environment(os.environ)
        url = settings.required_database_url()
        applied = prepare(url, settings.broker_url)
        if logins:
            prepare_logins(url, logins)
        if admin_token or metrics_token or settings.key_file.exists():
            keys = bind_keys(settings.key_file, url)
            accept_former_tokens(applied, url, keys)
            if admin_token:
                prepare_admin_token(admin_token, url, keys)
            if metrics_token:
                prepare_metrics_token(metrics_token, url, keys)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(
        "the database is up to date" if not settings.broker_url else "database and broker are up to date"
    )
