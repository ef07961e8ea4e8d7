"""`regcred audit --follow`: prints new events of the audit trail until Ctrl-C."""

import json
import sys
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import click

from regcred.apiclient.errors import ApiProblem, NotConnected, ResponseLost
from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.cli.output import notice
from regcred.cli.presentation import actor, event_details, moment
from regcred.cli.session import CliSession

NDJSON = "application/x-ndjson"
SECONDS = 600  # duration of one request; the next request starts after the last event
_PAUSE_SECONDS = 2.0


def follow(
    session: CliSession,
    wanted: Json,
    *,
    raw: bool,
    seconds: int = SECONDS,
    pause: Callable[[float], object] = sleep,
) -> None:
    """Print each event on a line until the user interrupts; with `raw`, print the line of the response."""
    try:
        for line in _lines(session, wanted, seconds, pause):
            if raw:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            else:
                click.echo("  ".join(map(shown, _identity(json.loads(line)))))
    except KeyboardInterrupt:
        return


def _lines(
    session: CliSession, wanted: Json, seconds: int, pause: Callable[[float], object]
) -> Iterator[bytes]:
    """Lines of the responses. Each request continues after the last event of the previous response.

    A failure is retried after a pause, but not before the first response: then the error is raised.
    """
    started = False
    parameters = {**wanted, "follow": "true", "follow_seconds": seconds}
    while True:
        try:
            with session.api.lines(session.path("audit-events"), parameters, accept=NDJSON) as lines:
                started = True
                for line in lines:
                    if line.strip():  # the API sends empty lines to keep the connection open
                        yield line
                        parameters["after"] = json.loads(line)["position"]
        except (ResponseLost, NotConnected) as error:
            if not started:
                raise
            notice(f"{error}; trying again")
            pause(_PAUSE_SECONDS)
        except ApiProblem as problem:
            if not started or problem.status < 500:  # noqa: PLR2004 only errors of the server are temporary
                raise
            notice(f"{problem}; trying again")
            pause(_PAUSE_SECONDS)


def _identity(event: dict[str, Any]) -> tuple[object, ...]:
    return (
        moment(event["time"]),
        event["action"],
        event["outcome"],
        event["credential_name"],
        event["project_id"],
        actor(event),
        event_details(event),
    )
