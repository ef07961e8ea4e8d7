"""The protocol `credentialprovider.kubelet.k8s.io/v1` (KEP-2133; service accounts: KEP-4412). Pure."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from regcred.apiclient.errors import ClientError
from regcred.plugins.image import repository

Json = dict[str, Any]

API_VERSION = "credentialprovider.kubelet.k8s.io/v1"
ACCOUNT_ANNOTATION = "regcred/account"
PROJECT_ANNOTATION = "regcred/project"
CREDENTIAL_ANNOTATION = "regcred/credential"
_MAX_WORKLOAD = 253  # characters of the name of a workload
_HASH_DIGITS = 16


class InvalidRequest(ClientError):
    """Standard input does not contain a request of the kubelet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """A request for the login of an image.

    `account`, `project`, `credential` (its name or id) and `workload` (the service account) are set if the
    kubelet is configured to send them.
    """

    image: str
    account: str | None
    project: str | None
    credential: str | None
    workload: str | None


def request(text: bytes) -> ProviderRequest:
    """Read a `CredentialProviderRequest`.

    Raises:
        InvalidRequest: `text` is something else. The message does not quote it.
    """
    try:
        document = json.loads(text)
        if (document["apiVersion"], document["kind"]) != (API_VERSION, "CredentialProviderRequest"):
            raise InvalidRequest(f"a CredentialProviderRequest of {API_VERSION} is expected")
        annotations = document.get("serviceAccountAnnotations") or {}
        account, project, credential = (
            None if annotations.get(name) is None else _text(annotations[name])
            for name in (ACCOUNT_ANNOTATION, PROJECT_ANNOTATION, CREDENTIAL_ANNOTATION)
        )
        token = document.get("serviceAccountToken")
        return ProviderRequest(
            image=_text(document["image"]),
            account=account,
            project=project,
            credential=credential,
            workload=_workload(_text(token)) if token else None,
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
        # The kubelet compares keys with the image in its own spelling.
        "auth": None
        if basic is None
        else {repository(image): {"username": basic["username"], "password": basic["password"]}},
    }


def _workload(token: str) -> str:
    """Return the service account of a token as a workload, `serviceaccount/<namespace>/<name>`.

    Namespace and name can be longer together than the name of a workload. The end is then replaced by a hash,
    so that different service accounts remain different workloads.

    The signature is not checked: the token comes from the kubelet itself. The name is only recorded in the
    audit trail and grants no right.
    """
    _, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
    name = f"{_text(claims['namespace'])}/{_text(claims['serviceaccount']['name'])}"
    if len(name) > _MAX_WORKLOAD:
        digits = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
        name = f"{name[: _MAX_WORKLOAD - _HASH_DIGITS - 1]}-{digits}"
    return f"serviceaccount/{name}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 the caller converts all errors into one
    return value
