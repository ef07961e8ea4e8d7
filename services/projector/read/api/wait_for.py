"""Read your own write: a query waits until the read models have the event of its `Regcred-Wait-For`."""

import re
from collections.abc import Callable
from uuid import UUID

from chassis.database import Connection
from chassis.web.problems import Problem, unavailable

WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.01
_POSITION = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,18})")


def wait_for(
    token: str,
    connection: Connection,
    *,
    has_event: Callable[[Connection, UUID, int], bool],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Wait until the read models have the event that the token names.

    `has_event` says whether they have the event of a stream and version.

    Raises:
        Problem: 400 for a malformed token; 503 with Retry-After after `WAIT_SECONDS`.
    """
    stream_id, version = read_position_token(token)
    deadline = monotonic() + WAIT_SECONDS
    while True:
        if has_event(connection, stream_id, version):
            return
        if monotonic() >= deadline:
            raise unavailable("read_model_behind", "the read model has not caught up with this position", 1)
        sleep(_POLL_SECONDS)


def read_position_token(text: str) -> tuple[UUID, int]:
    """The stream and version of a `Regcred-Wait-For`.

    Raises:
        Problem: 400 for a malformed token.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise Problem(400, "invalid_position", "Regcred-Wait-For must be a Regcred-Position of this API")
    return UUID(match[1]), int(match[2])
