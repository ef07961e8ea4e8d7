"""Read your own write: a query waits until the read models have the event of its `Regcred-Wait-For`."""

import re
from collections.abc import Callable
from uuid import UUID

from chassis.database import Connection
from chassis.runtime.slots import Slots, TooManyAtOnce
from chassis.web.problems import Problem, unavailable

WAIT_SECONDS = 2.0
MAX_WAITING = 8  # threads of the server, each with a connection; the others serve other requests
MAX_WAITING_PER_ACCOUNT = 4
RETRY_SECONDS = 1
_POLL_SECONDS, _MOST_POLL_SECONDS = 0.01, 0.1  # doubled from the first to the second
_POSITION = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,18})")

_slots = Slots(total=MAX_WAITING, per_account=MAX_WAITING_PER_ACCOUNT, retry_after=RETRY_SECONDS)


def wait_for(
    token: str,
    connection: Connection,
    account_id: str | None,
    *,
    has_event: Callable[[Connection, str | None, UUID, int], bool],
    is_recorded: Callable[[Connection, str | None, UUID, int], bool | None],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Wait until the read models have the event that the token names.

    `has_event` says whether they have the event of an account, stream and version, and `is_recorded` whether
    the log has it (`None`: not known). An event of another account than `account_id` is like one that does
    not exist; `None` is any account.

    Raises:
        Problem: 400 for a token that is malformed or names no event; 503 with Retry-After after
            `WAIT_SECONDS`, or at once while `MAX_WAITING` threads wait, or `MAX_WAITING_PER_ACCOUNT` of the
            account.
    """
    stream_id, version = read_position_token(token)
    if has_event(connection, account_id, stream_id, version):
        return
    if is_recorded(connection, account_id, stream_id, version) is False:
        raise Problem(400, "invalid_position", "Regcred-Wait-For names no event of this account")
    behind = unavailable(
        "read_model_behind", "the read model has not caught up with this position", RETRY_SECONDS
    )
    try:
        with _slots.one(account_id or ""):
            deadline, pause = monotonic() + WAIT_SECONDS, _POLL_SECONDS
            while not has_event(connection, account_id, stream_id, version):
                if monotonic() >= deadline:
                    raise behind
                sleep(pause)
                pause = min(2 * pause, _MOST_POLL_SECONDS)
    except TooManyAtOnce:
        raise behind from None


def read_position_token(text: str) -> tuple[UUID, int]:
    """The stream and version of a `Regcred-Wait-For`.

    Raises:
        Problem: 400 for a malformed token.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise Problem(400, "invalid_position", "Regcred-Wait-For must be a Regcred-Position of this API")
    return UUID(match[1]), int(match[2])
