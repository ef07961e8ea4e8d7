"""`regcred demo`."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from threading import Event
from typing import Any

import click

from chassis.runtime.clock import now
from launcher.demo import sample_data, sample_loader
from launcher.demo.registry import DemoRegistry
from regcred.apiclient.errors import ClientError
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json
from regcred.cli.session import CliSession, of_no_account, token_file_of

_PORT = 5099  # `make demo` allows the verifier to connect to it
_TITLE = "With `make demo` running in another terminal:"


class DemoRefused(ClientError):
    """The installation has data, or may have data, or the registry of the demo cannot start."""


@click.command("demo", epilog=examples("regcred demo", "regcred demo --remove", title=_TITLE))
@click.option("--remove", is_flag=True, help="Remove the credentials of the demo.")
@click.option("--force", is_flag=True, help="Also if the installation has data.")
@click.option("--once", is_flag=True, help="Stop when the data is complete, together with the registry.")
@click.option(
    "--registry-port",
    type=click.IntRange(1, 65535),
    default=_PORT,
    show_default=True,
    metavar="PORT",
    help="Port of the demo's registry.",
)
@of_no_account
def demo(session: CliSession, /, *, remove: bool, force: bool, once: bool, registry_port: int) -> None:
    """Fill a new installation with example data.

    It starts a small registry on this machine, adds a dozen credentials in two accounts, rotates, restricts,
    verifies and uses them. The registry then runs until Ctrl-C. It needs an admin token and an installation
    without data: use another REGCRED_HOME for it.
    """
    if remove:
        count = sample_loader.remove_all(session, _reporter(session))
        sentence = f"{count} credentials are removed; the audit trail retains their events"
        _print_result(session, {"removed": count}, sentence)
        return
    stored = len(list(sample_loader.stored_credentials(session)))
    if not stored and not force:
        _refuse_data(sample_loader.has_data(session))
    address = f"127.0.0.1:{registry_port}"
    with ExitStack() as resources:
        registry = DemoRegistry(registry_port, logins=sample_data.LOGINS, tags=sample_data.TAGS)
        try:
            resources.enter_context(registry)
        except OSError as error:
            raise DemoRefused(
                f"cannot listen on {address}: {error.strerror}; use another --registry-port"
            ) from None
        if stored:
            notice(f"{stored} credentials of the demo exist already; --remove removes them")
        else:
            sample_loader.check_allowed(session, address)
            done = sample_loader.add_all(session, address, at=now(), report=_reporter(session))
            document = {"accounts": list(sample_data.ACCOUNTS), "registry": address, **asdict(done)}
            _print_result(session, document, _counts(done))
        if not session.as_json:
            _show_next_steps(session, sample_data.ACCOUNTS[0], address, serves=not once)
        if not once:
            _serve(address)


def _refuse_data(has_data: bool | None) -> None:
    """Raise `DemoRefused` unless the installation has no data."""
    if has_data is None:
        raise DemoRefused("cannot determine whether this installation has data; if it has none, use --force")
    if has_data:
        raise DemoRefused(
            "this installation has data already. The demo would add two accounts to it, and its events stay "
            "in the audit trail permanently. Use --force to continue"
        )


def _reporter(session: CliSession) -> Callable[[str], None]:
    return (lambda _text: None) if session.as_json else notice


def _print_result(session: CliSession, document: dict[str, Any], sentence: str) -> None:
    if session.as_json:
        print_json(document)
    else:
        notice(sentence)


def _counts(done: sample_loader.DemoResult) -> str:
    added = len(sample_data.CREDENTIALS)
    removed = added - done.credentials
    return (
        f"{added} credentials added, {removed} of them removed; "
        f"{done.pulls} pull secrets issued, {done.refused} refused"
    )


def _show_next_steps(session: CliSession, account: str, address: str, *, serves: bool) -> None:
    """Print commands to try. Those that need the registry at `address` are omitted unless it `serves`."""
    token_file = token_file_of(click.get_current_context())
    lines = (
        "",
        f"In a browser: {session.api.address}/; sign in with the token in {token_file}; account {account}.",
        "In a terminal:",
        f"  export REGCRED_ADDRESS={session.api.address} REGCRED_ACCOUNT={account}",
        "  regcred credentials list",
        "  regcred credentials history gitlab-deploy --verifications",
        "  regcred credentials usages shop-images",
        f"  regcred why {address}/acme/payments:2.0 --project marketing",
        *([f"  regcred images tags {address}/acme/shop --credential shop-images"] if serves else []),
        "  regcred audit --outcome denied",
        "  regcred demo --remove",
    )
    for line in lines:
        click.echo(line)


def _serve(address: str) -> None:
    """Wait for a stop signal."""
    notice(f"the registry of the demo listens on {address} until Ctrl-C")
    with suppress(KeyboardInterrupt):
        Event().wait()
    notice("the registry of the demo has ended; the credentials stay")
