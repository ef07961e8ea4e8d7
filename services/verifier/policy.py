"""Whenever a secret is added or rotated, or somebody asks: verify. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.credential import Active, fold
from contracts.credential_events import (
    CredentialAdded,
    CredentialSecretRotated,
    Registry,
    VerificationRequested,
)
from contracts.verification_events import Trigger
from eventlog.events import RecordedEvent
from registries.image_reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One login to be tried, and a good one on `image`, if there is one; `push`: it is declared for pushing.

    Its id is that of the event which asks for it: one event, one outcome.
    """

    id: UUID
    account_id: str
    credential_id: UUID
    registry: Registry
    secret_version: int
    trigger: Trigger
    image: ImageReference | None = None
    push: bool = False


def verification_for(event: RecordedEvent, history: Sequence[RecordedEvent]) -> Verification | None:
    """The verification that an event asks for, given the whole stream of its credential.

    `None` where it asks for none, the credential is gone, or its secret has been replaced since: the event
    that replaced it asks for its own.
    """
    image = None
    match event.payload:
        case CredentialAdded(credential_id=credential_id, secret=secret):
            trigger: Trigger = "added"
            version = secret.version
        case CredentialSecretRotated(credential_id=credential_id, secret=secret):
            trigger, version = "rotated", secret.version
        case VerificationRequested(credential_id=credential_id, secret_version=version, trigger=asked):
            trigger = asked
            image = _image(event.payload)
        case _:
            return None
    held = as_it_is(history)
    if held is None or held.secret.version != version:
        return None
    return Verification(
        id=event.event_id,
        account_id=event.metadata.account_id,
        credential_id=credential_id,
        registry=held.registry,
        secret_version=version,
        trigger=trigger,
        image=image if image and image.registry_host == held.registry.host else None,
        push=held.details.scope.push,
    )


def as_it_is(history: Sequence[RecordedEvent]) -> Active | None:
    """The credential of this stream; `None` where it was removed, or never was."""
    state = fold(event.payload for event in history)
    return state if isinstance(state, Active) else None


def _image(requested: VerificationRequested) -> ImageReference | None:
    return None if requested.image is None else ImageReference.parse(requested.image)
