"""The base class of errors for dependencies that cannot be reached.

Unavailable
├── chassis.database.DatabaseUnavailable                   PostgreSQL
│   └── eventlog.storage.EventStoreUnavailable             the same, while the log is read or written
├── eventlog.storage.LowerTransactionIds                   the log was restored and has to be adopted
├── credentials.relay.lost_events.PublishedEventsLost       the broker has events that the log lost
├── eventlog.events.PersonalKeyMissing                     the process has an older key file than the data
├── secretstore.store.SecretStoreUnavailable               Vault or the encrypted table
└── chassis.authentication.errors.IssuerUnavailable        the keys of a token issuer

The HTTP APIs respond to each with 503 (`chassis.web.problems`). Consumers of the log wait and retry.
"""


class Unavailable(Exception):
    """A dependency cannot be reached now. The same request may succeed later.

    Attributes:
        code: stable code of the problem document.
        sentence: the detail of the problem document.
        retry_after: seconds after which the caller may retry.
    """

    code = "unavailable"
    sentence = "a dependency cannot be reached now"
    retry_after = 5
