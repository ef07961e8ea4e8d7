"""`regcred demo`."""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event
from typing import Any

import click

from chassis.runtime.clock import now
from launcher.demo import sample_data, story
from launcher.demo.registry import DemoRegistry
from regcred.apiclient.errors import ClientError
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_json
from regcred.cli.session import CliSession, of_no_account

_PORT = 5099  # that `make demo` lets the verifier reach
_TITLE = "With `make demo` running in another terminal:"


class DemoRefused(ClientError):
    """Somebody's own data are there, or may be; or the demo's registry cannot be."""


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
    verifies and uses them. The registry then runs until Ctrl-C. It needs an admin token.
    """
    if remove:
        count = sample_data.take_back(session, _reporter(session))
        sentence = f"{count} credentials are removed; the audit log keeps its events"
        _say(session, {"removed": count}, sentence)
        return
    there = len(list(sample_data.stored_credentials(session)))
    if not there and not force:
        _refuse_data(sample_data.has_data(session))
    address = f"127.0.0.1:{registry_port}"
    with ExitStack() as left_behind:
        try:
            left_behind.enter_context(DemoRegistry(registry_port, logins=story.LOGINS, tags=story.TAGS))
        except OSError as error:
            raise DemoRefused(f"cannot listen on {address}: {error.strerror}; say --registry-port") from None
        if there:
            notice(f"{there} credentials of the demo exist already; --remove removes them")
        else:
            sample_data.check_allowed(session, address)
            told = sample_data.fill(session, address, at=now(), tell=_reporter(session))
            counted = {"credentials": told.credentials, "pulls": told.pulls, "refused": told.refused}
            sentence = (
                f"there are {told.credentials} credentials, {told.pulls} pull secrets, {told.refused} refused"
            )
            _say(session, {"accounts": list(story.ACCOUNTS), "registry": address, **counted}, sentence)
        if not session.as_json:
            _show_around(session, story.ACCOUNTS[0], address)
        if not once:
            _serve(address)


def _refuse_data(has_data: bool | None) -> None:
    """Raises `DemoRefused` unless nothing has ever happened there."""
    if has_data is None:
        raise DemoRefused("it cannot be seen whether this installation has data: if it has none, say --force")
    if has_data:
        raise DemoRefused(
            "this installation has data already. The demo would add two accounts to it, and its events stay "
            "in the audit log permanently. Use --force to continue"
        )


def _reporter(session: CliSession) -> Callable[[str], None]:
    return (lambda _text: None) if session.as_json else notice


def _say(session: CliSession, document: dict[str, Any], sentence: str) -> None:
    if session.as_json:
        print_json(document)
    else:
        notice(sentence)


def _show_around(session: CliSession, account: str, address: str) -> None:
    lines = (
        "",
        f"In a browser: {session.api.address}/, with the token that this command used; account {account}.",
        "In a terminal:",
        f"  export REGCRED_ADDRESS={session.api.address} REGCRED_ACCOUNT={account}",
        "  regcred credentials list",
        "  regcred credentials history gitlab-deploy --verifications",
        "  regcred credentials usages shop-images",
        f"  regcred why {address}/acme/payments:2.0 --project marketing",
        f"  regcred images tags {address}/acme/shop --credential shop-images",
        "  regcred audit --outcome denied",
        "  regcred demo --remove",
    )
    for line in lines:
        click.echo(line)


def _serve(address: str) -> None:
    """Until SIGINT or SIGTERM, also where whoever started this in the background has SIGINT ignored."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    notice(f"the demo's registry serves at {address} until Ctrl-C")
    stop.wait()
    notice("the demo's registry has ended; its credentials stay")
