"""Bounds and meaning of the fields of events, as the published schemas have them.

`eventlog.events.codec.encode` checks the bounds when an event is written, so that consumers can rely on them.
They are never narrower than what the domain accepts. The bounds of a field in a released event never change.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from eventlog.events import INTERNAL, PERSONAL

_MAX_INT32 = 2**31 - 1

CredentialId = Annotated[UUID, Meta(description="The credential; its id never changes.")]
CheckedAt = Annotated[datetime, Meta(tz=True, description="When the login ended, RFC 3339.")]
ExpiresAt = Annotated[
    datetime,
    Meta(tz=True, description="When the secret expires, as its owner entered it, RFC 3339; null: not known."),
]

ProviderId = Annotated[
    str,
    Meta(
        pattern="^[a-z][a-z0-9_]*$", max_length=32, description="Id of the provider, see `GET /v1/providers`."
    ),
]
RegistryHost = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=262,
        description="Canonical `host[:port]` of the registry, such as `registry.example.com:5000`.",
    ),
]
Location = Annotated[str, Meta(max_length=64, description="The Google location that determines the host.")]
Username = Annotated[
    str, Meta(max_length=512, description="Username of the login; never a secret.", extra=PERSONAL)
]
ProjectId = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9-]*$",
        max_length=63,
        description="Id of a project of the deploy platform.",
    ),
]
RepositoryPrefix = Annotated[
    str, Meta(min_length=1, max_length=255, description="Only repositories below this path, such as `acme/`.")
]
Image = Annotated[
    str, Meta(min_length=1, max_length=1024, description="The image reference in its canonical form.")
]

SecretVersion = Annotated[
    int, Meta(ge=1, le=_MAX_INT32, description="Version of the secret in the secret store, from 1.")
]
Fingerprint = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{32}$",
        description="In messages and proofs: zeros. In the log: a keyed HMAC-SHA-256 of account, credential "
        "and secret, shortened.",
        extra=INTERNAL,
    ),
]
CredentialName = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=39,
        description="Name of the credential, unique in its account.",
        extra=PERSONAL,
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=500, description="The description that the owner of the credential wrote.", extra=PERSONAL
    ),
]
Reason = Annotated[str, Meta(max_length=500, description="The reason that the caller gave.", extra=PERSONAL)]
Detail = Annotated[
    str, Meta(max_length=500, description="One sentence for users. It contains nothing that a registry sent.")
]
DurationMs = Annotated[
    int, Meta(ge=0, le=_MAX_INT32, description="How long the login took, in milliseconds.")
]
RetryAfter = Annotated[
    int, Meta(ge=0, le=_MAX_INT32, description="Seconds after which the registry accepts another request.")
]
