"""Queries for the expiry of a secret: the server, the response, and the hosts that get no token."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from registries.catalogue import provider as known
from registries.dialer.response import HttpResponse
from registries.provider import AcceptedLogin, ExpiryRequest
from registries.providers import github
from registries.providers.github import expiry_in_header

END = datetime(2027, 3, 31, tzinfo=UTC)
CERTIFICATES = "https://www.googleapis.com/robot/v1/metadata/x509/reader%40acme.iam.gserviceaccount.com"


def question(
    provider: str, host: str, password: str, *, username: str = "octo", realm_url: str | None
) -> ExpiryRequest | None:
    ask = known(provider).expiry_request
    login = AcceptedLogin(registry_host=host, username=username, password=password, realm_url=realm_url)
    return ask(login) if ask else None


def answer(body: object = None, *headers: tuple[str, str], status: int = 200) -> HttpResponse:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers=headers, body=text)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2027-03-31 00:00:00 UTC", END),
        ("2027-03-31 09:00:00 +0900", END),
        ("2027-03-31", None),
        ("never", None),
        ("", None),
        ("9" * 5000, None),
        ("9999-12-31 23:59:59 -1400", None),
    ],
)
def test_the_expiry_header_of_github_is_read(text: str, end: datetime | None) -> None:
    assert expiry_in_header(answer(None, ("github-authentication-token-expiration", text))) == end
    assert expiry_in_header(answer(None)) is None


def test_github_is_queried_only_about_its_own_tokens() -> None:
    query = question("github", "ghcr.io", "ghp_canary", realm_url="https://ghcr.io/token")
    assert query is not None
    assert (query.url, query.headers) == (github.API, {"Authorization": "Bearer ghp_canary"})
    assert "canary" not in repr(query)
    for provider, host, password in (
        ("github", "ghcr.io", "a password"),
        ("github", "ghcr.io", "ghs_of_a_job"),
        ("github", "ghcr.example.com", "ghp_canary"),
        ("custom", "ghcr.io", "ghp_canary"),
    ):
        assert question(provider, host, password, realm_url="https://ghcr.io/token") is None


@pytest.mark.parametrize(
    ("realm", "url"),
    [
        ("https://gitlab.com/jwt/auth", "https://gitlab.com/api/v4/personal_access_tokens/self"),
        (
            "https://git.example.com:8443/sub/jwt/auth?a=b",
            "https://git.example.com:8443/sub/api/v4/personal_access_tokens/self",
        ),
        ("https://git.example.com/elsewhere", None),
        (None, None),
    ],
)
def test_gitlab_is_queried_at_the_host_of_its_token_server(realm: str | None, url: str | None) -> None:
    query = question("gitlab", "registry.gitlab.com", "glpat-canary", realm_url=realm)
    assert (query.url if query else None) == url
    assert query is None or query.headers == {"PRIVATE-TOKEN": "glpat-canary"}
    assert question("gitlab", "registry.gitlab.com", "gldt-canary", realm_url=realm) is None
    assert question("custom", "registry.gitlab.com", "glpat-canary", realm_url=realm) is None
    assert question("gitlab", "registry.gitlab.com", "glpat-a\r\nb", realm_url=realm) is None


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ({"expires_at": "2027-03-31"}, END),
        ({"expires_at": None}, None),
        ({"expires_at": "soon"}, None),
        ({}, None),
        ([], None),
        (b"<html>", None),
        (b"[" * 50_000, None),
    ],
)
def test_the_expiry_is_read_from_the_response_of_gitlab(body: object, end: datetime | None) -> None:
    query = question("gitlab", "r", "glpat-x", realm_url="https://gitlab.com/jwt/auth")
    assert query is not None
    assert query.expiry(answer(body)) == end
    assert query.expiry(answer(body, status=401)) is None


def key_question(
    document: object, username: str = "_json_key", *, provider: str = "gar"
) -> ExpiryRequest | None:
    text = json.dumps(document)
    if username == "_json_key_base64":
        text = base64.b64encode(text.encode()).decode()
    return question(provider, "europe-docker.pkg.dev", text, username=username, realm_url=None)


def certificate(end: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reader")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(END - timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("username", ["_json_key", "_json_key_base64"])
def test_the_expiry_of_a_google_key_is_that_of_its_certificate(username: str) -> None:
    document = {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES, "private_key": "canary"}
    query = key_question(document, username)
    assert query is not None
    assert (query.url, query.headers) == (CERTIFICATES, {})
    other = certificate(END + timedelta(days=1))
    assert query.expiry(answer({"k0": other, "k1": certificate(END)})) == END
    never = certificate(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    bodies: list[object] = [{"k1": never}, {"k0": other}, {"k1": "x"}, {"k1": None}, [], b"x"]
    for body in bodies:
        assert query.expiry(answer(body)) is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"private_key_id": "k1"},
        {"private_key_id": "k1", "client_x509_cert_url": 7},
        {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES.replace("https", "http")},
        {
            "private_key_id": "k1",
            "client_x509_cert_url": CERTIFICATES.replace("www.googleapis.com", "evil.io"),
        },
        {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES.replace("com/", "com@evil.io/")},
        {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES.replace("com/", "com:80/")},
        {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES.replace("robot", "drive")},
        {"private_key_id": "k1", "client_x509_cert_url": CERTIFICATES + "\r\nX: y"},
    ],
)
def test_a_key_file_cannot_choose_the_queried_url(document: Any) -> None:
    assert key_question(document) is None


def test_other_providers_are_not_queried() -> None:
    for provider in ("dockerhub", "quay", "harbor", "ecr", "acr", "custom", "gitea", "digitalocean"):
        assert question(provider, "r.io", "glpat-ghp_x", realm_url="https://r.io/jwt/auth") is None
