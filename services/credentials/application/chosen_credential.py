"""The credential that a caller chooses for the images of its registry."""

from uuid import UUID

from credentials.application.store import CredentialStore
from credentials.domain.errors import CredentialNotFound


def chosen_credential(store: CredentialStore, account_id: str, chosen: UUID | str | None) -> UUID | None:
    """Return the id of the chosen credential, which is named by its id or its name. `None`: no choice.

    Raises:
        CredentialNotFound: the account has no such credential. The choice is not ignored, because the caller
            would get another credential.
    """
    if chosen is None:
        return None
    found = store.identified(account_id, chosen)
    if found is None:
        raise CredentialNotFound(chosen if isinstance(chosen, UUID) else None)
    return found
