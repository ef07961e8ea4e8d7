"""A login that a cloud made, and how long it is good for."""

from dataclasses import dataclass
from datetime import datetime

from registries.logins.registry_login import RegistryLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """`expires_at` is `None` for a login that was not made but kept."""

    login: RegistryLogin
    expires_at: datetime | None
