"""What the fields of events may hold: bounds and meaning, as they stand in the published schemas.

Bounds hold when an event is written (`eventlog.events.codec.encode`), so that whoever reads one may rely on
them. They are never narrower than what the domain lets in; a field of a released event never gets others.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from eventlog.events import PERSONAL

_MAX_INT32 = 2**31 - 1

CredentialId = Annotated[UUID, Meta(description="The credential; the same for all its life.")]
CheckedAt = Annotated[datetime, Meta(tz=True, description="When the login ended, RFC 3339.")]
ExpiresAt = Annotated[
    datetime, Meta(tz=True, description="When the secret ends, as its owner says, RFC 3339; null: not known.")
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
Location = Annotated[str, Meta(max_length=64, description="Google location that the host follows from.")]
Username = Annotated[
    str, Meta(max_length=512, description="Username of the login; never a secret.", extra=PERSONAL)
]
ProjectId = Annotated[
    str,
    Meta(pattern="^[A-Za-z0-9][A-Za-z0-9-]*$", max_length=63, description="The platform's id of a project."),
]
RepositoryPrefix = Annotated[
    str, Meta(min_length=1, max_length=255, description="Repositories below this path only, such as `acme/`.")
]
Image = Annotated[
    str, Meta(min_length=1, max_length=1024, description="The image reference in its one spelling.")
]

SecretVersion = Annotated[
    int, Meta(ge=1, le=_MAX_INT32, description="Version of the secret in the secret store, from 1.")
]
Fingerprint = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{32}$",
        description="Keyed HMAC-SHA-256 of the secret, shortened: equal where two secrets are, no other use.",
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
    str, Meta(max_length=500, description="What its owner wrote about it.", extra=PERSONAL)
]
Reason = Annotated[
    str, Meta(max_length=500, description="What the person who did it gave as reason.", extra=PERSONAL)
]
Detail = Annotated[
    str, Meta(max_length=500, description="One sentence for people; holds nothing that a registry sent.")
]
DurationMs = Annotated[
    int, Meta(ge=0, le=_MAX_INT32, description="How long the login took, in milliseconds.")
]
RetryAfter = Annotated[
    int, Meta(ge=0, le=_MAX_INT32, description="Seconds after which the registry wants to be asked again.")
]
