"""Debian's docker-registry, with skopeo as the reference: a login is verified if skopeo logs in."""

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.logins.registry_login import RegistryLogin
from tests.integration.verifier.attempts import PASSWORD, USER, attempt, loopback
from tests.integration.verifier.certificates import Certificate
from tests.support.docker_registry import DockerRegistry
from tests.support.fake_registry import FakeServer, Reply, always
from tests.support.servers import free_port, missing, program
from tests.support.timing import PATIENCE
from tests.support.token_server import ISSUER, SERVICE, signing_tokens

AUTHORITY = Certificate.made("authority.example", authority=True)
SIGNER = Certificate.made(ISSUER, rsa_key=True)


@dataclass(frozen=True, slots=True)
class Site:
    """A registry, and where its token server is, if it has one."""

    address: str
    token_server: str = ""


@pytest.fixture(scope="module")
def with_htpasswd() -> Iterator[Site]:
    with DockerRegistry(users={USER: PASSWORD}) as registry:
        yield Site(registry.address)


def _with_tokens(folder: Path, *, anybody: bool) -> Iterator[Site]:
    assert isinstance(SIGNER.key, RSAPrivateKey)
    bundle, _ = SIGNER.files(folder)
    tokens = signing_tokens(USER, PASSWORD, key=SIGNER.key, certificate=SIGNER.certificate, anybody=anybody)
    with FakeServer(tokens) as server:
        realm = f"http://{server.address}/token"
        token = {"realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(bundle)}
        with DockerRegistry(token=token) as registry:
            yield Site(registry.address, server.address)


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from _with_tokens(tmp_path_factory.mktemp("tokens"), anybody=False)


@pytest.fixture(scope="module")
def with_tokens_for_anybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from _with_tokens(tmp_path_factory.mktemp("anybody"), anybody=True)


def login(password: str) -> RegistryLogin:
    return RegistryLogin(username=USER, password=Secret(password))


def verdict(site: Site, password: str) -> tuple[Code | None, str]:
    policy = loopback(*filter(None, [site.address, site.token_server]))
    done = attempt(site.address, login=login(password), policy=policy)
    return done.verdict.code, done.verdict.confidence


def skopeo(site: Site, password: str, folder: Path) -> bool:
    """Whether skopeo logs in."""
    binary = program("skopeo")
    if binary is None:
        missing("skopeo", "apt-get install skopeo")
    command = [str(binary), "login", "--tls-verify=false", "--authfile", str(folder / "auth.json")]
    done = subprocess.run(
        [*command, "--username", USER, "--password-stdin", site.address],
        input=password,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode == 0


@pytest.mark.parametrize("kind", ["with_htpasswd", "with_tokens"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_login_has_the_result_of_skopeo(
    kind: str, password: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    site: Site = request.getfixturevalue(kind)
    expected = (None, "strong") if password == PASSWORD else (Code.BAD_CREDENTIAL, "strong")
    assert verdict(site, password) == expected
    assert skopeo(site, password, tmp_path) is (password == PASSWORD)


def test_a_token_server_without_authentication_is_weak_evidence(
    with_tokens_for_anybody: Site, tmp_path: Path
) -> None:
    assert verdict(with_tokens_for_anybody, "wrong") == (None, "weak")
    assert skopeo(with_tokens_for_anybody, "wrong", tmp_path)


def test_an_open_registry_is_unverifiable(tmp_path: Path) -> None:
    with DockerRegistry() as registry:
        site = Site(registry.address)
        assert verdict(site, "anything")[0] is Code.UNVERIFIABLE
        assert skopeo(site, "anything", tmp_path)


def test_an_unreachable_registry_is_unreachable(tmp_path: Path) -> None:
    site = Site(f"127.0.0.1:{free_port()}")
    assert verdict(site, PASSWORD)[0] is Code.UNREACHABLE
    assert not skopeo(site, PASSWORD, tmp_path)


def test_a_server_that_is_no_registry_is_recognised(tmp_path: Path) -> None:
    with FakeServer(always(Reply(404))) as server:
        site = Site(server.address)
        assert verdict(site, PASSWORD)[0] is Code.NOT_A_REGISTRY
        assert not skopeo(site, PASSWORD, tmp_path)


def test_a_token_server_without_tls_must_be_listed(with_tokens: Site) -> None:
    """The token server is on its own host, but plain HTTP is not listed for its port."""
    done = attempt(with_tokens.address, login=login(PASSWORD))
    assert done.code is Code.BLOCKED_HOST


def test_a_registry_with_a_certificate_of_the_operators_authority_is_reached(tmp_path: Path) -> None:
    files = Certificate.made("127.0.0.1", issuer=AUTHORITY).files(tmp_path)
    with DockerRegistry(users={USER: PASSWORD}, tls=files) as registry:
        for password, code in ((PASSWORD, None), ("wrong", Code.BAD_CREDENTIAL)):
            done = attempt(
                registry.address,
                login=login(password),
                policy=loopback(),
                tls=AUTHORITY.trusted(),
            )
            assert done.code is code
        stranger = attempt(registry.address, policy=loopback())
        assert stranger.code is Code.TLS_ERROR
        plain = attempt(registry.address)
        assert plain.code is Code.NOT_A_REGISTRY  # HTTP, where it speaks TLS


def test_a_restarted_registry_is_reached_again() -> None:
    registry = DockerRegistry(users={USER: PASSWORD})
    with registry:
        registry.stop()
        assert verdict(Site(registry.address), PASSWORD)[0] is Code.UNREACHABLE
        registry.start()
        assert verdict(Site(registry.address), PASSWORD) == (None, "strong")


def test_the_basic_login_has_the_encoding_of_skopeo(with_htpasswd: Site, tmp_path: Path) -> None:
    """Username and password are joined in UTF-8."""
    assert skopeo(with_htpasswd, PASSWORD, tmp_path)
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() in (tmp_path / "auth.json").read_text()
