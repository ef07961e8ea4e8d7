"""Sessions, in the memory of this process, for twelve hours at most.

The browser has only a signed random reference. The service token is sent only to the API.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock

from chassis.secret import Secret

LIFETIME = timedelta(hours=12)
MAX_SESSIONS = 10_000
# How long queries wait for the position of a command. The read models normally lag by milliseconds. If they
# lag for longer, pages with old data are better than none.
POSITION_LIFETIME = timedelta(seconds=10)


@dataclass(slots=True, kw_only=True)
class ConsoleSession:
    """The session of a browser.

    `person` is the name that the user entered; the audit trail shows it next to the token. `positions` has
    the position of the last command by account, with its expiry. `new_token` is the name and the text of a
    service token that was created, until a page shows it once.
    """

    token: Secret
    person: str | None
    expires_at: datetime
    positions: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    new_token: tuple[str, Secret] | None = None

    def remember_position(self, account: str, position: str, now: datetime) -> None:
        """Store the position of a command in this account."""
        self.positions[account] = (position, now + POSITION_LIFETIME)

    def wait_for(self, account: str, now: datetime) -> str | None:
        """The `Regcred-Wait-For` of queries in this account."""
        position, until = self.positions.get(account, ("", now))
        return position if now < until else None


class Sessions:
    """All sessions, safe for threads. `new_reference` returns an unguessable text."""

    def __init__(self, new_reference: Callable[[], str]) -> None:
        self._new_reference = new_reference
        self._sessions: dict[bytes, ConsoleSession] = {}
        self._lock = Lock()

    def begin(self, token: Secret, person: str | None, now: datetime) -> str:
        """Create a session; returns its reference.

        Expired sessions are deleted. If there are `MAX_SESSIONS`, the oldest one is deleted, too.
        """
        reference = self._new_reference()
        with self._lock:
            self._sessions = {
                key: session for key, session in self._sessions.items() if session.expires_at > now
            }
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[_key(reference)] = ConsoleSession(
                token=token, person=person, expires_at=now + LIFETIME
            )
        return reference

    def find(self, reference: str | None, now: datetime) -> ConsoleSession | None:
        """The session with this reference; `None` if there is none or it has expired."""
        if reference is None:
            return None
        with self._lock:
            session = self._sessions.get(_key(reference))
        return session if session is not None and session.expires_at > now else None

    def end(self, reference: str | None) -> None:
        """Delete the session, so that its reference is no longer valid."""
        if reference is not None:
            with self._lock:
                self._sessions.pop(_key(reference), None)


def _key(reference: str) -> bytes:
    return sha256(reference.encode()).digest()  # the time of a lookup reveals nothing about references
