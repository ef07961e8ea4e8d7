"""Get the credential that a page is about."""

from dataclasses import dataclass
from uuid import UUID

from console.request_context import api
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

PATH = "/accounts/<account>/credentials/<uuid:credential_id>"


@dataclass(frozen=True, slots=True)
class OneCredential:
    """A credential from the API. `path` is its path in the API, and `version` is sent with a change."""

    path: str
    body: Json
    version: str


def read(account: str, credential_id: UUID) -> OneCredential:
    """The current state of the credential. Raises `ApiError`."""
    path = account_path(account, "credentials", str(credential_id))
    response = api().get(path)
    return OneCredential(path, response.body, response.version)
