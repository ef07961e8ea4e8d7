"""Who is signed in: kept in the memory of this process, twelve hours at most, gone with it.

A browser holds a random reference, signed; the token of the service never leaves this process but to the API.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock

from chassis.secret import Secret

LIFETIME = timedelta(hours=12)
MAX_SESSIONS = 10_000
# How long a command's position is asked for in what is read after it. The read models are behind by
# milliseconds; where they are behind for long, pages that show old data are better than none.
BEHIND = timedelta(seconds=10)


@dataclass(slots=True, kw_only=True)
class ConsoleSession:
    """`person` is whom the audit trail shows beside the token, as they called themselves.

    `made` is a service token that was just made, until the one page that shows it.
    """

    token: Secret
    person: str | None
    ends: datetime
    behind: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    made: tuple[str, Secret] | None = None

    def remember(self, account: str, position: str, now: datetime) -> None:
        """A command of this account was answered with that position."""
        self.behind[account] = (position, now + BEHIND)

    def wait_for(self, account: str, now: datetime) -> str | None:
        """The position that what is read in this account has to know."""
        position, until = self.behind.get(account, ("", now))
        return position if now < until else None


class Sessions:
    """Safe for threads. `new_reference` makes an unguessable text."""

    def __init__(self, new_reference: Callable[[], str]) -> None:
        self._new_reference = new_reference
        self._sessions: dict[bytes, ConsoleSession] = {}
        self._lock = Lock()

    def begin(self, token: Secret, person: str | None, now: datetime) -> str:
        """The reference of a new session."""
        reference = self._new_reference()
        with self._lock:
            self._sessions = {key: held for key, held in self._sessions.items() if held.ends > now}
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]  # the oldest
            self._sessions[_key(reference)] = ConsoleSession(token=token, person=person, ends=now + LIFETIME)
        return reference

    def find(self, reference: str | None, now: datetime) -> ConsoleSession | None:
        """The session, unless it has ended."""
        if reference is None:
            return None
        with self._lock:
            session = self._sessions.get(_key(reference))
        return session if session is not None and session.ends > now else None

    def end(self, reference: str | None) -> None:
        """Sign out; the reference is worth nothing any more."""
        if reference is not None:
            with self._lock:
                self._sessions.pop(_key(reference), None)


def _key(reference: str) -> bytes:
    return sha256(reference.encode()).digest()  # what is looked up is not what a browser could send
