"""Which credential would be used for an image: asked, not used. Decided on what is certain at this moment."""

from credentials.application.store import CredentialStore
from credentials.domain.matching import Match, RequestedUse, match
from registries.image_reference import ImageReference


def resolve(store: CredentialStore, account_id: str, image: ImageReference, use: RequestedUse) -> Match:
    """Match the image against the account's credentials. Raises `EventStoreError`."""
    return match(image, store.candidates(account_id, [image.registry_host]), use)
