"""Rows of the verifier's own tables, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from unicodedata import normalize
from uuid import UUID

from contracts.credential_events import Registry
from eventlog.events import RecordedEvent
from verifier.policy import Verification, active_credential

# Usernames that all keys or tokens of a kind share. They do not identify a user.
_SHARED_NAMES = frozenset({"_json_key", "_json_key_base64", "oauth2accesstoken", "AWS", "<token>"})


def hold_name(username: str, account_id: str) -> str:
    """The name under which a user is held back after a refusal.

    A shared username is combined with the account, so that the wrong key of one account does not delay
    others.
    """
    return f"{username} of {account_id}" if username in _SHARED_NAMES else username


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLogin:
    """Which logins wait after a refusal: those of this user, at this registry, by this account."""

    registry_host: str
    name: str
    account_id: str

    @classmethod
    def of(cls, registry_host: str, username: str, account_id: str) -> "HeldLogin":
        """`username` is a username, or its `hold_name`.

        Its spellings count as one user, because most registries ignore the case of a username and the
        compatibility forms of its characters. If a registry tells them apart, both users wait. That a
        username and an email address are of the same user cannot be known here.
        """
        name = hold_name(username, account_id)
        if not name.endswith(f" of {account_id}"):
            name = "".join(normalize("NFKC", name).casefold().split())
        return cls(registry_host=registry_host, name=name, account_id=account_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Logins of a user are held back until `until`, because a login had this `outcome`."""

    until: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry:
    """A credential at one version of its stream. `username` is its `hold_name`."""

    credential_id: UUID
    stream_version: int
    account_id: str
    provider: str
    registry_host: str
    username: str
    secret_version: int
    expires_at: datetime | None
    additional_hosts: list[str]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host to log in to, that of the registry first."""
        return (self.registry_host, *self.additional_hosts)

    @classmethod
    def of(cls, history: Sequence[RecordedEvent]) -> "ScheduleEntry | None":
        """The entry for a stream; `None` if the credential was removed or does not exist."""
        credential = active_credential(history)
        if credential is None:
            return None
        return cls(
            credential_id=history[0].stream.id,
            stream_version=history[-1].version,
            account_id=history[0].metadata.account_id,
            provider=credential.registry.provider,
            registry_host=credential.registry.host,
            username=hold_name(credential.username, history[0].metadata.account_id),
            secret_version=credential.secret.version,
            expires_at=credential.details.expires_at,
            additional_hosts=list(credential.besides.additional_hosts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A credential that is due, with the outcome of its last login."""

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
    additional_hosts: list[str]

    def verification(self, verification_id: UUID) -> Verification:
        """The verification to run."""
        return Verification(
            id=verification_id,
            account_id=self.account_id,
            credential_id=self.credential_id,
            registry=Registry(provider=self.provider, host=self.registry_host, location=None),
            username=self.username,
            secret_version=self.secret_version,
            trigger="scheduled",
            additional_hosts=tuple(self.additional_hosts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of a login, and when the next one is due (`None`: the schedule does not try it again)."""

    credential_id: UUID
    secret_version: int
    registry_host: str
    username: str
    outcome: str
    recorded_at: datetime | None  # `None`: the outcome was not recorded in the log
    failures: int
    due_at: datetime | None
    secret_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """A verification that an event of the credential requested and that has to wait."""

    event_id: UUID
    credential_id: UUID
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryNotice:
    """A credential for which a notice may be due. `last_notice_days` is the number in the last notice."""

    credential_id: UUID
    account_id: str
    provider: str
    registry_host: str
    secret_version: int
    expires_at: datetime
    last_notice_days: int | None
