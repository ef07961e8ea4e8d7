"""Events of a service token, each token in a stream of its own. The credentials service writes them.

They belong to the account of the token. If the token is valid for several accounts or for all, they belong to
the installation, whose account id is `*`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from contracts.fields import ProjectId
from eventlog.events import PERSONAL, event

INSTALLATION = "*"  # no account of the platform can have this id

TokenId = Annotated[
    str, Meta(min_length=1, max_length=64, description="The token; its id is part of its text.")
]
TokenName = Annotated[
    str, Meta(min_length=1, max_length=100, description="Name of the token.", extra=PERSONAL)
]
Scope = Annotated[str, Meta(min_length=1, max_length=64, description="A scope, such as `secrets:issue`.")]
AccountId = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9-]*$",
        max_length=63,
        description="Id of an account of the deploy platform.",
    ),
]
TokenExpiry = Annotated[datetime, Meta(tz=True, description="When the token expires, RFC 3339; null: never.")]
Scopes = Annotated[tuple[Scope, ...], Meta(max_length=100, description="What the token allows.")]
AccountIds = Annotated[tuple[AccountId, ...], Meta(max_length=1000, description="Its accounts; null: all.")]
ProjectIds = Annotated[tuple[ProjectId, ...], Meta(max_length=1000, description="Its projects; null: all.")]


@event("service_token.created", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTokenCreated:
    """A service token was created. Null `accounts` or `projects` are all of them."""

    token_id: TokenId
    name: TokenName
    scopes: Scopes
    accounts: AccountIds | None
    projects: ProjectIds | None
    expires_at: TokenExpiry | None


@event("service_token.revoked", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTokenRevoked:
    """A service token was revoked. Every process refuses it within two seconds."""

    token_id: TokenId
    name: TokenName
