"""What the verifier's own tables hold, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.credential_events import Registry
from eventlog.events import RecordedEvent
from verifier.policy import Verification, as_it_is

# Usernames that stand for no user: behind them are the keys and tokens of everybody.
_SHARED_NAMES = frozenset({"_json_key", "_json_key_base64", "oauth2accesstoken", "AWS", "<token>"})


def hold_name(username: str, account_id: str) -> str:
    """Who is held back after a refusal: the user; of a name that all share, this account's use of it alone,
    so that no account's wrong key makes the others wait.
    """
    return f"{username} of {account_id}" if username in _SHARED_NAMES else username


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nobody logs in as that user until then, because a login ended with `outcome`."""

    until: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry:
    """A credential as its stream has it, at that version of the stream; `username` is its `hold_name`."""

    credential_id: UUID
    stream_version: int
    account_id: str
    provider: str
    registry_host: str
    username: str
    secret_version: int
    expires_at: datetime | None

    @classmethod
    def of(cls, history: Sequence[RecordedEvent]) -> "ScheduleEntry | None":
        """`None` for a credential that was removed, or never was."""
        held = as_it_is(history)
        if held is None:
            return None
        return cls(
            credential_id=history[0].stream.id,
            stream_version=history[-1].version,
            account_id=history[0].metadata.account_id,
            provider=held.registry.provider,
            registry_host=held.registry.host,
            username=hold_name(held.username, history[0].metadata.account_id),
            secret_version=held.secret.version,
            expires_at=held.details.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A credential whose turn has come, and what is known of its last login."""

    credential_id: UUID
    account_id: str
    provider: str
    registry_host: str
    username: str
    secret_version: int
    stage: int
    outcome: str | None
    recorded_at: datetime | None
    failures: int

    def verification(self, verification_id: UUID) -> Verification:
        """The login to be tried."""
        return Verification(
            id=verification_id,
            account_id=self.account_id,
            credential_id=self.credential_id,
            registry=Registry(provider=self.provider, host=self.registry_host, location=None),
            secret_version=self.secret_version,
            trigger="scheduled",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a login ended, and when the next one is due (`None`: not by itself)."""

    credential_id: UUID
    secret_version: int
    registry_host: str
    username: str
    outcome: str
    recorded_at: datetime | None  # None: it was not recorded
    failures: int
    due_at: datetime | None
    secret_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """A verification that an event of that credential asks for, and that had to wait."""

    event_id: UUID
    credential_id: UUID
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryNotice:
    """A credential of whose expiry a notice may be due. `last_notice_days` is what the last one said."""

    credential_id: UUID
    account_id: str
    provider: str
    registry_host: str
    secret_version: int
    expires_at: datetime
    last_notice_days: int | None
