"""The kubelet's side: `credentialprovider.kubelet.k8s.io/v1` (KEP-2133; service accounts: KEP-4412). Pure."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from regcred.apiclient.errors import ClientError

Json = dict[str, Any]

API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
PROJECT_ANNOTATION = "regcred/project"


class InvalidRequest(ClientError):
    """Standard input holds no request of the kubelet's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """An image to be pulled. `project` and `service_account` (`namespace/name`) where the kubelet was
    configured to say them.
    """

    image: str
    project: str | None
    service_account: str | None


def request(text: bytes) -> ProviderRequest:
    """Read a `CredentialProviderRequest`.

    Raises:
        InvalidRequest: it is something else. The message quotes nothing of it.
    """
    try:
        document = json.loads(text)
        if (document["apiVersion"], document["kind"]) != (API_VERSION, "CredentialProviderRequest"):
            raise InvalidRequest(f"a CredentialProviderRequest of {API_VERSION} is expected")
        project = (document.get("serviceAccountAnnotations") or {}).get(PROJECT_ANNOTATION)
        token = document.get("serviceAccountToken")
        return ProviderRequest(
            image=_text(document["image"]),
            project=None if project is None else _text(project),
            service_account=_service_account(_text(token)) if token else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidRequest("standard input holds no CredentialProviderRequest") from None


def response(image: str, basic: Json | None) -> Json:
    """A `CredentialProviderResponse`: `basic` is the login for that image, `None` where there is none.

    It is never cached: what was restricted or removed must be refused at the very next pull, and every pull
    is to be in the audit log.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Image",
        "cacheDuration": "0s",
        "auth": None
        if basic is None
        else {_repository(image): {"username": basic["username"], "password": basic["password"]}},
    }


def _repository(image: str) -> str:
    """The image without tag and digest: the kubelet compares keys with that, in the spelling that it sent."""
    name = image.partition("@")[0]
    directory, slash, last = name.rpartition("/")
    return f"{directory}{slash}{last.partition(':')[0]}"


def _service_account(token: str) -> str:
    """Whose token it is. The kubelet made it and hands it over itself, so its signature is not looked at: it
    only says what stands in the audit log, and gives no right to anything.
    """
    _, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
    return f"{_text(claims['namespace'])}/{_text(claims['serviceaccount']['name'])}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 the caller makes one error of all that may be wrong
    return value
