"""Refusals of the domain. Invalid input is `chassis.invalid_input.InvalidInput`.

Refused
├── CredentialNotFound   the account has no credential with that id, or it was removed
├── CredentialInUse      workloads use or lose it, and the command is not forced
├── NoFormerSecret       the secret was never rotated
├── FormerSecretGone     the grace of the last rotation is over, or the former secret cannot be read
├── RotationDiscarded    the new secret was not verified, or the requested rotation is not possible any more
├── NameTaken            another credential of the account has that name
├── StaleVersion         the caller decided on another version
└── TooManyCredentials   the account has as many as it may have
"""

from collections.abc import Sequence
from uuid import UUID

from contracts.credential_events import WhyDiscarded
from contracts.verdicts import VerificationCode
from credentials.domain.commands import WorkloadUsage


class Refused(Exception):
    """A command was refused. The attributes have the details."""


class CredentialNotFound(Refused):
    def __init__(self, credential_id: UUID | None) -> None:
        super().__init__("no such credential")
        self.credential_id = credential_id


class CredentialInUse(Refused):
    def __init__(self, usages: Sequence[WorkloadUsage]) -> None:
        super().__init__(f"{len(usages)} workloads use the credential")
        self.usages = usages


class NoFormerSecret(Refused):
    def __init__(self) -> None:
        super().__init__("the secret was never rotated")


class FormerSecretGone(Refused):
    def __init__(self) -> None:
        super().__init__("the former secret cannot be read any more")


class RotationDiscarded(Refused):
    """A requested rotation was discarded. `code` and `detail` are those of the login at `provider`."""

    def __init__(
        self, reason: WhyDiscarded, provider: str, code: VerificationCode | None, detail: str | None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.provider = provider
        self.code = code
        self.detail = detail


class NameTaken(Refused):
    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name!r} is taken")
        self.name = name


class StaleVersion(Refused):
    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"the credential is at version {actual}, not {expected}")
        self.expected = expected
        self.actual = actual


class TooManyCredentials(Refused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"the account has {limit} credentials")
        self.limit = limit
