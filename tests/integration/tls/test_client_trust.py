"""The programs of users trust the authorities of this machine, and those of one variable, at every address.

The server is on the loopback address, as the gateway of docker-compose.yml is, and has a certificate of its own
authority.
"""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.servers import missing
from tests.support.timing import PATIENCE

BIN = Path(sys.executable).parent
EMPTY_LIST: dict[str, Any] = {"items": [], "next_cursor": None}
NO_LOGIN: dict[str, Any] = {"docker_config": {"auths": {}}, "basic": None}
IMAGE = {
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "kind": "CredentialProviderRequest",
    "image": "ghcr.io/acme/shop",
}
# A program, its standard input, and what it prints if the API has nothing for it.
PROGRAMS = {
    "regcred": (["regcred", "credentials", "list", "--json"], "", '"items": []'),
    "docker-credential-regcred": (
        ["docker-credential-regcred", "get"],
        "ghcr.io",
        "credentials not found in native keychain",
    ),
    "regcred-kubelet-credential-provider": (
        ["regcred-kubelet-credential-provider"],
        json.dumps(IMAGE),
        '"auth": null',
    ),
}


class Api(BaseHTTPRequestHandler):
    """An API without credentials."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(EMPTY_LIST if self.command == "GET" else NO_LOGIN).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 names of the library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate ends the handshake."""


@dataclass(frozen=True, slots=True)
class Site:
    """The address of the API, the file of its authority, and a folder for files of a test."""

    address: str
    authority: Path
    folder: Path

    def run(
        self, program: str, *arguments: str, within: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        command, standard_input, _ = PROGRAMS[program]
        inherited = {name: value for name, value in os.environ.items() if not _concerns_trust(name)}
        settings = {
            "REGCRED_ADDRESS": self.address,
            "REGCRED_ACCOUNT": "acme",
            "REGCRED_PROJECT": "shop",
            "REGCRED_TOKEN_FILE": str(self.folder / "token"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        return subprocess.run(
            [*within, BIN / command[0], *command[1:], *arguments],
            input=standard_input,
            env={**inherited, **settings, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def _concerns_trust(name: str) -> bool:
    return name.startswith(("REGCRED_", "SSL_CERT_"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("trust")
    authority = new_authority(now())
    pair = new_server(authority, ["localhost"], now())
    (folder / "ca.crt").write_text(authority.certificate)
    (folder / "server.pem").write_text(pair.certificate + pair.key)
    (folder / "token").write_text("a-token")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with Quiet(("127.0.0.1", 0), Api) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Site(f"https://localhost:{server.server_port}", folder / "ca.crt", folder)
        server.shutdown()
        thread.join()


def _answered(done: subprocess.CompletedProcess[str], program: str) -> bool:
    assert "Traceback" not in done.stderr
    return PROGRAMS[program][2] in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_authority_is_refused_with_a_remedy_that_works(site: Site, program: str) -> None:
    refused = site.run(program)
    assert refused.returncode == 1
    assert not _answered(refused, program)
    assert "its certificate is not trusted" in refused.stderr
    assert "set REGCRED_CA_FILE to the certificate of the authority" in refused.stderr
    assert _answered(site.run(program, REGCRED_CA_FILE=str(site.authority)), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_variable_of_openssl_has_its_effect(site: Site, program: str) -> None:
    assert _answered(site.run(program, SSL_CERT_FILE=str(site.authority)), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_authority_of_this_machine_is_trusted(site: Site, program: str) -> None:
    """The authority is installed in a mount namespace: the file of the system, as OpenSSL was built with it."""
    store = Path(ssl.get_default_verify_paths().openssl_cafile).resolve()
    if not store.exists():
        missing(str(store), "apt-get install ca-certificates")
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    within = ("unshare", "--mount", *rights, "sh", "-euc", script, str(site.authority), str(store))
    assert _answered(site.run(program, within=within), program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_certificate_of_another_name_is_refused(site: Site, program: str) -> None:
    """A trusted authority does not make it right, and to name one is not the remedy."""
    address = site.address.replace("localhost", "127.0.0.1")
    done = site.run(program, REGCRED_ADDRESS=address, REGCRED_CA_FILE=str(site.authority))
    assert done.returncode == 1
    assert "is not trusted" in done.stderr
    assert "set REGCRED_CA_FILE" not in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_an_unusable_file_of_authorities_is_named(
    site: Site, tmp_path: Path, program: str, content: str | None
) -> None:
    file = tmp_path / "other.crt"
    if content is not None:
        file.write_text(content)
    done = site.run(program, REGCRED_CA_FILE=str(file))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{file} (REGCRED_CA_FILE)" in done.stderr


def test_an_option_and_a_profile_name_the_authority(site: Site) -> None:
    assert _answered(site.run("regcred", "--ca-file", str(site.authority)), "regcred")
    _write(site, "config.toml", {"default": "prod"}, profiles={"prod": {"ca_file": str(site.authority)}})
    assert _answered(site.run("regcred", REGCRED_ADDRESS="", REGCRED_TOKEN_FILE=""), "regcred")
    elsewhere = site.run("regcred")  # an address that the profile does not have
    assert "is not trusted" in elsewhere.stderr


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "regcred"])
def test_the_file_of_a_plugin_names_the_authority(site: Site, program: str) -> None:
    """A relative path starts at the folder of the file."""
    (site.folder / "plugin.toml").write_text('ca_file = "ca.crt"\n')
    if program == "docker-credential-regcred":
        done = site.run(program, REGCRED_HELPER_CONFIG=str(site.folder / "plugin.toml"))
    else:
        done = site.run(program, "--config", str(site.folder / "plugin.toml"))
    assert _answered(done, program)


def _write(site: Site, name: str, top: Mapping[str, str], profiles: Mapping[str, Mapping[str, str]]) -> None:
    folder = site.folder / "config" / "regcred"
    folder.mkdir(parents=True, exist_ok=True)
    own = {"address": site.address, "token_file": str(site.folder / "token")}
    lines = [f'{key} = "{value}"' for key, value in top.items()]
    for profile, settings in profiles.items():
        lines += [f"[profiles.{profile}]", *(f'{k} = "{v}"' for k, v in {**own, **settings}.items())]
    (folder / name).write_text("\n".join(lines) + "\n")
