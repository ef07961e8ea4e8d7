"""`regcred`: the one-machine runner, the deploy step, and the client.

What runs services is imported by the commands that run them: the client starts without any of it.
"""

import os
from pathlib import Path

import click

from regcred.accounts_command import accounts
from regcred.audit_command import proof, verify
from regcred.client.commands.audit import audit
from regcred.client.commands.credentials import credentials
from regcred.client.commands.images import images
from regcred.client.commands.import_config import import_config
from regcred.client.commands.profiles import profiles
from regcred.client.commands.providers import providers
from regcred.client.commands.pull_secret import pull_secret
from regcred.client.commands.system import system
from regcred.client.commands.tokens import tokens
from regcred.client.commands.why import why
from regcred.client.examples import examples
from regcred.completion_command import completion
from regcred.deadletters_command import deadletters
from regcred.demo_command import demo
from regcred.doctor_command import doctor
from regcred.log_command import log
from regcred.projections_command import projections
from regcred.segments_command import seal, segments


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "export REGCRED_ACCOUNT=acme",
        "regcred providers",
        "regcred credentials add team-ghcr --provider github --username octo",
        "regcred credentials list",
        title="The first steps, with `regcred up` running in another terminal:",
    ),
)
@click.version_option(package_name="regcred")
def main() -> None:
    """Keeps, proves and hands out the credentials of external container registries.

    The client shows the token in REGCRED_TOKEN_FILE, else that of `regcred up` in REGCRED_HOME (./.regcred).
    """


@main.command("up")
def up_command() -> None:
    """Run everything on this machine."""
    from regcred.preparation import DamagedToken  # noqa: PLC0415 see above
    from regcred.up import CannotStart, up  # noqa: PLC0415
    from shared.eventstore.errors import YoungerCluster  # noqa: PLC0415
    from shared.eventstore.migrate import MigrationRefused  # noqa: PLC0415
    from shared.runtime.logs import configure_logs  # noqa: PLC0415
    from shared.runtime.settings import InvalidSetting, Settings  # noqa: PLC0415

    try:
        configure_logs("up")
        up(Settings.from_environment(os.environ))
    except (CannotStart, InvalidSetting, MigrationRefused, YoungerCluster, DamagedToken) as error:
        raise click.ClickException(str(error)) from None


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@main.command("migrate")
@click.option("--logins", type=_FOLDER, help="Make the services' logins, with the passwords in this folder.")
@click.option("--admin-token", type=_FILE, help="Make the first token, in this file.")
@click.option("--metrics-token", type=_FILE, help="Make a token that opens /metrics only, in this file.")
def migrate_command(logins: Path | None, admin_token: Path | None, metrics_token: Path | None) -> None:
    """Prepare database, roles and broker.

    It is safe to repeat, and to run twice at once.
    """
    from regcred.deployment.logins import prepare_logins  # noqa: PLC0415 see above
    from regcred.preparation import (  # noqa: PLC0415
        DamagedToken,
        prepare,
        prepare_admin_token,
        prepare_keys,
        prepare_metrics_token,
    )
    from shared.eventstore.errors import YoungerCluster  # noqa: PLC0415
    from shared.eventstore.migrate import MigrationRefused  # noqa: PLC0415
    from shared.runtime.logs import configure_logs  # noqa: PLC0415
    from shared.runtime.settings import InvalidSetting, Settings  # noqa: PLC0415

    try:
        configure_logs("migrate")
        settings = Settings.from_environment(os.environ)
        url = settings.required_database_url()
        applied = prepare(url, settings.broker_url)
        if logins:
            prepare_logins(url, logins)
        if admin_token:
            prepare_admin_token(admin_token, url, prepare_keys(settings.key_file))
        if metrics_token:
            prepare_metrics_token(metrics_token, url, prepare_keys(settings.key_file))
    except (InvalidSetting, MigrationRefused, YoungerCluster, DamagedToken) as error:
        raise click.ClickException(str(error)) from None
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(
        "the database is up to date" if not settings.broker_url else "database and broker are up to date"
    )


for client in (credentials, import_config, images, why, pull_secret, audit, providers, tokens, profiles):
    main.add_command(client)
main.add_command(accounts)
main.add_command(system)
main.add_command(completion)
main.add_command(deadletters)
main.add_command(demo)
main.add_command(doctor)
audit.add_command(proof)
audit.add_command(verify)
audit.add_command(seal)
audit.add_command(segments)
main.add_command(log)
main.add_command(projections)


if __name__ == "__main__":
    main()
