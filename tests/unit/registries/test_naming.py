"""Provider, registry URL, location and username: valid combinations and their hosts, and refused ones."""

import pytest

from contracts.credential_events import SecretKind
from registries.catalogue import (
    provider,
    provider_of_host,
    registry_host_for,
    username_for,
    username_problem,
)
from registries.errors import InvalidRegistry

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("provider", "url", "location", "host", "at"),
    [
        ("dockerhub", None, None, "docker.io", None),
        ("dockerhub", "", "", "docker.io", None),
        ("dockerhub", "https://index.docker.io/v1/", None, "docker.io", None),
        ("dockerhub", "registry.hub.docker.com", None, "docker.io", None),
        ("gcr", None, "gcr.io", "gcr.io", "gcr.io"),
        ("gcr", None, "us", "us.gcr.io", "us"),
        ("gcr", None, "eu", "eu.gcr.io", "eu"),
        ("gcr", None, "asia", "asia.gcr.io", "asia"),
        ("gcr", "eu.gcr.io", None, "eu.gcr.io", "eu"),
        ("gcr", "https://eu.gcr.io/", "eu", "eu.gcr.io", "eu"),
        ("gar", None, "europe-west1", "europe-west1-docker.pkg.dev", "europe-west1"),
        ("gar", None, "us", "us-docker.pkg.dev", "us"),
        ("gar", "asia-docker.pkg.dev", None, "asia-docker.pkg.dev", "asia"),
        # A region newer than the list needs no release.
        ("gar", None, "europe-north7", "europe-north7-docker.pkg.dev", "europe-north7"),
        ("github", None, None, "ghcr.io", None),
        ("github", "ghcr.io", None, "ghcr.io", None),
        ("gitlab", None, None, "registry.gitlab.com", None),
        ("gitlab", "gitlab.example.com:5050", None, "gitlab.example.com:5050", None),
        ("ecr", ECR, None, ECR, None),
        ("ecr", f"https://{ECR}/", None, ECR, None),
        ("ecr", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", None, "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", None),
        ("ecr", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", None, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", None),
        ("ecr", "123456789012.dkr-ecr.eu-west-1.on.aws", None, "123456789012.dkr-ecr.eu-west-1.on.aws", None),
        ("ecr", "public.ecr.aws", None, "public.ecr.aws", None),
        ("acr", "acmeprod.azurecr.io", None, "acmeprod.azurecr.io", None),
        ("acr", "acmeprod-a1b2c3.azurecr.io", None, "acmeprod-a1b2c3.azurecr.io", None),
        ("acr", "acmeprod.westeurope.geo.azurecr.io", None, "acmeprod.westeurope.geo.azurecr.io", None),
        ("acr", "acmeprod.azurecr.cn", None, "acmeprod.azurecr.cn", None),
        ("quay", None, None, "quay.io", None),
        ("quay", "quay.example.com", None, "quay.example.com", None),
        ("harbor", "harbor.example.com:8443", None, "harbor.example.com:8443", None),
        ("gitea", "https://codeberg.org", None, "codeberg.org", None),
        ("digitalocean", None, None, "registry.digitalocean.com", None),
        ("custom", "REG.example.com:443", None, "reg.example.com", None),
        ("custom", "[2001:db8::1]:5000", None, "[2001:db8::1]:5000", None),
        ("custom", "docker.pkg.github.com", None, "docker.pkg.github.com", None),
    ],
)  # fmt: skip
def test_provider_url_and_location_give_a_host(
    provider: str, url: str | None, location: str | None, host: str, at: str | None
) -> None:
    assert registry_host_for(provider, url, location) == (host, at)


def test_every_location_of_artifact_registry_gives_its_host() -> None:
    for location in provider("gar").locations:
        assert registry_host_for("gar", None, location.id) == (f"{location.id}-docker.pkg.dev", location.id)
        assert registry_host_for("gar", location.host, None) == (location.host, location.id)


@pytest.mark.parametrize(
    ("provider", "url", "location", "pointer", "code"),
    [
        ("nowhere", None, None, "/provider", "unknown_provider"),
        ("", None, None, "/provider", "unknown_provider"),
        ("dockerhub", "ghcr.io", None, "/registry_url", "host_mismatch"),
        ("dockerhub", "hub.docker.com", None, "/registry_url", "not_a_registry"),
        ("dockerhub", "http://docker.io", None, "/registry_url", "http_not_allowed"),
        ("github", None, "us", "/location", "not_allowed"),
        ("custom", "reg.io", "us", "/location", "not_allowed"),
        ("gcr", None, None, "/location", "required"),
        ("gcr", None, "mars", "/location", "unknown_location"),
        ("gcr", None, "europe-west1", "/location", "unknown_location"),
        ("gcr", "ghcr.io", "eu", "/registry_url", "host_mismatch"),
        ("gcr", "eu.gcr.io", "us", "/registry_url", "host_mismatch"),
        ("gcr", "eu.gcr.io", "mars", "/location", "unknown_location"),
        ("gar", None, None, "/location", "required"),
        ("gar", None, "mars", "/location", "unknown_location"),
        ("gar", None, "evil.com/europe-west1", "/location", "unknown_location"),
        ("gar", "mars-docker.pkg.dev", None, "/registry_url", "host_mismatch"),
        ("gar", "eu.gcr.io", None, "/registry_url", "host_mismatch"),
        ("ecr", None, None, "/registry_url", "required"),
        ("ecr", "12345.dkr.ecr.eu-west-1.amazonaws.com", None, "/registry_url", "host_mismatch"),
        ("ecr", f"{ECR}.evil.example", None, "/registry_url", "host_mismatch"),
        ("ecr", f"{ECR}:5000", None, "/registry_url", "host_mismatch"),
        ("acr", "azurecr.io", None, "/registry_url", "host_mismatch"),
        ("acr", "acmeprod.azurecr.io.evil.example", None, "/registry_url", "host_mismatch"),
        ("gitlab", "ghcr.io", None, "/registry_url", "host_mismatch"),
        ("harbor", "docker.io", None, "/registry_url", "host_mismatch"),
        ("quay", "europe-west1-docker.pkg.dev", None, "/registry_url", "host_mismatch"),
        ("harbor", None, None, "/registry_url", "required"),
        ("gitea", None, None, "/registry_url", "required"),
        ("custom", "", None, "/registry_url", "required"),
        ("custom", "reg.io/acme", None, "/registry_url", "path_not_allowed"),
        ("custom", "*.reg.io", None, "/registry_url", "pattern_not_allowed"),
        ("custom", "127.1", None, "/registry_url", "invalid_host"),
        ("custom", "http://reg.io", None, "/registry_url", "http_not_allowed"),
    ],
)
def test_conflicting_choices_are_refused(
    provider: str, url: str | None, location: str | None, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidRegistry) as caught:
        registry_host_for(provider, url, location)
    assert (caught.value.pointer, caught.value.code) == (pointer, code)
    assert caught.value.detail


def test_http_is_allowed_only_for_listed_hosts_and_ports() -> None:
    allowed = {"reg.example.com:5000", "plain.example.com:80"}
    for url, host in {
        "http://reg.example.com:5000": "reg.example.com:5000",
        "http://plain.example.com": "plain.example.com:80",
    }.items():
        assert registry_host_for("harbor", url, None, http_allowed=allowed.__contains__) == (host, None)
    for url in ("http://reg.example.com", "http://plain.example.com:8080", "http://other.example.com:5000"):
        with pytest.raises(InvalidRegistry, match="HTTPS"):
            registry_host_for("harbor", url, None, http_allowed=allowed.__contains__)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("registry-1.docker.io", "dockerhub"),
        ("eu.gcr.io", "gcr"),
        ("europe-west1-docker.pkg.dev", "gar"),
        ("docker.europe-west1.rep.pkg.dev", "gar"),
        ("ghcr.io", "github"),
        ("registry.gitlab.com", "gitlab"),
        (ECR, "ecr"),
        ("acmeprod.azurecr.io", "acr"),
        ("quay.io", "quay"),
        ("registry.digitalocean.com", "digitalocean"),
        ("reg.example.com:5000", "custom"),
        ("ghcr.io:5000", "custom"),
    ],
)
def test_the_provider_of_a_host_is_found(host: str, provider: str) -> None:
    assert provider_of_host(host) == provider


@pytest.mark.parametrize(
    ("provider", "kind", "given", "username"),
    [
        ("dockerhub", "username_password", "octo", "octo"),
        ("gcr", "keyfile", None, "_json_key"),
        ("gar", "keyfile", "_json_key", "_json_key"),
        ("gar", "username_password", None, "oauth2accesstoken"),
        ("gcr", "username_password", "oauth2accesstoken", "oauth2accesstoken"),
        ("gcr", "username_password", "_json_key_base64", "_json_key_base64"),
        ("github", "username_password", "x-access-token", "x-access-token"),
        ("gitlab", "username_password", "gitlab+deploy-token-12", "gitlab+deploy-token-12"),
        ("ecr", "username_password", None, "AWS"),
        ("ecr", "username_password", "AWS", "AWS"),
        ("acr", "username_password", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"),
        ("acr", "docker_config", "<token>", "<token>"),
        ("quay", "username_password", "acme+deploy", "acme+deploy"),
        ("quay", "username_password", "$oauthtoken", "$oauthtoken"),
        ("harbor", "username_password", "robot$acme+deploy", "robot$acme+deploy"),
        ("gitea", "username_password", "octo", "octo"),
        ("digitalocean", "username_password", "octo@example.com", "octo@example.com"),
        ("custom", "docker_config", "octo", "octo"),
    ],
)  # fmt: skip
def test_usernames_are_accepted_or_filled_in(
    provider: str, kind: SecretKind, given: str | None, username: str
) -> None:
    assert username_for(provider, kind, given) == username


@pytest.mark.parametrize(
    ("provider", "kind", "given", "pointer", "code"),
    [
        ("nowhere", "username_password", "octo", "/provider", "unknown_provider"),
        ("github", "keyfile", None, "/credential/kind", "not_allowed"),
        ("gcr", "keyfile", "octo", "/credential/username", "not_allowed"),
        ("github", "username_password", None, "/credential/username", "required"),
        ("github", "username_password", "", "/credential/username", "required"),
        ("gcr", "docker_config", None, "/credential/username", "required"),
        ("ecr", "username_password", "octo", "/credential/username", "invalid_username"),
        ("gar", "username_password", "octo", "/credential/username", "invalid_username"),
        ("gar", "docker_config", "_dcgcr_2_9_0_token", "/credential/username", "invalid_username"),
        ("custom", "username_password", "a:b", "/credential/username", "invalid_username"),
        ("custom", "username_password", "octo\r\nX: y", "/credential/username", "invalid_username"),
        ("custom", "username_password", " octo", "/credential/username", "invalid_username"),
        ("custom", "username_password", "x" * 256, "/credential/username", "invalid_username"),
        ("custom", "username_password", "https://reg.io", "/credential/username", "invalid_username"),
        ("custom", "username_password", "<token>:", "/credential/username", "invalid_username"),
        ("github", "username_password", "ghp_" + "a1B2" * 9, "/credential/username", "secret_in_username"),
        ("github", "username_password", "github_pat_" + "a1B2" * 9, "/credential/username", "secret_in_username"),
        ("dockerhub", "username_password", "dckr_pat_" + "a1B2" * 6, "/credential/username", "secret_in_username"),
        ("gitlab", "username_password", "glpat-" + "a1B2" * 5, "/credential/username", "secret_in_username"),
        ("digitalocean", "username_password", "dop_v1_" + "0af1" * 16, "/credential/username", "secret_in_username"),
        ("custom", "username_password", '{"type": "service_account"}', "/credential/username", "secret_in_username"),
    ],
)  # fmt: skip
def test_invalid_usernames_are_refused(
    provider: str, kind: SecretKind, given: str | None, pointer: str, code: str
) -> None:
    with pytest.raises(InvalidRegistry) as caught:
        username_for(provider, kind, given)
    assert (caught.value.pointer, caught.value.code) == (pointer, code)
    assert not given or given not in str(caught.value)


def test_the_pointer_of_a_username_is_that_of_the_request() -> None:
    with pytest.raises(InvalidRegistry) as caught:
        username_for("github", "username_password", None, pointer="/items/0/username")
    assert caught.value.pointer == "/items/0/username"


def test_ordinary_names_are_not_mistaken_for_tokens() -> None:
    for name in ("glenda-the-rabbit", "ghp_", "eyJohn", "{", "gitlab-ci-token", "dop_v1_x"):
        problem = username_problem(name)
        assert (problem is None) == (name != "{"), name
