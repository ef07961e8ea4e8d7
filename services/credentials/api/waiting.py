"""`Prefer: wait=N` (RFC 7240, section 4.3): the response to a command waits for the result of its login."""

import re
from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from flask import request

from chassis.runtime.slots import Slots, TooManyAtOnce

Result = TypeVar("Result")

MAX_WAIT_SECONDS = 30.0
MAX_WAITING = 6  # threads of the server that may wait for results; the others serve other requests
MAX_WAITING_PER_ACCOUNT = 3
_POLL_SECONDS = 0.05
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4})(?:$|[,;\s])")


class Waiting:
    """Waits for results of logins, as long as the requests prefer."""

    def __init__(self) -> None:
        self._slots = Slots(total=MAX_WAITING, per_account=MAX_WAITING_PER_ACCOUNT, retry_after=1)

    def wait_for(
        self, account_id: str, result: Callable[[], Result | None]
    ) -> tuple[Result | None, dict[str, str]]:
        """Return the result if there is one in time, and the headers of the response.

        While many requests of the account or of all accounts wait, further ones do not: their responses have
        no `Preference-Applied`. A request that does not prefer to wait gets `None`.
        """
        wait = _WAIT.search(request.headers.get("Prefer", ""))
        if not wait:
            return None, {}
        seconds = min(float(wait[1]), MAX_WAIT_SECONDS)
        try:
            with self._slots.one(account_id):
                return _polled(result, seconds), {"Preference-Applied": f"wait={seconds:g}"}
        except TooManyAtOnce:
            return result(), {}


def _polled(result: Callable[[], Result | None], seconds: float) -> Result | None:
    deadline = monotonic() + seconds
    while True:
        found = result()
        if found is not None or monotonic() >= deadline:
            return found
        sleep(_POLL_SECONDS)
