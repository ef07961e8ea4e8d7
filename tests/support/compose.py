"""docker-compose.yml as its user runs it, under a project name of this test's own."""

import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import httpx2
import pytest

from tests.support.images import IMAGES
from tests.support.servers import ROOT, free_port
from tests.support.timing import PATIENCE

STANDINS = ROOT / "infra" / "standins" / "standins.env"
UP_SECONDS = 900
REGISTRY = "registry.test:5000"
_numbers = count(1)  # of the deployments of this process


def left_out(reason: str) -> NoReturn:
    """Unlike every other server, Docker is no failure under CI either: the machine of CI has no daemon."""
    pytest.skip(f"containers are left out: {reason}")


def docker(*arguments: str, check: bool = True, timeout: float = 120, folder: Path = ROOT) -> str:
    """Run docker in this folder; its standard output."""
    done = subprocess.run(
        ["docker", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert not check or done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


def docker_logs(container: str) -> str:
    """Both outputs of a container: services log to standard error."""
    done = subprocess.run(
        ["docker", "logs", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def environment_file() -> Path | None:
    """Which images: REGCRED_TEST_COMPOSE_ENV names a file, else the stand-ins if they are there, else those that
    docker-compose.yml names.
    """
    given = os.environ.get("REGCRED_TEST_COMPOSE_ENV")
    if given:
        return Path(given)
    return STANDINS if docker("images", "-q", "regcred-standin/python", check=False).strip() else None


def needed() -> Path | None:
    """Skip unless Docker answers and the images are there; the environment file."""
    if shutil.which("docker") is None:
        left_out("there is no docker here")
    try:
        answers = docker("info", "--format", "{{.ServerVersion}}", check=False, timeout=10).strip()
    except subprocess.TimeoutExpired:
        answers = ""
    if not answers:
        left_out("no docker daemon answers")
    if not docker("compose", "version", check=False).strip():
        left_out("docker has no compose plugin")
    wanting = [
        image.name
        for image in IMAGES
        if not docker("images", "-q", f"regcred/{image.name}", check=False).strip()
    ]
    if wanting:
        left_out(f"no image regcred/{wanting[0]}: run `make images`")
    return environment_file()


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


class Deployment:
    """Runs while it is entered, at `https://localhost:<port>`; then it is removed with its volumes.

    `source` is the checkout of the version that runs.
    """

    def __init__(self, environment: Mapping[str, str], env_file: Path | None, source: Path = ROOT) -> None:
        self.source = source
        self.project = f"regcred-test-{os.getpid()}-{next(_numbers)}"
        self.port = free_port()
        self.prometheus_port = free_port()
        self.address = f"https://localhost:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-compose-"))
        variables = env_file.read_text() if env_file else ""
        variables += "".join(f"{name}={value}\n" for name, value in environment.items())
        (self._folder / "env").write_text(
            f"{variables}\nREGCRED_PORT={self.port}\nPROMETHEUS_PORT={self.prometheus_port}\n"
        )
        self._token = ""

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which a plain `docker compose` finds this deployment."""
        return {"COMPOSE_PROJECT_NAME": self.project, "COMPOSE_ENV_FILES": str(self._folder / "env")}

    @property
    def authority(self) -> str:
        """The certificate of the deployment's own authority."""
        return (self._folder / "ca.crt").read_text()

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run docker compose; its standard output."""
        return docker(
            *("compose", "--project-name", self.project, "--env-file", str(self._folder / "env")),
            *arguments,
            check=check,
            timeout=UP_SECONDS,
            folder=self.source,
        )

    def set(self, name: str, value: str) -> None:
        """Change a variable for the next `docker compose`; the last line of a name counts."""
        with (self._folder / "env").open("a") as file:
            file.write(f"{name}={value}\n")

    def up(self, *arguments: str) -> float:
        """`docker compose up`; the seconds until everything is well."""
        began = time.monotonic()
        self.compose("up", "--detach", "--no-build", *arguments)
        self._wait_for_gateway()
        return time.monotonic() - began

    def tool(self, *arguments: str) -> str:
        """The client, in a container beside the others."""
        return self.compose("run", "--rm", "--no-TTY", "regcred", *arguments)

    def operate(self, *arguments: str) -> str:
        """An operator's command, with the rights of the deploy step."""
        return self.compose("run", "--rm", "--no-TTY", "migrate", *arguments)

    def inside(self, service: str, *command: str, index: int | None = None, check: bool = True) -> str:
        """Run a command in a running container: that with this number, or any."""
        number = ("--index", str(index)) if index else ()
        return self.compose("exec", "-T", *number, service, *command, check=check)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """The output of `docker inspect` for each container of a service."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found

    def logs(self) -> str:
        """The logs of all containers."""
        return self.compose("logs", "--no-color")

    def client(self, token: str | None = None) -> httpx2.Client:
        """A client that trusts the deployment's own authority only; without a token, with the admin's."""
        context = ssl.create_default_context(cafile=str(self._folder / "ca.crt"))
        return httpx2.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {token or self._token}"},
            verify=context,
            timeout=PATIENCE,
            trust_env=False,
        )

    @contextmanager
    def browser(self) -> Iterator[httpx2.Client]:
        """A client that is signed in at the console as the admin."""
        with self.client("none") as client:  # the console takes no bearer token
            fields = hidden_fields(client.get("/sign-in").text)
            answer = client.post("/sign-in", data={**fields, "token": self._token})
            assert answer.status_code == 303, answer.text
            yield client

    def beside(self, address: str, body: Any, headers: Mapping[str, str]) -> None:
        """POST this as the admin from a container next to the gateway, in the network `web`."""
        script = (
            "import json, sys, urllib.request as r\n"
            "address, body, headers = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])\n"
            "headers['Authorization'] = 'Bearer ' + open('/run/tokens/admin.token').read().strip()\n"
            "headers['Content-Type'] = 'application/json'\n"
            "r.urlopen(r.Request(address, body, headers))\n"
        )
        self.compose(
            *("run", "--rm", "--no-TTY", "--entrypoint", "python3", "regcred", "-c", script),
            *(address, json.dumps(body), json.dumps(dict(headers))),
        )

    def __enter__(self) -> Self:
        try:
            self.seconds = self.up()
        except BaseException:
            try:
                (ROOT / ".cache").mkdir(exist_ok=True)
                (ROOT / ".cache" / "compose.log").write_text(self.logs())
            finally:
                self._down()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._down()

    def _down(self) -> None:
        try:
            self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_for_gateway(self) -> None:
        if not self._token:
            cat = ("run", "--rm", "--no-TTY", "--entrypoint", "cat", "regcred")
            (self._folder / "ca.crt").write_text(self.compose(*cat, "/run/tokens/ca.crt"))
            self._token = self.compose(*cat, "/run/tokens/admin.token").strip()
        deadline = time.monotonic() + PATIENCE
        with self.client() as client:
            while True:
                try:
                    answers = [
                        client.get(path).status_code for path in ("/readyz", "/v1/providers", "/sign-in")
                    ]
                except httpx2.TransportError:
                    answers = []
                if answers == [200, 200, 200]:
                    return
                assert time.monotonic() < deadline, answers
                time.sleep(0.2)
