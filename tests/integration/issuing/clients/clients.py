"""Asks real clients which login they find. A client gets all lookups of the matrix in as few processes as it allows."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from tests.support.servers import missing, program

Json = dict[str, Any]
GO_PROGRAM = Path(__file__).with_name("go")
ANONYMOUS = ""

_DOCKER_PY = """
import json, sys
from docker import auth
found = []
for lookup in json.load(sys.stdin):
    with open("config.json", "w") as file:
        json.dump(lookup["config"], file)
    registry, _ = auth.resolve_repository_name(lookup["image"])
    login = auth.load_config("config.json").resolve_authconfig(registry)
    found.append((login or {}).get("username", ""))
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class Lookup:
    """An image as its user writes it, and the issued secret: a Docker configuration, or a Secret."""

    image: str
    secret: Json


def docker(lookups: Sequence[Lookup], folder: Path) -> list[str]:
    """The login that the Docker CLI sends to its engine with `docker pull`."""
    docker_cli = needed("docker")

    def pulled(numbered: tuple[int, Lookup]) -> str:
        number, lookup = numbered
        home = folder / f"docker-{number}"
        home.mkdir()
        (home / "config.json").write_text(json.dumps(lookup.secret))
        with _engine() as (address, logins):
            _run([docker_cli, "--host", address, "--config", str(home), "pull", "--quiet", lookup.image])
            [login] = logins
        return str(login.get("username", ANONYMOUS))

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(pulled, enumerate(lookups)))


def docker_py(lookups: Sequence[Lookup], folder: Path) -> list[str]:
    """The login that docker-py finds for a registry. The locks of the tests have it."""
    asked = [{"image": lookup.image, "config": lookup.secret} for lookup in lookups]
    found: list[str] = json.loads(_run([sys.executable, "-c", _DOCKER_PY], json.dumps(asked), folder))
    return found


def podman(lookups: Sequence[Lookup], folder: Path) -> list[str]:
    return _containers_auth(needed("podman"), lookups, folder)


def skopeo(lookups: Sequence[Lookup], folder: Path) -> list[str]:
    return _containers_auth(needed("skopeo"), lookups, folder)


def go_clients(lookups: Sequence[tuple[str, Lookup]], folder: Path) -> list[str]:
    """The logins that clients with a library in Go find: `crane`, `kubelet`, `keyring` or `oras`."""
    built = folder / "lookups"
    _run([needed("go"), "build", "-o", str(built), "."], cwd=GO_PROGRAM)
    asked = [
        {
            "client": client,
            "image": normalised(lookup.image) if client == "oras" else lookup.image,
            "secret": lookup.secret,
        }
        for client, lookup in lookups
    ]
    found: list[str] = json.loads(_run([str(built)], json.dumps(asked)))
    return found


def helm(lookups: Sequence[Lookup], folder: Path) -> list[str]:
    """The login that `helm pull oci://` sends to a registry. Each request goes to a proxy that asks for one."""
    helm_program = needed("helm")

    def pulled(numbered: tuple[int, Lookup]) -> str:
        number, lookup = numbered
        home = folder / f"helm-{number}"
        home.mkdir()
        config = home / "config.json"
        config.write_text(json.dumps(lookup.secret))
        with _proxy() as (address, usernames):
            environment = {"HOME": str(home), "HTTP_PROXY": address, "PATH": os.environ["PATH"]}
            chart = f"oci://{normalised(lookup.image)}"
            pull = [helm_program, "pull", chart, "--version", "1.0.0", "--plain-http"]
            done = subprocess.run(
                [*pull, "--registry-config", str(config)],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env=environment,
                cwd=home,
            )
            assert done.returncode != 0, "the proxy has no chart"
            assert usernames, done.stderr
        return usernames[-1]

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(pulled, enumerate(lookups)))


def needed(name: str) -> str:
    """Return the path of a client's program."""
    found = program(name)
    if found is None:
        missing(name, f"install {name} as .ci/run does")
    return str(found)


def normalised(image: str) -> str:
    """Return the name that clients with the library of distribution look up.

    Only `docker.io` and its old name are changed: github.com/distribution/reference, `ParseNormalizedNamed`.
    """
    first, slash, rest = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", image
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return f"{first}/{rest}"


def _containers_auth(client: str, lookups: Sequence[Lookup], folder: Path) -> list[str]:
    """The login of `login --get-login`, which uses the look-up of a pull."""

    def found(numbered: tuple[int, Lookup]) -> str:
        number, lookup = numbered
        auth_file = folder / f"auth-{number}.json"
        auth_file.write_text(json.dumps(lookup.secret))
        command = [client, "login", "--get-login", "--authfile", str(auth_file), normalised(lookup.image)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            assert "not logged into" in done.stderr, done.stderr
            return ANONYMOUS
        return done.stdout.strip()

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(found, enumerate(lookups)))


def _run(command: list[str], stdin: str = "", cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, input=stdin, cwd=cwd, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Engine(BaseHTTPRequestHandler):
    """The part of Docker's Engine API that `docker pull` calls. It records the logins and pulls nothing."""

    protocol_version = "HTTP/1.1"
    logins: ClassVar[list[Json]]

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        header = self.headers["X-Registry-Auth"]
        self.logins.append(json.loads(base64.urlsafe_b64decode(header)))
        self._answer(b'{"status": "pulled"}\n')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: standard error is that of the tests."""


class _Proxy(BaseHTTPRequestHandler):
    """An HTTP proxy that answers for every registry: it asks for a login, records it, and has nothing."""

    protocol_version = "HTTP/1.1"
    usernames: ClassVar[list[str]]

    def do_GET(self) -> None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        login = base64.b64decode(encoded).decode() if scheme == "Basic" else ""
        self.usernames.append(login.partition(":")[0])
        self.send_response(404 if login else 401)
        if not login:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: standard error is that of the tests."""


@contextmanager
def _proxy() -> Iterator[tuple[str, list[str]]]:
    usernames: list[str] = []
    handler = type("Proxy", (_Proxy,), {"usernames": usernames})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", usernames
        finally:
            server.shutdown()


@contextmanager
def _engine() -> Iterator[tuple[str, list[Json]]]:
    logins: list[Json] = []
    handler = type("Engine", (_Engine,), {"logins": logins})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}", logins
        finally:
            server.shutdown()
