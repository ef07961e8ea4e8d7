"""Which events request a verification: a secret was added or rotated, or a caller requested it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.credential import Active, fold
from contracts.credential_events import (
    CredentialAdded,
    CredentialHostsChanged,
    CredentialRotationRequested,
    CredentialSecretRotated,
    Registry,
    VerificationRequested,
)
from contracts.verification_events import Trigger
from eventlog.events import RecordedEvent
from registries.image_reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One login to be verified.

    An accepted login is also tested on `image`, if there is one. `push`: the scope of the credential includes
    pushing.

    The id of a requested verification is that of the event, so that an event has one outcome. That of a
    requested rotation is its `rotation_id`: its secret is not the current one.
    """

    id: UUID
    account_id: str
    credential_id: UUID
    registry: Registry
    username: str
    secret_version: int
    trigger: Trigger
    image: ImageReference | None = None
    push: bool = False
    additional_hosts: tuple[str, ...] = ()
    rotation_id: UUID | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host to log in to, that of the registry first."""
        return (self.registry.host, *self.additional_hosts)


def verification_for(event: RecordedEvent, history: Sequence[RecordedEvent]) -> Verification | None:
    """The verification that an event requests. `history` has the events that determine its credential.

    `None` if the event requests none, the credential was removed, or its secret or hosts were replaced later:
    the event that replaced them requests its own verification.
    """
    image = None
    credential = active_credential(history)
    if credential is None:
        return None
    match event.payload:
        case CredentialAdded(credential_id=credential_id, secret=secret):
            trigger: Trigger = "added"
            version = secret.version
        case CredentialSecretRotated(credential_id=credential_id, secret=secret):
            trigger, version = "rotated", secret.version
        case VerificationRequested(credential_id=credential_id, secret_version=version, trigger=requested):
            trigger = requested
            image = _image(event.payload)
        case CredentialRotationRequested():
            return _of_rotation(event, event.payload, credential)
        case CredentialHostsChanged(credential_id=credential_id, hosts=hosts):
            if hosts != credential.besides or _with_new_secret(event, history):
                return None
            trigger, version = "requested", credential.secret.version
        case _:
            return None
    if credential.secret.version != version:
        return None
    return Verification(
        id=event.event_id,
        account_id=event.metadata.account_id,
        credential_id=credential_id,
        registry=credential.registry,
        username=credential.username,
        secret_version=version,
        trigger=trigger,
        image=image if image and image.registry_host in credential.hosts else None,
        push=credential.details.scope.push,
        additional_hosts=credential.besides.additional_hosts,
    )


def _of_rotation(
    event: RecordedEvent, requested: CredentialRotationRequested, credential: Active
) -> Verification | None:
    if credential.requested is None or credential.requested.rotation_id != requested.rotation_id:
        return None
    return Verification(
        id=requested.rotation_id,
        account_id=event.metadata.account_id,
        credential_id=requested.credential_id,
        registry=requested.registry,
        username=requested.username,
        secret_version=requested.secret.version,
        trigger="rotated",
        additional_hosts=tuple(
            host for host in credential.besides.additional_hosts if host != requested.registry.host
        ),
        rotation_id=requested.rotation_id,
    )


def active_credential(history: Sequence[RecordedEvent]) -> Active | None:
    """The credential that these events determine; `None` if it was removed or does not exist."""
    state = fold(event.payload for event in history)
    return state if isinstance(state, Active) else None


def _with_new_secret(event: RecordedEvent, history: Sequence[RecordedEvent]) -> bool:
    """Whether the request that changed the hosts also set the secret, which is verified at all of them."""
    return any(
        isinstance(other.payload, CredentialAdded | CredentialSecretRotated)
        and abs(other.version - event.version) == 1
        and other.metadata == event.metadata
        for other in history
    )


def _image(requested: VerificationRequested) -> ImageReference | None:
    return None if requested.image is None else ImageReference.of_event(requested.image)
