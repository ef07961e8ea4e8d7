"""The protocol `credentialprovider.kubelet.k8s.io/v1` (KEP-2133; service accounts: KEP-4412). Pure."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from regcred.apiclient.errors import ClientError

Json = dict[str, Any]

API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
PROJECT_ANNOTATION = "regcred/project"


class InvalidRequest(ClientError):
    """Standard input does not contain a request of the kubelet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """A request for the login of an image.

    `project` and `service_account` (`namespace/name`) are set if the kubelet is configured to send them.
    """

    image: str
    project: str | None
    service_account: str | None


def request(text: bytes) -> ProviderRequest:
    """Read a `CredentialProviderRequest`.

    Raises:
        InvalidRequest: `text` is something else. The message does not quote it.
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
        raise InvalidRequest("standard input is not a CredentialProviderRequest") from None


def response(image: str, basic: Json | None) -> Json:
    """Return a `CredentialProviderResponse`. `basic` is the login for the image, or `None` without one.

    The kubelet must not cache it: a restricted or removed credential must be refused at the next pull, and
    the audit trail must contain every pull.
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
    """The image without tag and digest, spelled as in the request. The kubelet compares keys with it."""
    name = image.partition("@")[0]
    directory, slash, last = name.rpartition("/")
    return f"{directory}{slash}{last.partition(':')[0]}"


def _service_account(token: str) -> str:
    """Return the service account of a token, as `namespace/name`.

    The signature is not checked: the token comes from the kubelet itself. The name is only recorded in the
    audit trail and grants no right.
    """
    _, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
    return f"{_text(claims['namespace'])}/{_text(claims['serviceaccount']['name'])}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 the caller converts all errors into one
    return value
