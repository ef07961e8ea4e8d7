"""`regcred audit proof` and `regcred audit verify`: proofs of an account's events for offline checks.

Exit code 0: intact; 1: broken; 2: could not be determined.
"""

from pathlib import Path

import click

from operations.audit import proof as audit_proof
from operations.log.command import KEY_FILE

_FILE = click.Path(dir_okay=False, path_type=Path)
_KEY_FILE = click.option(
    "--key-file",
    type=_FILE,
    envvar=KEY_FILE,
    help="Private key; default: REGCRED_LOG_KEY_FILE, or log-key.pem in REGCRED_HOME.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("proof")
@click.option(
    "--account", envvar="REGCRED_ACCOUNT", show_envvar=True, metavar="ID", required=True, help="The account."
)
@click.option("--output", type=_FILE, required=True, metavar="FILE", help="File for the proof.")
@_KEY_FILE
@_JSON
@click.pass_context
def proof(
    context: click.Context, *, account: str, output: Path, key_file: Path | None, as_json: bool
) -> None:
    """Write a proof of the events of an account.

    Verifies the complete log, and signs all events of the account up to its end. Run it on the machine with
    the database.
    """
    report = audit_proof.prove(account, output, key_file)
    click.echo(report.as_json() if as_json else report.as_text())
    context.exit(0 if report.intact else 1)


@click.command("verify")
@click.argument("file", type=_FILE)
@click.option(
    "--public-key", type=_FILE, help="Public key of the signer; default: the key file's, with .pub."
)
@click.option("--earlier", type=_FILE, metavar="FILE", help="An earlier proof that this one must continue.")
@_KEY_FILE
@_JSON
@click.pass_context
def verify(
    context: click.Context,
    *,
    file: Path,
    public_key: Path | None,
    earlier: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Verify a proof of an account, without a database."""
    report = audit_proof.check(file, public_key, key_file, earlier)
    click.echo(report.as_json() if as_json else report.as_text())
    context.exit(0 if report.intact else 1)
