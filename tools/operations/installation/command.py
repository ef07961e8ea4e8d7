"""`regcred installation`: show what binds database, key file and Vault, and change it after a loss."""

from pathlib import Path
from uuid import UUID

import click

from chassis.authentication.token_row import authenticate_rows
from chassis.authentication.tokens import StoredToken
from chassis.database import Connection
from credentials.state.token_rows import accept_damaged_tokens, damaged_tokens, missing_tokens
from operations.command_errors import OperationRefused, owner_connection
from operations.migrate.preparation import prepare_keys
from regcred.cli.confirmation import YES, confirm
from regcred.cli.examples import examples
from regcred.cli.output import print_table
from secretstore.installation import (
    WrongKeyFile,
    adopt_database,
    adopt_installation_id,
    compare_keys,
    has_vault,
    installation_id,
    is_copy,
    replace_recorded_keys,
)
from secretstore.keyfile import KeyFile, KeyFileError
from secretstore.personal_keys import erase_personal_keys, unreadable_personal_keys

# Sessions of services; a service that waits until its key file can be used has none but `keys`.
_SERVICES = r"""
SELECT DISTINCT split_part(application_name, ':', 1) FROM pg_stat_activity
WHERE datname = current_database()
  AND application_name LIKE 'regcred\_%' AND application_name NOT LIKE '%:keys'
ORDER BY 1
"""
_TOKEN_HEADERS = ("ID", "NAME", "SCOPES", "ACCOUNTS", "PROJECTS", "CREATED BY", "EXPIRES")


@click.group()
def installation() -> None:
    """Show or change what binds database, key file and Vault."""


@installation.command("show")
def show_command() -> None:
    """Show the id of this database, and whether the key file belongs to it."""
    with owner_connection("installation") as (connection, settings):
        copy = ", a copy of its database" if is_copy(connection) and has_vault(connection) else ""
        click.echo(f"database: installation {installation_id(connection)}{copy}")
        try:
            compare_keys(KeyFile.load(settings.key_file), connection)
        except KeyFileError as error:
            raise OperationRefused(str(error)) from None
        click.echo(f"key file: {settings.key_file} belongs to it")


@installation.command(
    "adopt",
    epilog=examples(
        "regcred installation adopt --keys",
        "regcred installation adopt --database",
        "regcred installation adopt --vault 9f1c0d5e-3c62-4f0e-8a0b-0c1d2e3f4a5b",
    ),
)
@click.option("--keys", is_flag=True, help="Accept the key file. If there is none, create it.")
@click.option(
    "--vault",
    "vault_installation",
    metavar="ID",
    type=click.UUID,
    help="Use the Vault that has this id, or an empty one, in place of a lost database or Vault.",
)
@click.option("--database", is_flag=True, help="Let this copy of the database replace the original.")
@YES
@click.pass_context
def adopt_command(
    context: click.Context, *, keys: bool, vault_installation: UUID | None, database: bool, yes: bool
) -> None:
    """Accept another key file, Vault or database after the former one was lost for good, or moved.

    What a lost key file encrypted stays unreadable: personal data in events and, without Vault, every secret.
    This data is given up, after a confirmation. Names and usernames then read `erased`. Tokens become
    invalid: remove admin.token, so that a new one is created. Stop the services first, which encrypt with the
    former keys. Start them afterwards, and run `regcred log repair`. Until then, pull secrets are refused.

    ID is the id in Vault (`vault kv get regcred/installation`), or that of the database for an empty Vault. A
    service that refuses to start shows it. Do this only if no other database uses this Vault. Secrets that
    this database does not know are deleted after a day, and destroyed a week later.

    A database that was restored from a dump is a copy. With Vault it must be adopted before it is used: two
    databases with the same secrets would delete those of each other. Restart the services afterwards.
    """
    if not keys and not database and vault_installation is None:
        raise click.UsageError("give --keys, --vault or --database", context)
    with owner_connection("installation") as (connection, settings):
        if keys:
            _adopt_keys(settings.key_file, connection, yes=yes)
            click.echo(f"the database belongs to the key file {settings.key_file}")
        if vault_installation is not None:
            adopt_installation_id(vault_installation, connection)
            click.echo(f"the database belongs to installation {vault_installation}")
        if database or vault_installation is not None:
            adopt_database(connection)
            click.echo("the installation uses this database")


@installation.command("accept-tokens", epilog=examples("regcred installation accept-tokens"))
@YES
def accept_tokens_command(*, yes: bool) -> None:
    """Show the service tokens whose rows the service has not written, and accept them after a confirmation.

    Such a token authenticates nobody: somebody has changed its row in the database, or put an earlier one
    back. `regcred migrate` without the key file also leaves those of 0.9.0. Accept them only if you know each
    of them, with these rights. Revoke the others. A token whose row was deleted is revoked.
    """
    with owner_connection("installation") as (connection, settings):
        keys = KeyFile.load(settings.key_file)
        try:
            compare_keys(keys, connection)
        except KeyFileError as error:
            raise OperationRefused(str(error)) from None
        authenticate = authenticate_rows(keys)
        damaged, missing = damaged_tokens(connection, authenticate), missing_tokens(connection)
        if not damaged and not missing:
            click.echo("the service has written the row of every token")
            return
        if missing:
            click.echo(f"deleted by hand, and to be revoked: {', '.join(missing)}")
        if damaged:
            print_table(_TOKEN_HEADERS, map(_token_row, damaged))
        confirm(f"Accept these {len(damaged)} tokens with these rights?", yes=yes)
        accept_damaged_tokens(connection, authenticate)
        click.echo(f"{len(damaged)} tokens are accepted; one that the log says is revoked stays revoked")


def _token_row(token: StoredToken) -> tuple[object, ...]:
    return (
        token.token_id,
        token.name,
        sorted(token.scopes),
        "all" if token.accounts is None else sorted(token.accounts),
        "all" if token.projects is None else sorted(token.projects),
        token.created_by,
        token.expires_at,
    )


def _adopt_keys(path: Path, connection: Connection, *, yes: bool) -> None:
    """Accept the key file. Without the personal data that it cannot read, accounts can be used again."""
    given = KeyFile.load(path) if path.exists() else None
    if given is None or not _are_recorded(given, connection):
        _refuse_running_services(connection)
    lost = unreadable_personal_keys(given, connection)
    accounts = len({account for account, _ in lost})
    if lost:
        confirm(f"Give up the personal data in the events of {accounts} accounts permanently?", yes=yes)
    present = prepare_keys(path)
    with connection.transaction():
        erase_personal_keys(lost, connection)
        replace_recorded_keys(present, connection)
    if lost:
        click.echo(
            f"the personal data in the events of {accounts} accounts is given up: remove admin.token,"
            " start the services, and run `regcred log repair`"
        )


def _are_recorded(keys: KeyFile, connection: Connection) -> bool:
    try:
        compare_keys(keys, connection)
    except WrongKeyFile:
        return False
    return True


def _refuse_running_services(connection: Connection) -> None:
    """Raise `OperationRefused` if a service runs, which would encrypt with keys that nothing has any more."""
    running = [name for (name,) in connection.execute(_SERVICES)]
    if running:
        raise OperationRefused(f"stop these services, which still have the former keys: {', '.join(running)}")
