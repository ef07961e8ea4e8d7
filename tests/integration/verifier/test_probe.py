"""A valid login is tested on an image: at Debian's docker-registry, and at fake registries."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.protocol.login import Probe
from tests.integration.verifier.attempts import IDENTITY_LOGIN, PASSWORD, USER, Attempt, attempt, loopback
from tests.integration.verifier.certificates import Certificate
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import (
    MARK,
    TOKEN,
    Behaviour,
    FakeServer,
    Raw,
    Reply,
    Seen,
    basic,
    basic_of,
    bearer,
    by_path,
    challenge,
)
from tests.support.pushed_images import push_image
from tests.support.token_server import ISSUER, SERVICE, signing_tokens

SIGNER = Certificate.made(ISSUER, rsa_key=True)


@dataclass(frozen=True, slots=True)
class Site:
    address: str
    token_server: str = ""

    def probed(self, image: str, *, push: bool = False) -> Attempt:
        policy = loopback(*filter(None, [self.address, self.token_server]))
        probe = Probe(image=ImageReference.parse(f"{self.address}/{image}"), push=push)
        return attempt(self.address, policy=policy, probe=probe)


@pytest.fixture(scope="module")
def with_htpasswd() -> Iterator[Site]:
    with DockerRegistry(users={USER: PASSWORD}) as registry:
        push_image(f"http://{registry.address}", "team/app", "1", {"Authorization": basic_of(USER, PASSWORD)})
        yield Site(registry.address)


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """May pull and push team/app, and only pull team/other; team/hidden is nothing to it."""
    assert isinstance(SIGNER.key, RSAPrivateKey)
    bundle, _ = SIGNER.files(tmp_path_factory.mktemp("tokens"))
    grants = {"team/app": {"pull", "push"}, "team/other": {"pull"}}
    tokens = signing_tokens(USER, PASSWORD, key=SIGNER.key, certificate=SIGNER.certificate, grants=grants)
    everything = signing_tokens(
        USER,
        PASSWORD,
        key=SIGNER.key,
        certificate=SIGNER.certificate,
        grants={name: {"pull", "push"} for name in ("team/app", "team/other", "team/hidden")},
    )
    with FakeServer(tokens) as server:
        token = {
            "realm": f"http://{server.address}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(bundle),
        }
        with DockerRegistry(token=token) as registry:
            for name in ("team/app", "team/other", "team/hidden"):
                scope = f"repository:{name}:pull,push"
                asked = Seen("GET", f"/?scope={scope}", {"authorization": basic_of(USER, PASSWORD)})
                given = everything(asked)
                assert isinstance(given, Reply)
                headers = {"Authorization": f"Bearer {json.loads(given.body)['token']}"}
                push_image(f"http://{registry.address}", name, "1", headers)
            yield Site(registry.address, server.address)


def assert_told(done: Attempt, code: Code | None, says: str) -> None:
    """The login is valid; the result of the probe is separate."""
    probed = done.verdict.probed
    assert done.code is None, done.verdict
    assert probed is not None
    assert probed.code == code, probed
    assert says in probed.detail
    assert says in done.verdict.detail
    assert MARK not in probed.detail


@pytest.mark.parametrize(
    ("image", "push", "code", "says"),
    [
        ("team/app:1", False, None, "the login can pull team/app"),
        ("team/app:1", True, None, "whether it can push is not known"),
        ("team/app:2", False, None, "which has no such image"),
    ],
)
def test_probes_of_a_registry_with_htpasswd_have_their_codes(
    with_htpasswd: Site, image: str, push: bool, code: Code | None, says: str
) -> None:
    done = with_htpasswd.probed(image, push=push)
    assert_told(done, code, says)
    assert done.verdict.confidence == "strong"


@pytest.mark.parametrize(
    ("image", "push", "code", "says"),
    [
        ("team/app:1", False, None, "the login can pull team/app"),
        ("team/app:1", True, None, "the login can pull team/app, and push to it"),
        ("team/app:2", False, None, "which has no such image"),
        ("team/other:1", False, None, "the login can pull team/other"),
        ("team/other:1", True, Code.NO_PUSH_ACCESS, "not push to it"),
        (
            "team/hidden:1",
            False,
            Code.NO_PULL_ACCESS,
            "does not allow the login to read team/hidden (HTTP 401)",
        ),
        (
            "team/hidden:1",
            True,
            Code.NO_PULL_ACCESS,
            "does not allow the login to read team/hidden (HTTP 401)",
        ),
    ],
)
def test_probes_of_a_registry_with_tokens_have_their_codes(
    with_tokens: Site, image: str, push: bool, code: Code | None, says: str
) -> None:
    assert_told(with_tokens.probed(image, push=push), code, says)


def test_a_wrong_login_probes_no_image() -> None:
    with FakeServer(basic(USER, "another")) as server:
        done = Site(server.address).probed("team/app:1")
    assert done.code is Code.BAD_CREDENTIAL
    assert not [seen for seen in server.seen if "manifests" in seen.path]


def manifests(answer: Reply, *, get: Reply | None = None) -> Behaviour:
    """A registry with a Basic login that responds so for manifests."""
    gate = basic(USER, PASSWORD)

    def behave(seen: Seen) -> Reply | Raw:
        if "/manifests/" not in seen.path:
            return gate(seen)
        return get if get is not None and seen.method == "GET" else answer

    return behave


def error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": MARK}]}).encode()


@pytest.mark.parametrize(
    ("behaviour", "code", "says"),
    [
        (manifests(Reply(200)), None, "the login can pull team/app"),
        (manifests(Reply(403)), Code.NO_PULL_ACCESS, "(HTTP 403)"),
        (manifests(challenge(f'Basic realm="{MARK}"')), Code.NO_PULL_ACCESS, "(HTTP 401)"),
        (manifests(Reply(404, body=error("NAME_UNKNOWN"))), Code.NO_PULL_ACCESS, "hidden from the login"),
        (manifests(Reply(404)), Code.NO_PULL_ACCESS, "hidden from the login"),
        (manifests(Reply(404, body=b"[" * 10_000)), Code.NO_PULL_ACCESS, "hidden from the login"),
        (manifests(Reply(404, body=error("MANIFEST_UNKNOWN"))), None, "no such image"),
        (manifests(Reply(404), get=Reply(200)), None, "the login can pull team/app"),
        (manifests(Reply(429, (("Retry-After", "7"),))), Code.RATE_LIMITED, "for now"),
        (manifests(Reply(503)), Code.UNREACHABLE, "HTTP 503"),
        (manifests(Reply(405)), Code.UNVERIFIABLE, "was inconclusive (HTTP 405"),
        (
            manifests(Reply(307, (("Location", "http://169.254.169.254/"),))),
            Code.UNVERIFIABLE,
            "was inconclusive (HTTP 307",
        ),
    ],
    ids=[
        "200",
        "403",
        "401",
        "name_unknown",
        "404",
        "nested",
        "manifest_unknown",
        "head_404",
        "429",
        "503",
        "405",
        "307",
    ],
)
def test_responses_for_a_manifest_have_their_codes(
    behaviour: Behaviour, code: Code | None, says: str
) -> None:
    with FakeServer(behaviour) as server:
        done = Site(server.address).probed("team/app:1")
    assert_told(done, code, says)
    assert len(server.seen) <= 4


def scoped(answer: Behaviour, *, manifest: Reply) -> Behaviour:
    """A token server that responds so for a repository, and with a token without a scope."""

    def give(seen: Seen) -> Reply | Raw:
        if seen.authorization != basic_of(USER, PASSWORD):
            return Reply(401)
        wanted = dict(seen.query).get("scope", "")
        return answer(seen) if wanted else Reply(200, body=json.dumps({"token": TOKEN}).encode())

    def registry(seen: Seen) -> Reply | Raw:
        if "/manifests/" in seen.path and seen.authorization:
            return manifest
        return bearer("/token")(seen)

    return by_path(registry, give)


def jwt_of(*actions: str, name: str = "team/app") -> str:
    claims = {"access": [{"type": "repository", "name": name, "actions": list(actions)}], MARK: 1}
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".x"


def only_pull(seen: Seen) -> Reply:
    """Like GitHub's: a scope that is too much is refused as a whole."""
    if "push" in dict(seen.query)["scope"]:
        return Reply(403, body=error("DENIED"))
    return Reply(200, body=json.dumps({"token": TOKEN}).encode())


def giving(token: str) -> Behaviour:
    return lambda _seen: Reply(200, body=json.dumps({"token": token}).encode())


@pytest.mark.parametrize(
    ("behaviour", "push", "code", "says"),
    [
        (scoped(lambda _seen: Reply(403), manifest=Reply(200)), False, Code.NO_PULL_ACCESS, "gives the login no token"),
        (scoped(lambda _seen: Reply(401), manifest=Reply(200)), True, Code.NO_PULL_ACCESS, "gives the login no token"),
        (scoped(lambda _seen: Reply(500), manifest=Reply(200)), False, Code.UNREACHABLE, "HTTP 500"),
        (scoped(lambda _seen: Reply(400), manifest=Reply(200)), False, Code.UNVERIFIABLE, "was inconclusive"),
        (scoped(lambda _seen: Reply(200), manifest=Reply(200)), False, Code.BAD_CHALLENGE, "no token"),
        (scoped(only_pull, manifest=Reply(200)), True, Code.NO_PUSH_ACCESS, "not push"),
        (scoped(only_pull, manifest=Reply(200)), False, None, "the login can pull"),
        (scoped(giving(TOKEN), manifest=Reply(200)), True, None, "is not known without a push"),
        (scoped(giving(jwt_of("pull", "push")), manifest=Reply(200)), True, None, "and push to it"),
        (scoped(giving(jwt_of("*")), manifest=Reply(200)), True, None, "and push to it"),
        (scoped(giving(jwt_of("pull")), manifest=Reply(200)), True, Code.NO_PUSH_ACCESS, "not push"),
        (scoped(giving(jwt_of("push", name="x")), manifest=Reply(200)), True, Code.NO_PUSH_ACCESS, "not push"),
        (scoped(giving(jwt_of()), manifest=Reply(401)), False, Code.NO_PULL_ACCESS, "HTTP 401"),
        (scoped(giving("e30.e30.x"), manifest=Reply(200)), True, None, "is not known without a push"),
        (scoped(giving("e30.W10.x"), manifest=Reply(200)), True, None, "is not known without a push"),
    ],
    ids=["403", "401", "500", "400", "no_token", "no_push", "pull", "opaque", "both", "all", "pull_of_both", "other_name", "empty", "none", "list"],
)  # fmt: skip
def test_responses_of_token_servers_for_a_repository_have_their_codes(
    behaviour: Behaviour, push: bool, code: Code | None, says: str
) -> None:
    with FakeServer(behaviour) as server:
        done = Site(server.address).probed("team/app:1", push=push)
    assert_told(done, code, says)
    refused = [seen for seen in server.seen if seen.path == "/token" and "scope" in dict(seen.query)]
    assert len(refused) <= 2


def test_the_token_for_an_image_is_sent_to_its_registry_only() -> None:
    with FakeServer(scoped(giving(jwt_of("pull")), manifest=Reply(200))) as server:
        assert Site(server.address).probed("team/app:1").code is None
    for seen in server.seen:
        if seen.path.startswith("/v2/"):
            assert seen.authorization is None or seen.authorization.startswith("Bearer ")
        else:
            assert "Bearer" not in str(seen.authorization)


def test_an_identity_token_probes_an_image() -> None:
    def give(seen: Seen) -> Reply:
        assert seen.method == "POST"
        return Reply(200, body=json.dumps({"access_token": TOKEN}).encode())

    def registry(seen: Seen) -> Reply | Raw:
        return bearer("/token")(seen)

    with FakeServer(by_path(registry, give)) as server:
        probe = Probe(image=ImageReference.parse(f"{server.address}/team/app:1"), push=False)
        done = attempt(server.address, login=IDENTITY_LOGIN, probe=probe)
    assert done.code is None
    assert b"repository%3Ateam%2Fapp%3Apull" in server.seen[-2].body


def test_an_open_registry_with_an_image_is_unverifiable() -> None:
    with FakeServer(lambda _seen: Reply(200)) as server:
        login = RegistryLogin(username=USER, password=Secret(PASSWORD))
        probe = Probe(image=ImageReference.parse(f"{server.address}/team/app:1"), push=False)
        assert attempt(server.address, login=login, probe=probe).code is Code.UNVERIFIABLE


def open_but(image_gate: Behaviour) -> Behaviour:
    """A registry without authentication at `/v2/` that requires a login for its images only."""
    return lambda seen: image_gate(seen) if "/manifests/" in seen.path else Reply(200)


def private_repository(seen: Seen) -> Reply | Raw:
    if seen.authorization == basic_of(USER, PASSWORD):
        return Reply(200)
    return challenge(f'Basic realm="{MARK}"')


def private_with_tokens(seen: Seen) -> Reply | Raw:
    if seen.path.startswith("/token"):
        good = seen.authorization == basic_of(USER, PASSWORD)
        return Reply(200, body=json.dumps({"token": "good" if good else "nobody"}).encode())
    if "/manifests/" not in seen.path:
        return Reply(200)
    if seen.authorization == "Bearer good":
        return Reply(200)
    return challenge(f'Bearer realm="http://{seen.headers["host"]}/token",service="s"')


@pytest.mark.parametrize(
    "behaviour", [open_but(private_repository), private_with_tokens], ids=["basic", "tokens"]
)
def test_a_private_image_verifies_a_login_at_an_open_registry(behaviour: Behaviour) -> None:
    with FakeServer(behaviour) as server:
        done = Site(server.address).probed("team/app:1")
        wrong = RegistryLogin(username=USER, password=Secret("wrong"))
        probe = Probe(image=ImageReference.parse(f"{server.address}/team/app:1"), push=False)
        other = attempt(server.address, login=wrong, probe=probe)
    assert_told(done, None, "the login can pull team/app")
    assert done.verdict.confidence == "strong"
    assert "and not without it" in done.verdict.detail
    assert other.code is Code.UNVERIFIABLE


def test_a_private_image_makes_weak_evidence_strong() -> None:
    def behave(seen: Seen) -> Reply | Raw:
        if seen.path.startswith("/token"):
            good = seen.authorization == basic_of(USER, PASSWORD)
            return Reply(200, body=json.dumps({"token": TOKEN if good else "nobody"}).encode())
        if "/manifests/" in seen.path and seen.authorization == "Bearer nobody":
            return Reply(401)
        return Reply(200) if seen.authorization else bearer("/token")(seen)

    with FakeServer(behave) as server:
        weak = attempt(server.address)
        done = Site(server.address).probed("team/app:1")
    assert weak.verdict.confidence == "weak"
    assert_told(done, None, "the login can pull team/app")
    assert done.verdict.confidence == "strong"
