"""Gives each complete request to a thread when its caller has a turn, and refuses those that are too many.

Refusals and `/healthz` have a thread of their own, and so has `/readyz`: they never wait for requests.
"""

import time
from collections import deque
from collections.abc import Hashable
from functools import partial
from http import HTTPStatus

from waitress.task import ThreadedTaskDispatcher

from chassis.runtime.turns import Turn, Turns
from chassis.web.callers import Callers
from chassis.web.connections import ClientConnection, ServerLimits
from chassis.web.draining import HEALTH, READINESS
from chassis.web.refusals import EarlyRefusal

REFUSAL_SECONDS = 1.0  # before the response to a caller that sends too many requests
_FEW = 1 / 16  # of the requests that may wait: a caller with fewer does not suffer from what others send
_READINESS_THREADS = 2
_READINESS_QUEUED = 32


class Dispatch:
    """The threads of one process, and the requests that wait for them."""

    def __init__(self, limits: ServerLimits, callers: Callers) -> None:
        self._limits = limits
        self._callers = callers
        self._turns = Turns(limits.turns)
        self._refusals = deque[ClientConnection]()  # whose refusal is sent later
        self._stopping = False
        self.requests = _threads(limits.threads)
        self._prompt = _threads(1)
        self._readiness = _threads(_READINESS_THREADS)

    @property
    def waits(self) -> bool:
        """Whether a request waits for its turn or its refusal."""
        return bool(self._turns.waiting or self._refusals)

    def add(self, connection: ClientConnection) -> None:
        """Let a thread handle the request of a connection, or refuse it if too many wait."""
        request = connection.requests[0]
        if request.error or request.path == HEALTH:
            self._prompt.add_task(connection)
        elif request.path == READINESS:
            if len(self._readiness.queue) < _READINESS_QUEUED + _idle(self._readiness):
                self._readiness.add_task(connection)
            else:
                self._refuse(connection, EarlyRefusal(HTTPStatus.SERVICE_UNAVAILABLE))
        else:
            self._take_turn(connection)

    def check(self, now: float) -> None:
        """Begin the turns whose time has come, and send the next refusal. Call it every few milliseconds.

        `now` is a time in seconds of `time.monotonic`. When the process stops, all refusals are sent.
        """
        self._turns.begin_due()
        self._refusals = deque(one for one in self._refusals if one.connected)
        due = [one for one in self._refusals if self._stopping or now - one.since >= REFUSAL_SECONDS]
        for _ in due if self._stopping else due[:1]:
            self._prompt.add_task(self._refusals.popleft())

    def stop(self) -> None:
        """Let no request wait longer than it must."""
        self._stopping = True
        self._turns.end_rests()

    def _take_turn(self, connection: ClientConnection) -> None:
        request = connection.requests[0]
        caller = partial(self._callers.caller, request.headers, request.path, connection.peer)
        size = request.body_bytes_received
        waiting, waiting_bytes = self._turns.waiting_of(caller())
        if waiting >= self._limits.queued_of_caller or (
            size and waiting and waiting_bytes + size > self._limits.queued_bytes_of_caller
        ):
            connection.refuse_later(EarlyRefusal(HTTPStatus.TOO_MANY_REQUESTS))
            self._refusals.append(connection)
            return
        room = self._limits.queued + _idle(self.requests) - len(self.requests.queue)
        if room <= 0 or (self._turns.waiting >= room and waiting > _FEW * self._limits.queued):
            self._refuse(connection, EarlyRefusal(HTTPStatus.SERVICE_UNAVAILABLE))
            return
        connection.since = time.monotonic()
        self._turns.take(caller, partial(self._begin, connection), size=size)

    def _begin(self, connection: ClientConnection, caller: Hashable, moment: float) -> None:
        connection.requests[0].turn = Turn(self._turns, caller, moment)
        self.requests.add_task(connection)

    def _refuse(self, connection: ClientConnection, reason: EarlyRefusal) -> None:
        connection.requests[0].error = reason
        self._prompt.add_task(connection)


def _threads(number: int) -> ThreadedTaskDispatcher:
    made = ThreadedTaskDispatcher()
    made.set_thread_count(number)
    return made


def _idle(threads: ThreadedTaskDispatcher) -> int:
    number: int = len(threads.threads) - threads.active_count
    return number
