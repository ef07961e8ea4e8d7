"""The messages of events whose personal data may need a key that the key file of this process lacks."""

from collections.abc import Callable

from msgspec.structs import replace

from chassis.database import Connection
from eventlog.broker import OutgoingMessage, outgoing_message
from eventlog.events import PersonalKeyMissing, StoredEvent

CheckKeys = Callable[[Connection], None]


class Messages:
    """Creates messages. `check_keys` raises if the key file of this process is older than the database."""

    def __init__(self, check_keys: CheckKeys | None) -> None:
        self._check_keys = check_keys

    def message(self, connection: Connection, event: StoredEvent) -> OutgoingMessage:
        """The message of an event.

        A service could store a key under a name that no key file has. Personal data under such a key is
        published as erased, so that it stops no other event.

        Raises:
            KeyFileError: by `check_keys`; the event can be published when this process has the newer file.
        """
        try:
            return outgoing_message(event)
        except PersonalKeyMissing:
            if self._check_keys is None:
                raise
            self._check_keys(connection)
            return outgoing_message(replace(event, cipher=None))
