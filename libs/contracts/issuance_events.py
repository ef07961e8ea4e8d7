"""Events of an issuance: one request for a pull secret, as a stream of its own.

The credentials service alone writes them, before it returns the secret. An issuance has one `secret.issued`
for each credential whose secret it issues, and one `secret.refused` for each registry and reason, with the
images without one.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta

from contracts.fields import (
    CredentialId,
    CredentialName,
    Image,
    ProjectId,
    RegistryHost,
    SecretVersion,
)
from eventlog.events import PERSONAL, event

MAX_IMAGES = 100  # of one request
MAX_REGISTRIES = 10  # of one request, so that a refusal of all images is a few events
MAX_REFUSED_CANDIDATES = 100

_FirstRefusalReason = Literal[  # of version 1, which is released
    "no_matching_credential", "no_eligible_credential", "identity_token", "login_refused", "secret_unreadable"
]
RefusalReason = Literal[_FirstRefusalReason, "one_login_per_host"]
Operation = Literal["pull", "push"]
SecretFormat = Literal["docker_config", "kubernetes_secret", "basic"]
_Operation = Annotated[Operation, Meta(description="What the project does with the images.")]
IssuanceId = Annotated[UUID, Meta(description="The request for the pull secret; the id of its stream.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What pulls the images: kind and name, as the deploy platform defines them."""

    kind: Annotated[
        str,
        Meta(min_length=1, max_length=63, description="Such as `deployment` or `job`.", extra=PERSONAL),
    ]
    name: Annotated[
        str,
        Meta(min_length=1, max_length=253, description="Its name within the project.", extra=PERSONAL),
    ]


@event("secret.issued", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SecretIssued:
    """The secret of a credential was issued to a project, to pull these images."""

    issuance_id: IssuanceId
    project_id: ProjectId
    workload: Workload
    registry_host: RegistryHost
    images: Annotated[
        tuple[Image, ...],
        Meta(min_length=1, max_length=MAX_IMAGES, description="The images it was issued for."),
    ]
    credential_id: CredentialId
    credential_name: CredentialName
    secret_version: SecretVersion
    format: Annotated[SecretFormat, Meta(description="The format in which it was issued.")]


def _issued_since_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 is always of a pull."""
    return {**data, "operation": "pull"}


@event("secret.issued", version=2, upcast=_issued_since_1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SecretIssuedV2:
    """The secret of a credential was issued to a project, to pull or push these images.

    An issuance to pull is still written in version 1, which consumers of 0.9.0 know.
    """

    issuance_id: IssuanceId
    project_id: ProjectId
    workload: Workload
    registry_host: RegistryHost
    images: Annotated[
        tuple[Image, ...],
        Meta(min_length=1, max_length=MAX_IMAGES, description="The images it was issued for."),
    ]
    credential_id: CredentialId
    credential_name: CredentialName
    secret_version: SecretVersion
    format: Annotated[SecretFormat, Meta(description="The format in which it was issued.")]
    operation: _Operation


_FIRST_REASONS = (
    "The account has no credential for that registry; it has one, but not for this project or image; the "
    "secret is an identity token, which has no such format; the cloud refuses the stored keys; the stored "
    "secret cannot be read any more"
)
_FirstReason = Annotated[_FirstRefusalReason, Meta(description=f"{_FIRST_REASONS}.")]
_Reason = Annotated[
    RefusalReason,
    Meta(
        description=f"{_FIRST_REASONS}; the client looks up one login for each host, and another credential "
        "has it."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCandidate:
    """A credential of that registry that the project could not use for that image."""

    credential_id: CredentialId
    reason: Annotated[
        str,
        Meta(
            max_length=32,
            description="`not_chosen`, `other_repository`, `restricted`, `no_pull_scope`, `frozen` or "
            "`expired`.",
        ),
    ]


@event("secret.refused", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRefused:
    """A project requested a secret to pull this image, and none was issued.

    With `anonymous`, the caller accepts to pull without a credential if the account has none. The other
    images of its request were handled.
    """

    issuance_id: IssuanceId
    project_id: ProjectId
    workload: Workload
    registry_host: RegistryHost
    image: Image
    reason: _FirstReason
    anonymous: Annotated[bool, Meta(description="The caller continues without a secret.")]
    candidates: Annotated[
        tuple[RefusedCandidate, ...],
        Meta(
            max_length=MAX_REFUSED_CANDIDATES,
            description="The credentials of that registry, each with the reason.",
        ),
    ]


def _refused_since_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one image."""
    return {**{name: value for name, value in data.items() if name != "image"}, "images": [data["image"]]}


@event("secret.refused", version=2, upcast=_refused_since_1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRefusedV2:
    """A project requested a secret to pull or push these images of a registry, and none was issued.

    With `anonymous`, the caller accepts to pull them without a credential. The reason is then that the
    account has no credential for the registry, or none that the project may use. The other images of its
    request were handled.
    """

    issuance_id: IssuanceId
    project_id: ProjectId
    workload: Workload
    registry_host: RegistryHost
    images: Annotated[
        tuple[Image, ...],
        Meta(min_length=1, max_length=MAX_IMAGES, description="The images, all refused for this reason."),
    ]
    reason: _Reason
    anonymous: Annotated[bool, Meta(description="The caller continues without a secret.")]
    candidates: Annotated[
        tuple[RefusedCandidate, ...],
        Meta(
            max_length=MAX_REFUSED_CANDIDATES,
            description="The credentials of that registry, each with its reasons. With `other_repository`, "
            "none of its prefixes covers one of the images.",
        ),
    ]
    operation: _Operation = "pull"
