"""The keys of one token issuer, in memory.

Nobody but the issuer can create a token with its signature, but anybody can name it and a key. So the number
of reads does not depend on the number of requests, and few threads wait for a read.
"""

from collections.abc import Callable
from threading import Condition, Thread

import jwt

from chassis.authentication.errors import IssuerUnavailable
from chassis.authentication.key_sources import KeySource

FRESH_SECONDS = 300.0  # then the keys are read again
MAX_AGE_SECONDS = 3600.0  # keys are used for this time while they cannot be read again
INTERVAL_SECONDS = 5.0  # between two reads, also for unknown key ids; doubled by each failed read
MAX_INTERVAL_SECONDS = 60.0
WAITING_THREADS = 4
WAIT_SECONDS = 2.0

Monotonic = Callable[[], float]


class IssuerKeys:
    """Reads the keys of `source` when they are needed, in one thread of its own. Thread-safe."""

    def __init__(self, source: KeySource, *, monotonic: Monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._changed = Condition()
        self._keys: jwt.PyJWKSet | None = None
        self._read_at = 0.0
        self._next_read: float | None = None
        self._failures = 0
        self._reading = False
        self._waiting = 0

    def key(self, key_id: object) -> jwt.PyJWK | None:
        """The key with this id. Without an id, the only key of the issuer. `None` if there is no such key.

        Raises:
            IssuerUnavailable: the keys cannot be read now, and no known one has this id.
        """
        with self._changed:
            found = self._known(key_id)
            if found is None or self._monotonic() >= self._read_at + FRESH_SECONDS:
                self._begin_read()
                if self._reading and self._waiting < WAITING_THREADS:
                    self._waiting += 1
                    self._changed.wait_for(lambda: not self._reading, WAIT_SECONDS)
                    self._waiting -= 1
                    found = self._known(key_id)
            if found is None and (self._reading or self._failures or self._usable() is None):
                raise IssuerUnavailable
            return found

    def _begin_read(self) -> None:
        if self._reading or (self._next_read is not None and self._monotonic() < self._next_read):
            return
        self._reading = True
        Thread(target=self._read, name="issuer-keys", daemon=True).start()

    def _read(self) -> None:
        keys = None
        try:
            keys = self._source.read()
        except IssuerUnavailable:
            pass
        finally:
            with self._changed:
                now = self._monotonic()
                self._failures = 0 if keys else self._failures + 1
                if keys:
                    self._keys, self._read_at = keys, now
                wait = INTERVAL_SECONDS * 2 ** min(max(self._failures - 1, 0), 10)
                self._next_read = now + min(wait, MAX_INTERVAL_SECONDS)
                self._reading = False
                self._changed.notify_all()

    def _usable(self) -> jwt.PyJWKSet | None:
        return self._keys if self._monotonic() < self._read_at + MAX_AGE_SECONDS else None

    def _known(self, key_id: object) -> jwt.PyJWK | None:
        keys = self._usable()
        if keys is None:
            return None
        usable = [key for key in keys.keys if key.public_key_use in {None, "sig"} and key.key_type != "oct"]
        if key_id is None:
            return usable[0] if len(usable) == 1 else None
        return next((key for key in usable if key.key_id == key_id), None)
