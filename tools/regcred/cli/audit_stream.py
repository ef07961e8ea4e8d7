"""The audit trail as it comes in, for as long as somebody looks."""

import json
import sys
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import click

from regcred.apiclient.errors import AnswerLost, ApiProblem, NoAnswer
from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.cli.output import notice
from regcred.cli.presentation import actor, happened, moment
from regcred.cli.session import CliSession

NDJSON = "application/x-ndjson"
SECONDS = 600  # of one request; then it is asked again behind the last event
_PAUSE_SECONDS = 2.0


def follow(
    session: CliSession,
    wanted: Json,
    *,
    raw: bool,
    seconds: int = SECONDS,
    pause: Callable[[float], object] = sleep,
) -> None:
    """Print each event in a line, `raw` as it is answered, until it is interrupted."""
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
    """What is answered, request after request: each one goes on behind the last event of the one before."""
    begun = False
    asked = {**wanted, "follow": "true", "follow_seconds": seconds}
    while True:
        try:
            with session.api.lines(session.path("audit-events"), asked, accept=NDJSON) as lines:
                begun = True
                for line in lines:
                    if line.strip():  # an empty one says that nothing happened
                        yield line
                        asked["after"] = json.loads(line)["position"]
        except (AnswerLost, NoAnswer) as error:
            if not begun:
                raise
            notice(f"{error}; trying again")
            pause(_PAUSE_SECONDS)
        except ApiProblem as problem:
            if not begun or problem.status < 500:  # noqa: PLR2004 what passes by itself
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
        happened(event),
    )
