"""The messages of events of this installation.

The personal data of an event may need a key that the key file of this process lacks.
"""

from collections.abc import Callable
from uuid import UUID

from msgspec.structs import replace

from chassis.database import Connection
from eventlog.broker import OutgoingMessage, outgoing_message
from eventlog.events import PersonalKeyMissing, StoredEvent
from secretstore.installation import installation_id

CheckKeys = Callable[[Connection], None]


class Messages:
    """Creates messages. `check_keys` raises if the key file of this process is older than the database."""

    def __init__(self, check_keys: CheckKeys | None) -> None:
        self._check_keys = check_keys
        self._installation_id: UUID | None = None

    def begin(self, connection: Connection) -> None:
        """Read the id of the installation. Call it for each new connection, because the id can change."""
        self._installation_id = installation_id(connection)

    def message(self, connection: Connection, event: StoredEvent) -> OutgoingMessage:
        """The message of an event.

        A service could store a key under a name that no key file has. Personal data under such a key is
        published as erased, so that it stops no other event.

        Raises:
            RuntimeError: before `begin`.
            KeyFileError: by `check_keys`; the event can be published when this process has the newer file.
        """
        if self._installation_id is None:
            raise RuntimeError("begin was not called")
        try:
            return outgoing_message(event, self._installation_id)
        except PersonalKeyMissing:
            if self._check_keys is None:
                raise
            self._check_keys(connection)
            return outgoing_message(replace(event, cipher=None), self._installation_id)
