"""`WWW-Authenticate` of real registries, and malformed and hostile headers.

Cases after distribution's authchallenge_test.go, containerd's auth/parse_test.go, regclient's auth_test.go and
go-containerregistry's ping_test.go, in own words.
"""

import gc
import time
from contextlib import suppress

import pytest

from registries.dialer.errors import BadChallenge
from registries.protocol.challenge import MAX_CHALLENGES, MAX_HEADER, Challenge, choose, parse_challenges

# Of the processor: what reads a header in a time that grows with its square takes longer.
SOON = 2.0


def parsed(*headers: str) -> list[tuple[str, dict[str, str]]]:
    return [(found.scheme, dict(found.parameters)) for found in parse_challenges(headers)]


def bearer(**parameters: str) -> list[tuple[str, dict[str, str]]]:
    return [("bearer", parameters)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
            bearer(realm="https://auth.docker.io/token", service="registry.docker.io"),
            id="Docker Hub",
        ),
        pytest.param(
            'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull"',
            bearer(realm="https://ghcr.io/token", service="ghcr.io", scope="repository:user/image:pull"),
            id="GHCR",
        ),
        pytest.param(
            'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",error="invalid_token"',
            bearer(
                realm="https://gitlab.com/jwt/auth", service="container_registry", error="invalid_token"
            ),
            id="GitLab",
        ),
        pytest.param(
            'Bearer realm="https://harbor.example.com/service/token",service="harbor-registry"',
            bearer(realm="https://harbor.example.com/service/token", service="harbor-registry"),
            id="Harbor",
        ),
        pytest.param('Basic realm="harbor"', [("basic", {"realm": "harbor"})], id="Harbor, after a login"),
        pytest.param(
            'Bearer realm="https://quay.io/v2/auth",service="quay.io"',
            bearer(realm="https://quay.io/v2/auth", service="quay.io"),
            id="Quay",
        ),
        pytest.param(
            'Basic realm="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com"',
            [
                (
                    "basic",
                    {
                        "realm": "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",
                        "service": "ecr.amazonaws.com",
                    },
                )
            ],
            id="ECR",
        ),
        pytest.param(
            'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"',
            bearer(realm="https://public.ecr.aws/token/", service="public.ecr.aws", scope="aws"),
            id="ECR Public",
        ),
        pytest.param(
            'Bearer realm="https://acme.azurecr.io/oauth2/token",service="acme.azurecr.io"',
            bearer(realm="https://acme.azurecr.io/oauth2/token", service="acme.azurecr.io"),
            id="ACR",
        ),
        pytest.param(
            'Bearer realm="https://gitea.example.com/v2/token",service="container_registry",scope="*"',
            bearer(realm="https://gitea.example.com/v2/token", service="container_registry", scope="*"),
            id="Gitea",
        ),
        pytest.param(
            'BASIC realm="Sonatype Nexus Repository Manager"',
            [("basic", {"realm": "Sonatype Nexus Repository Manager"})],
            id="Nexus",
        ),
        pytest.param('Basic realm="Artifactory Realm"', [("basic", {"realm": "Artifactory Realm"})], id="Artifactory"),
        pytest.param(
            'Bearer realm="https://europe-docker.pkg.dev/v2/token"',
            bearer(realm="https://europe-docker.pkg.dev/v2/token"),
            id="Artifact Registry, no service",
        ),
        pytest.param("Bearer realm=https://gcr.io/v2/token,service=gcr.io", bearer(realm="https://gcr.io/v2/token", service="gcr.io"), id="no quotes"),
        pytest.param(
            'Bearer realm="https://api.digitalocean.com/v2/registry/auth",service="registry.digitalocean.com",scope="registry:catalog:*"',
            bearer(
                realm="https://api.digitalocean.com/v2/registry/auth",
                service="registry.digitalocean.com",
                scope="registry:catalog:*",
            ),
            id="DigitalOcean",
        ),
        pytest.param('Basic realm="basic-realm"', [("basic", {"realm": "basic-realm"})], id="distribution"),
    ],
)  # fmt: skip
def test_headers_of_real_registries_are_parsed(
    header: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert parsed(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer scope="repository:a/b:pull,push",realm="r"', bearer(scope="repository:a/b:pull,push", realm="r")),
        ('bEARER Realm="r" , SERVICE = "s"', bearer(realm="r", service="s")),
        ('Bearer realm="a\\"b\\\\c"', bearer(realm='a"b\\c')),
        ('Bearer realm=""', bearer(realm="")),
        ('Bearer error="",realm="r"', bearer(error="", realm="r")),
        ("Bearer error=,realm=r", bearer(error="", realm="r")),
        ("Bearer realm=", bearer(realm="")),
        ('Bearer realm="r",', bearer(realm="r")),
        (' , Bearer realm="r" ,, service="s" , ', bearer(realm="r", service="s")),
        ('Bearer\trealm="r"', bearer(realm="r")),
        ('Bearer realm="a=b, Basic realm=c"', bearer(realm="a=b, Basic realm=c")),
        ('Basic realm="Größe"', [("basic", {"realm": "Größe"})]),
        ("Basic", [("basic", {})]),
        ("Basic ", [("basic", {})]),
        ("Bearer, Basic", [("bearer", {}), ("basic", {})]),
        ("Negotiate", [("negotiate", {})]),
        ("", []),
        (" , ", []),
    ],
)  # fmt: skip
def test_the_grammar_is_parsed(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parsed(header) == expected


BOTH = [("bearer", {"realm": "r", "service": "s"}), ("basic", {"realm": "b"})]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (('Bearer realm="r",service="s", Basic realm="b"',), BOTH),
        (('Bearer realm="r",service="s",Basic realm="b"',), BOTH),
        (('Bearer realm="r",service="s"', 'Basic realm="b"'), BOTH),
        (("Bearer realm=r, service=s, Basic realm=b",), BOTH),
        (("Negotiate, Basic realm=b",), [("negotiate", {}), ("basic", {"realm": "b"})]),
        (("Negotiate", "NTLM", 'Basic realm="b"'), [("negotiate", {}), ("ntlm", {}), ("basic", {"realm": "b"})]),
    ],
)  # fmt: skip
def test_several_challenges_are_parsed(
    headers: tuple[str, ...], expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert parsed(*headers) == expected


@pytest.mark.parametrize("blob", ["YII", "YIIx/+a", "YII=", "YII==", "a/b=", "a/b==", "abc.def-~_"])
@pytest.mark.parametrize("rest", ["", ", ", ' , Basic realm="b"'])
def test_a_token68_of_another_scheme_is_skipped(blob: str, rest: str) -> None:
    expected = ["negotiate", "basic"] if "Basic" in rest else ["negotiate"]
    assert [scheme for scheme, _ in parsed(f"Negotiate {blob}{rest}")] == expected


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="r" service="s"',
        'Bearer realm="r"service="s"',
        'Bearer realm="r',
        'Bearer realm="r\\"',
        "Bearer realm=r service=s",
        "Bearer realm=https://h/t?a=b",
        'Bearer realm="a\x00b"',
        'Bearer realm="a\nb"',
        'Bearer realm="a\\\nb"',
        'Bearer realm="a\x7fb"',
        'Bearer realm="r",realm="q"',
        'Bearer realm="r",REALM="q"',
        '=realm="r"',
        '"Bearer" realm="r"',
        "Bearer ,=",
        "<html>",
        "Bearer realm=<r>",
        "Bearer: realm=r",
        "{}",
        "Bearer realm=r; service=s",
        "Bärer realm=r",
        "\x00",
    ],
)
def test_a_malformed_header_is_refused(header: str) -> None:
    with pytest.raises(BadChallenge):
        parsed(header)
    with pytest.raises(BadChallenge):
        parsed('Basic realm="good"', header)


def test_a_header_that_is_too_long_is_refused() -> None:
    begin, end = 'Basic realm="', '"'
    fits = begin + "x" * (MAX_HEADER - len(begin + end)) + end
    assert len(parsed(fits)) == 1
    with pytest.raises(BadChallenge):
        parsed(fits + " ")


def test_too_many_challenges_are_refused() -> None:
    assert len(parsed(*["Basic"] * MAX_CHALLENGES)) == MAX_CHALLENGES
    with pytest.raises(BadChallenge):
        parsed(*["Basic"] * (MAX_CHALLENGES + 1))
    with pytest.raises(BadChallenge):
        parsed(",".join(["Basic"] * (MAX_CHALLENGES + 1)))


@pytest.mark.parametrize(
    "piece", ["a", " ", ",", "=", '"', "\\", "a ", "a,", "a=", 'a="', "a= ,", "a a", '\\"', "/=", "\t ,"]
)
@pytest.mark.parametrize("begin", ["", "Bearer ", "Bearer a", 'Bearer realm="', "Bearer realm=", "B a="])
@pytest.mark.parametrize("end", ["", "<", '"'])
def test_every_header_is_parsed_in_limited_time(begin: str, piece: str, end: str) -> None:
    header = (begin + piece * MAX_HEADER)[: MAX_HEADER - len(end)] + end
    gc.disable()  # the collector would traverse objects of all tests
    try:
        started = time.process_time()
        with suppress(BadChallenge):
            parsed(header)
        assert time.process_time() - started < SOON
    finally:
        gc.enable()


def test_the_first_bearer_challenge_is_chosen_before_basic() -> None:
    basic, first, second = Challenge("basic", {}), Challenge("bearer", {"a": "1"}), Challenge("bearer", {})
    assert choose([basic, first, second]) is first
    assert choose([Challenge("digest", {}), basic]) is basic
    assert choose([Challenge("negotiate", {})]) is None
    assert choose([]) is None


def test_refusals_do_not_repeat_the_header() -> None:
    for header in (
        'Bearer secret="x',
        "Bearer secret secret",
        'Bearer secret="a",secret="b"',
        "secret" * 2000,
    ):
        with pytest.raises(BadChallenge) as refusal:
            parsed(header)
        assert "secret" not in str(refusal.value)
