"""Requests of Docker's clients and of the kubelet, and their responses."""

import base64
import json
from typing import Any

import pytest

from regcred.credential_helper import protocol as docker
from regcred.kubelet_provider import protocol as kubelet
from regcred.kubelet_provider.protocol import InvalidRequest, ProviderRequest

REQUEST = {
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "kind": "CredentialProviderRequest",
    "image": "ghcr.io/acme/shop",
}
BASIC = {"username": "octo", "password": "right-horse"}


def test_a_login_is_returned_to_docker() -> None:
    entry = {**BASIC, "auth": "b2N0bzpyaWdodC1ob3JzZQ=="}
    assert docker.login("ghcr.io", {"auths": {"ghcr.io": entry}}) == {
        "ServerURL": "ghcr.io",
        "Username": "octo",
        "Secret": "right-horse",
    }
    token = {"auth": "PHRva2VuPjo=", "identitytoken": "an-identity-token"}
    assert docker.login("reg.azurecr.io", {"auths": {"reg.azurecr.io": token}}) == {
        "ServerURL": "reg.azurecr.io",
        "Username": "<token>",
        "Secret": "an-identity-token",
    }
    assert docker.login("ghcr.io", {"auths": {}}) is None


def test_registries_are_listed_for_docker() -> None:
    credentials = [
        {"registry_host": host, "username": "octo", "scope": {"pull": pull, "push": True}}
        for host, pull in (("docker.io", True), ("ghcr.io", True), ("quay.io", False))
    ]
    assert docker.listed(credentials) == {"https://index.docker.io/v1/": "octo", "ghcr.io": "octo"}


def service_account_token(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_requests_of_the_kubelet_are_read() -> None:
    plain = ProviderRequest(image="ghcr.io/acme/shop", project=None, service_account=None)
    assert kubelet.request(json.dumps(REQUEST).encode()) == plain
    claims = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "web"}}}
    whole = {
        **REQUEST,
        "serviceAccountToken": service_account_token(claims),
        "serviceAccountAnnotations": {"regcred/project": "shop", "other": "x"},
    }
    assert kubelet.request(json.dumps(whole).encode()) == ProviderRequest(
        image="ghcr.io/acme/shop", project="shop", service_account="prod/web"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"apiVersion": "credentialprovider.kubelet.k8s.io/v1beta1"},
        {"kind": "CredentialProviderResponse"},
        {"image": 1},
        {"serviceAccountToken": "canary"},
        {"serviceAccountToken": "e30.canary.sig"},
        {"serviceAccountToken": service_account_token({"sub": "canary"})},
        {"serviceAccountAnnotations": ["canary"]},
        {"serviceAccountAnnotations": {"regcred/project": 1}},
    ],
)
def test_an_invalid_request_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        kubelet.request(json.dumps({**REQUEST, **changes}).encode())
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_invalid_json_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        kubelet.request(text)


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("docker.io/library/nginx", "docker.io/library/nginx"),
        ("ghcr.io/acme/shop:1.4", "ghcr.io/acme/shop"),
        ("reg.example.com:5000/shop", "reg.example.com:5000/shop"),
        (f"reg.example.com:5000/team/shop:1@sha256:{'a' * 64}", "reg.example.com:5000/team/shop"),
    ],
)
def test_the_key_of_a_response_is_the_repository(image: str, key: str) -> None:
    answer = kubelet.response(image, BASIC)
    assert answer["auth"] == {key: BASIC}
    assert (answer["cacheKeyType"], answer["cacheDuration"]) == ("Image", "0s")
    assert kubelet.response(image, None)["auth"] is None
