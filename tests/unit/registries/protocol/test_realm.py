"""Token servers that may receive a password: a table of related hosts, and of hosts that only appear related."""

from ipaddress import ip_address

import pytest

from registries.dialer.addresses import InvalidPolicy, NetworkPolicy
from registries.dialer.errors import BadChallenge, Blocked
from registries.protocol.realm import check_realm

NOTHING = NetworkPolicy()


def allowed(realm: str, registry: str, policy: NetworkPolicy = NOTHING) -> str:
    return check_realm(realm, registry_url=f"https://{registry}/v2/", policy=policy).url


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("registry-1.docker.io", "https://auth.docker.io/token"),
        ("ghcr.io", "https://ghcr.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"),
        ("quay.io", "https://quay.io/v2/auth"),
        ("gcr.io", "https://gcr.io/v2/token"),
        ("europe-west1-docker.pkg.dev", "https://europe-west1-docker.pkg.dev/v2/token"),
        ("acme.azurecr.io", "https://acme.azurecr.io/oauth2/token"),
        ("public.ecr.aws", "https://public.ecr.aws/token/"),
        ("registry.example.com", "https://gitlab.example.com/jwt/auth"),
        ("gitlab.example.com:5050", "https://gitlab.example.com/jwt/auth"),
        ("registry.example.com", "https://example.com/token"),
        ("registry.example.com", "https://a.b.example.com/token"),
        ("example.com", "https://auth.example.com/token"),
        ("registry.example.co.uk", "https://auth.example.co.uk/token"),
        ("reg.example.com:5000", "https://reg.example.com:5001/token"),
        ("192.0.2.1:5000", "https://192.0.2.1:5001/token"),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5001/token"),
        ("reg.example.com", "https://REG.Example.COM/token"),
        ("reg.example.com", "https://reg.example.com./token"),
    ],
)
def test_token_servers_of_the_registry_are_allowed(registry: str, realm: str) -> None:
    assert allowed(realm, registry) == realm


@pytest.mark.parametrize(
    ("realm", "url"),
    [
        ("/token?a=b#c", "https://reg.example.com:5000/token?a=b"),
        ("token", "https://reg.example.com:5000/v2/token"),
        ("//auth.example.com/t", "https://auth.example.com/t"),
    ],
)
def test_a_relative_realm_is_resolved_against_the_registry(realm: str, url: str) -> None:
    assert allowed(realm, "reg.example.com:5000") == url


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("reg.example.com", "https://evil.example/token"),
        ("reg.example.com", "https://reg.example.com.evil.example/token"),
        ("reg.example.com", "https://evilexample.com/token"),
        ("reg.example.com", "https://com/token"),
        ("reg.example.com", "https://evil.example#reg.example.com"),
        ("reg.example.com", "https://evil.example?reg.example.com"),
        ("reg.example.com", "https://127.0.0.1/token"),
        ("reg.example.com", "https://[::1]/token"),
        ("reg.example.com", "https://2130706433/token"),
        ("reg.example.com", "https://169.254.169.254/token"),
        ("reg.example.co.uk", "https://evil.co.uk/token"),
        ("example.co.uk", "https://evil.co.uk/token"),
        ("example.com.au", "https://evil.com.au/token"),
        ("acme.azurecr.io", "https://evil.azurecr.io/oauth2/token"),
        ("acme.github.io", "https://evil.github.io/token"),
        ("a.acme.github.io", "https://evil.github.io/token"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com", "https://2.dkr.ecr.eu-west-1.amazonaws.com/"),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", "https://2.dkr.ecr.cn-north-1.amazonaws.com.cn/"),
        ("1.dkr-ecr.eu-west-1.on.aws", "https://2.dkr-ecr.eu-west-1.on.aws/"),
        ("acme.azurecr.cn", "https://evil.azurecr.cn/oauth2/token"),
        ("acme.azurecr.us", "https://evil.azurecr.us/oauth2/token"),
        ("acme.westeurope.geo.azurecr.io", "https://evil.westeurope.geo.azurecr.io/token"),
        ("acme.jfrog.io", "https://evil.jfrog.io/token"),
        ("acme.registry.example.duckdns.org", "https://evil.duckdns.org/token"),
        ("acme.duckdns.org", "https://evil.duckdns.org/token"),
        ("acme.centralus.cloudapp.azure.com", "https://evil.centralus.cloudapp.azure.com/token"),
        ("192.0.2.1", "https://1.192.0.2.1/token"),
        ("192.0.2.1", "https://198.51.100.0.2.1/token"),
        ("10.0.2.1", "https://9.0.2.1/token"),
        ("[2001:db8::1]", "https://[2001:db8::2]/token"),
        ("localhost:5000", "https://evil.localhost/token"),
        ("registry:5000", "https://evil.registry/token"),
        ("reg.example.com", "http://reg.example.com/token"),
        ("reg.example.com", "http://reg.example.com:443/token"),
    ],
)
def test_token_servers_of_other_hosts_are_refused(registry: str, realm: str) -> None:
    with pytest.raises(Blocked):
        allowed(realm, registry)


@pytest.mark.parametrize(
    "realm",
    [
        "",
        " https://reg.example.com/",
        "https://reg.example.com/\r\nX: 1",
        "https://reg.example.com/ä",
        "https://reg.example.com\\@evil.example/",
        "https://reg.example.com:port/",
        "https://reg.example.com:99999/",
        "https://reg.example.com:0/",
        "https://u:p@reg.example.com/",
        "https://@reg.example.com/",
        "https://evil.example%23.example.com/",
        "https://evil.example;.example.com/",
        "https://evil.example&.example.com/",
        "https://.example.com/",
        "https://a..example.com/",
        "https://*.example.com/",
        "https://[fe80::1%25eth0]/",
        "https://[oops/",
        "https://[::1/",
        "https://./",
        "ftp://reg.example.com/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://reg.example.com/" + "a" * 2048,
    ],
)
def test_an_invalid_realm_is_refused(realm: str) -> None:
    with pytest.raises(BadChallenge):
        allowed(realm, "reg.example.com")


def test_token_servers_that_the_operator_lists_are_allowed() -> None:
    paired = NetworkPolicy.parse(
        "reg.example.com=auth.corp.example, reg.example.com:443=auth2.corp.example:8443,"
        "reg.example.com:5000=auth4.corp.example, [2001:db8::1]=auth.corp.example",
        "auth.corp.example:80",
    )
    for registry, realm in (
        ("reg.example.com", "https://auth.corp.example/t?a=b"),
        ("reg.example.com", "http://auth.corp.example/t"),
        ("reg.example.com:5000", "https://auth.corp.example:8443/t"),
        ("reg.example.com", "https://auth2.corp.example:8443/t"),
        ("reg.example.com:5000", "https://auth4.corp.example/t"),
        ("[2001:db8::1]:5000", "https://auth.corp.example/t"),
    ):
        assert allowed(realm, registry, paired) == realm
    for registry, realm in (
        ("other.example.org", "https://auth.corp.example/t"),
        ("reg.example.com.evil.example", "https://auth.corp.example/t"),
        ("reg.example.com", "https://auth2.corp.example/t"),
        ("reg.example.com:5000", "https://auth2.corp.example:8443/t"),
        ("reg.example.com", "https://auth4.corp.example/t"),
        ("reg.example.com", "http://auth.corp.example:8080/t"),
        ("reg.example.com", "https://auth.corp.example.evil.example/t"),
    ):
        with pytest.raises(Blocked):
            allowed(realm, registry, paired)


@pytest.mark.parametrize(
    "realm",
    ["https://tool.corp.example/t", "https://tool.corp.example:8443/t", "http://plain.corp.example/t"],
)
def test_a_listed_address_is_no_token_server_of_other_registries(realm: str) -> None:
    listed = NetworkPolicy.parse("tool.corp.example,tool.corp.example:8443", "plain.corp.example:80")
    with pytest.raises(Blocked):
        allowed(realm, "reg.example.com", listed)


@pytest.mark.parametrize(
    ("registry", "realm", "is_own"),
    [
        ("reg.example.com", "https://reg.example.com:5001/token?a=b", True),
        ("registry-1.docker.io", "https://auth.docker.io/token?a=b", True),
        ("registry.example.com", "https://gitlab.example.com/jwt/auth", False),
    ],
)
def test_another_host_of_the_domain_is_not_the_own_host(registry: str, realm: str, is_own: bool) -> None:
    assert check_realm(realm, registry_url=f"https://{registry}/v2/", policy=NOTHING).is_own == is_own


def test_another_host_of_the_domain_gets_no_query() -> None:
    realm = "https://jenkins.example.com/job/deploy/build?token=x"
    with pytest.raises(Blocked):
        allowed(realm, "registry.example.com")
    assert allowed(
        realm, "registry.example.com", NetworkPolicy.parse("registry.example.com=jenkins.example.com", "")
    )


@pytest.mark.parametrize(
    "entry",
    ["=auth.example", "reg.example=", "a=b=c", "reg.example=10.0.0.0/8", "re/g=auth", "reg.example:0=auth"],
)
def test_a_pair_without_sense_is_refused(entry: str) -> None:
    with pytest.raises(InvalidPolicy):
        NetworkPolicy.parse(entry, "")


def test_a_paired_token_server_may_be_dialled() -> None:
    policy = NetworkPolicy.parse("reg.example.com=auth.corp.example:8443", "")
    assert policy.permits("auth.corp.example", 8443, ip_address("10.0.0.1"))
    assert not policy.permits("auth.corp.example", 443, ip_address("10.0.0.1"))
    assert not policy.permits("reg.example.com", 443, ip_address("10.0.0.1"))


def test_an_allowed_network_does_not_allow_another_token_server() -> None:
    with pytest.raises(Blocked):
        allowed("https://10.0.0.2/t", "10.0.0.1", NetworkPolicy.parse("10.0.0.0/8", ""))


def test_a_refusal_shows_only_the_host() -> None:
    with pytest.raises(Blocked) as refusal:
        allowed("https://evil.example/path?query=1", "reg.example.com")
    assert "evil.example" in str(refusal.value)
    assert "path" not in str(refusal.value)
    assert "query" not in str(refusal.value)


def test_a_long_host_is_truncated() -> None:
    with pytest.raises(Blocked) as refusal:
        allowed("https://" + "a" * 1500 + ".example/", "reg.example.com")
    assert len(str(refusal.value)) < 200


def test_the_query_of_the_realm_is_preserved() -> None:
    realm = check_realm(
        "https://reg.example.com/t?a=1&b=&a=%C3%A4",
        registry_url="https://reg.example.com/v2/",
        policy=NOTHING,
    )
    assert (
        realm.with_query([("service", "x y"), ("account", "robot$acme+deploy&c=d")])
        == "https://reg.example.com/t?a=1&b=&a=%C3%A4&service=x+y&account=robot%24acme%2Bdeploy%26c%3Dd"
    )
