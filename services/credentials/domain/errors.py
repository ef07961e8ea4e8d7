"""What the domain refuses. Bad input is `chassis.invalid_input.InvalidInput`.

Refused
├── CredentialNotFound   there is none with that id in the account, or it was removed
├── CredentialInUse      workloads use it, and nobody said to remove it all the same
├── NameTaken            another credential of the account has that name
└── StaleVersion         the caller decided on an older version
"""

from collections.abc import Sequence
from uuid import UUID

from credentials.domain.commands import WorkloadUsage


class Refused(Exception):
    """A command that cannot be carried out, with the facts that say why."""


class CredentialNotFound(Refused):
    def __init__(self, credential_id: UUID | None) -> None:
        super().__init__("no such credential")
        self.credential_id = credential_id


class CredentialInUse(Refused):
    def __init__(self, usages: Sequence[WorkloadUsage]) -> None:
        super().__init__(f"{len(usages)} workloads use the credential")
        self.usages = usages


class NameTaken(Refused):
    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name!r} is taken")
        self.name = name


class StaleVersion(Refused):
    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"the credential is at version {actual}, not {expected}")
        self.expected = expected
        self.actual = actual
