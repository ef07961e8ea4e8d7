"""Spellings of a registry host that users and configuration files use, and those that are refused."""

import pytest

from registries.errors import InvalidHost
from registries.hosts import (
    ConfigKey,
    RegistryHost,
    api_host,
    canonical_host,
    config_key,
    parse_config_key,
    parse_registry_url,
)


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("ghcr.io", "ghcr.io", None, "ghcr.io"),
        ("GHCR.io", "ghcr.io", None, "ghcr.io"),
        ("reg.example.com:443", "reg.example.com", None, "reg.example.com"),
        ("reg.example.com:5000", "reg.example.com", 5000, "reg.example.com:5000"),
        ("reg.example.com:80", "reg.example.com", 80, "reg.example.com:80"),
        ("localhost", "localhost", None, "localhost"),
        ("localhost:5000", "localhost", 5000, "localhost:5000"),
        ("registry:5000", "registry", 5000, "registry:5000"),
        ("registry:443", "registry", 443, "registry:443"),  # without the port it would be a Hub namespace
        ("192.0.2.1", "192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1:5000", "192.0.2.1", 5000, "192.0.2.1:5000"),
        ("[2001:DB8::1]:5000", "[2001:db8::1]", 5000, "[2001:db8::1]:5000"),
        ("[2001:db8:0:0:0:0:0:1]", "[2001:db8::1]", None, "[2001:db8::1]"),
        ("bücher.example", "xn--bcher-kva.example", None, "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example", None, "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None, "xn--bcher-kva.example"),
        ("r3---sn-a.example", "r3---sn-a.example", None, "r3---sn-a.example"),
        ("1.2.3.4.example", "1.2.3.4.example", None, "1.2.3.4.example"),
    ],
)
def test_spellings_of_a_host_are_parsed_to_one_form(
    text: str, host: str, port: int | None, written: str
) -> None:
    parsed = RegistryHost.parse(text)
    assert parsed == RegistryHost(host, port)
    assert str(parsed) == written
    assert RegistryHost.parse(written) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ghcr.io",
        "ghcr.io\n",
        "gh cr.io",
        "ghcr.io\x00",
        "ghcr\u200b.io",
        "myhost",
        "ghcr.io.",
        ".ghcr.io",
        "a..b",
        "-a.example",
        "a-.example",
        "a_b.example",
        "ghcr.io:",
        "ghcr.io:0",
        "ghcr.io:0443",
        "ghcr.io:65536",
        "ghcr.io:٤٤٣",
        "ghcr.io:5000:1",
        "user:pass@ghcr.io",
        "ghcr.io\\evil",
        "ghcr.io?x",
        "ghcr.io#x",
        "ghcr.io%2f",
        "ghcr.io/acme",
        "127.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "2130706433",
        "2130706433:5000",
        "0177.0.0.1",
        "127.0.0.01",
        "256.0.0.1",
        "1.2.3",
        "example.1",
        "example.0x",
        "2001:db8::1",
        "[2001:db8::1",
        "[fe80::1%eth0]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[v1.x]",
        "[]",
        "\uff44ocker.io",
        "\uff11\uff12\uff17.0.0.1",
        "a\u3002b",
        "xn--a.example",
        "xn--.example",
        "*.azurecr.io",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "a." * 400 + "io",
    ],
)
def test_an_invalid_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidHost):
        RegistryHost.parse(text)


def test_a_refusal_does_not_repeat_the_input() -> None:
    for text in ("user:S3CRET-CANARY@ghcr.io", "S3CRET-CANARY!", "https://x.io/S3CRET-CANARY?y"):
        with pytest.raises(InvalidHost) as caught:
            parse_registry_url(text)
        assert "CANARY" not in str(caught.value).upper()


def test_a_refusal_says_what_to_change() -> None:
    for text, word in {
        "user:pass@ghcr.io": "username or password",
        "ghcr.io ": "spaces",
        "myhost": "a port",
        "127.1": "IPv4",
        "ghcr.io:0": "port",
    }.items():
        with pytest.raises(InvalidHost, match=word):
            RegistryHost.parse(text)


@pytest.mark.parametrize(
    ("text", "host", "scheme"),
    [
        ("ghcr.io", "ghcr.io", None),
        ("https://ghcr.io", "ghcr.io", "https"),
        ("HTTPS://ghcr.io/", "ghcr.io", "https"),
        ("https://reg.example.com/v2/", "reg.example.com", "https"),
        ("https://reg.example.com/v1", "reg.example.com", "https"),
        ("https://index.docker.io/v1/", "index.docker.io", "https"),
        ("reg.example.com:5000/", "reg.example.com:5000", None),
        ("http://reg.example.com", "reg.example.com:80", "http"),
        ("http://reg.example.com:5000", "reg.example.com:5000", "http"),
        ("http://reg", "reg:80", "http"),
        ("http://[2001:db8::1]", "[2001:db8::1]:80", "http"),
    ],
)
def test_registry_urls_are_parsed(text: str, host: str, scheme: str | None) -> None:
    parsed, found = parse_registry_url(text)
    assert (str(parsed), found) == (host, scheme)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://reg.example.com/acme", "path_not_allowed"),
        ("reg.example.com/v2/acme", "path_not_allowed"),
        ("oci://reg.example.com", "invalid_host"),
        ("https://", "invalid_host"),
        ("http://", "invalid_host"),
        ("https://user@reg.example.com", "invalid_host"),
        ("*.azurecr.io", "pattern_not_allowed"),
    ],
)
def test_invalid_registry_urls_are_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        parse_registry_url(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://index.docker.io/v1/", "index.docker.io", None),
        ("https://index.docker.io/v1", "index.docker.io", None),
        ("index.docker.io", "index.docker.io", None),
        ("docker.io", "docker.io", None),
        ("docker.io/user", "docker.io", "user"),
        ("ghcr.io", "ghcr.io", None),
        ("https://ghcr.io", "ghcr.io", None),
        ("https://ghcr.io/", "ghcr.io", None),
        ("http://reg:5000", "reg:5000", None),
        ("http://reg.io", "reg.io", None),
        ("reg:5000", "reg:5000", None),
        ("https://quay.io/v1/", "quay.io", None),
        ("https://reg.io/v2/", "reg.io", None),
        ("reg.io/v2/ns/repo", "reg.io", "ns/repo"),
        ("gcr.io/project", "gcr.io", "project"),
        ("gcr.io/project/", "gcr.io", "project/"),
        ("reg.io/ns/repo", "reg.io", "ns/repo"),
        ("reg.io/v1beta", "reg.io", "v1beta"),
        ("reg.io:443", "reg.io", None),
        ("[2001:db8::1]:5000", "[2001:db8::1]:5000", None),
    ],
)
def test_keys_of_a_docker_config_are_parsed(text: str, host: str, path: str | None) -> None:
    assert parse_config_key(text) == ConfigKey(RegistryHost.parse(host), path)


@pytest.mark.parametrize(
    "text",
    ["*.azurecr.io", "reg.io:*", "k*.io", "https://u:p@reg.io/v1/", "reg.io/NS", "reg.io/a//b", "myhost"],
)
def test_keys_without_a_valid_host_are_refused(text: str) -> None:
    with pytest.raises(InvalidHost):
        parse_config_key(text)


@pytest.mark.parametrize(
    ("host", "canonical", "api", "key"),
    [
        *[
            (alias, "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/")
            for alias in ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "Docker.IO:443")
        ],
        ("ghcr.io", "ghcr.io", "ghcr.io", "ghcr.io"),
        ("GCR.io:443", "gcr.io", "gcr.io", "gcr.io"),
        ("docker.io:5000", "docker.io:5000", "docker.io:5000", "docker.io:5000"),
        ("localhost:5000", "localhost:5000", "localhost:5000", "localhost:5000"),
    ],
)  # fmt: skip
def test_a_host_has_canonical_api_and_config_forms(host: str, canonical: str, api: str, key: str) -> None:
    for given in (host, RegistryHost.parse(host)):
        assert canonical_host(given) == canonical
        assert api_host(given) == api
        assert config_key(given) == key


def test_host_and_port_always_has_a_port() -> None:
    assert RegistryHost.parse("ghcr.io").host_and_port == "ghcr.io:443"
    assert RegistryHost.parse("reg:5000").host_and_port == "reg:5000"
