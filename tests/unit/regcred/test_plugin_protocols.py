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
    spellings = {"auths": {"ghcr.io": entry, "ghcr.io:443": entry}}
    assert (docker.login("ghcr.io:443/acme/shop", spellings) or {})["ServerURL"] == "ghcr.io:443/acme/shop"


def test_registries_are_listed_for_docker() -> None:
    registries = [{"registry_host": host, "username": "octo"} for host in ("docker.io", "ghcr.io")]
    assert docker.listed(registries) == {"https://index.docker.io/v1/": "octo", "ghcr.io": "octo"}


@pytest.mark.parametrize(
    "server", ["ghcr.io", "localhost:5000", "https://index.docker.io/v1/", "quay.io/v2", "shop"]
)
def test_a_host_is_requested_as_a_registry(server: str) -> None:
    assert docker.wanted(server) == {"registry_host": server}  # the API judges the host


@pytest.mark.parametrize(
    ("server", "repository"),
    [
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
        ("ghcr.io/acme/", "ghcr.io/acme"),
        ("https://ghcr.io/acme/shop", "ghcr.io/acme/shop"),
        ("HTTPS://ghcr.io/v2/acme/shop/", "ghcr.io/acme/shop"),
        ("https://index.docker.io/v1/acme/shop", "index.docker.io/acme/shop"),
        ("ghcr.io/v1/shop", "ghcr.io/v1/shop"),
        ("http://reg.example.com/shop", "reg.example.com:80/shop"),
        ("http://[::1]/shop", "[::1]:80/shop"),
        ("http://reg:5000/shop", "reg:5000/shop"),
        ("localhost/shop", "localhost/shop"),
    ],
)
def test_a_host_with_a_path_is_requested_as_a_repository(server: str, repository: str) -> None:
    assert docker.wanted(server) == {"repository": repository}


def test_a_repository_with_a_tag_is_requested_as_an_image() -> None:
    assert docker.wanted("ghcr.io/acme/shop:1.4") == {"images": ["ghcr.io/acme/shop:1.4"]}


@pytest.mark.parametrize(
    "server",
    [
        "oci://ghcr.io",
        "oci://ghcr.io/charts",
        "://ghcr.io/x",
        "https://index.docker.io/v1/access-token",
        "https://index.docker.io/v1/refresh-token",
        "index.docker.io/v1/refresh-token/",
        "https://octo@ghcr.io",
        "https://octo:canary@ghcr.io/acme/shop",
        "registry/acme/shop",  # as an image it would be one of Docker Hub
        "https://git/acme",
        "/acme",
        "ghcr.io/" + "a" * 2000,
    ],
)
def test_no_login_is_requested_for_a_server_that_is_not_a_registry(server: str) -> None:
    assert docker.wanted(server) is None


def service_account_token(claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_requests_of_the_kubelet_are_read() -> None:
    plain = ProviderRequest(
        image="ghcr.io/acme/shop", account=None, project=None, credential=None, workload=None
    )
    assert kubelet.request(json.dumps(REQUEST).encode()) == plain
    claims = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "web"}}}
    whole = {
        **REQUEST,
        "serviceAccountToken": service_account_token(claims),
        "serviceAccountAnnotations": {"regcred/project": "shop", "regcred/credential": "Hub", "other": "x"},
    }
    assert kubelet.request(json.dumps(whole).encode()) == ProviderRequest(
        image="ghcr.io/acme/shop",
        account=None,
        project="shop",
        credential="Hub",
        workload="serviceaccount/prod/web",
    )


def test_a_long_name_of_a_service_account_is_shortened_to_a_workload() -> None:
    def workload(namespace: str, name: str) -> str:
        claims = {"kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name}}}
        document = {**REQUEST, "serviceAccountToken": service_account_token(claims)}
        found = kubelet.request(json.dumps(document).encode()).workload
        assert found is not None
        return found

    space, longest = "n" * 63, "a" * 253
    names = [workload(space, longest), workload(space, f"{longest[:-1]}b"), workload(space, "a" * 190)]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {len("serviceaccount/") + 253}
    assert all(name.startswith(f"serviceaccount/{space}/aaa") for name in names)
    assert workload(space, longest) == names[0]
    assert workload(space, "a" * 189) == f"serviceaccount/{space}/{'a' * 189}"


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
        {"serviceAccountAnnotations": {"regcred/credential": ["canary"]}},
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
