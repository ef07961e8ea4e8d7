"""The scripts that initialise, run and unseal the Vault of docker-compose.yml, on real Vaults."""

import json
import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.servers import ROOT, free_port, missing, program
from tests.support.timing import PATIENCE, waiting

SCRIPTS = ROOT / "infra" / "vault"
CUTS = {
    "the response to the initialisation is lost": ("vault", "operator init", "after"),
    "the storage has no name yet": ("mv", "storage", "before"),
    "the key has no name yet": ("mv", "storage", "after"),
}
# Runs the program under the name of the script, and ends the caller with SIGKILL before or after one call.
CUT = """#!/bin/sh
case "$*" in *"{pattern}"*) matches=1 ;; *) matches= ;; esac
[ -z "$matches" ] || [ {when} = after ] || kill -KILL -$(ps -o pgid= -p $$ | tr -d ' ')
{program} "$@" >{folder}/response
code=$?
[ -z "$matches" ] || kill -KILL -$(ps -o pgid= -p $$ | tr -d ' ')
cat {folder}/response
exit $code
"""


class Machine:
    """The volumes of one deployment, and the environment of its scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operator, self.data, self.tools = folder / "operator", folder / "data", folder / "tools"
        for made in (self.operator, self.data, self.tools, folder / "audit"):
            made.mkdir()
        binary = program("vault")
        if binary is None:
            missing("vault", "put the binary of HashiCorp Vault on the PATH or into ../shared/bin")
        self.binary = binary
        (self.tools / "vault").symlink_to(binary)
        authority = new_authority(now())
        pair = new_server(authority, ["vault", "localhost", "127.0.0.1"], now())
        (folder / "ca.crt").write_text(authority.certificate)
        (folder / "tls.crt").write_text(pair.certificate)
        (folder / "tls.key").write_text(pair.key)
        port = free_port()
        config = (SCRIPTS / "vault.hcl").read_text()
        for old, new in {
            "/vault/data": str(self.data),
            "/run/secrets": str(folder),
            "0.0.0.0:8200": f"127.0.0.1:{port}",
            "0.0.0.0:8201": f"127.0.0.1:{free_port()}",
        }.items():
            assert old in config
            config = config.replace(old, new)
        (folder / "vault.hcl").write_text(config)
        self.environment = {
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "OPERATOR": str(self.operator),
            "DATA": str(self.data),
            "CONFIG": str(folder / "vault.hcl"),
            "PORT": str(free_port()),
            "CLUSTER_PORT": str(free_port()),
            "VAULT_ADDR": f"https://127.0.0.1:{port}",
            "VAULT_CACERT": str(folder / "ca.crt"),
            "AUDIT_LOG": str(folder / "audit" / "audit.log"),
            "AUDIT_SECONDS": "0.2",
            "CERTIFICATE": str(folder / "tls.crt"),
            "KEY": str(folder / "tls.key"),
            "RELOAD_SECONDS": "0.2",
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, in a process group of its own."""
        return subprocess.run(
            ["sh", SCRIPTS / script],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            start_new_session=True,
        )

    @contextmanager
    def running(self, script: str, *arguments: str, **environment: str) -> Iterator[Path]:
        """A script that runs until the end of the block; the file of its output."""
        output = self.folder / f"{script}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                ["sh", SCRIPTS / script, *arguments],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield output
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)

    @contextmanager
    def server(self, **environment: str) -> Iterator[Path]:
        """Vault, with the audit log and the certificate of its container."""
        command = ("vault", "server", f"-config={self.folder / 'vault.hcl'}")
        with self.running("server.sh", *command, **environment) as output:
            waiting(lambda: self.status() is not None, "Vault responds")
            yield output

    def vault(self, *arguments: str, **environment: str) -> str:
        """Run the command line of Vault; its output."""
        done = subprocess.run(
            [self.binary, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> int | None:
        """0 unsealed, 2 sealed; `None` if Vault does not respond."""
        done = subprocess.run(
            [self.binary, "status"], env=self.environment, capture_output=True, check=False, timeout=PATIENCE
        )
        return None if done.returncode == 1 else done.returncode


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("cut", CUTS)
def test_an_interrupted_initialisation_is_repeated(machine: Machine, cut: str) -> None:
    name, pattern, when = CUTS[cut]
    real = machine.binary if name == "vault" else program(name)
    (machine.tools / name).unlink(missing_ok=True)
    (machine.tools / name).write_text(
        CUT.format(pattern=pattern, when=when, program=real, folder=machine.folder)
    )
    (machine.tools / name).chmod(0o700)
    assert machine.run("initialise.sh").returncode == -signal.SIGKILL
    (machine.tools / name).unlink()
    if name == "vault":
        (machine.tools / name).symlink_to(machine.binary)
    done = machine.run("initialise.sh")
    assert done.returncode == 0, done.stderr
    with machine.server(), machine.running("keeper.sh"):
        waiting(lambda: machine.status() == 0, "Vault is unsealed")


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    assert machine.run("initialise.sh").returncode == 0
    key = (machine.operator / "unseal.key").read_text()
    assert machine.run("initialise.sh").returncode == 0
    assert (machine.operator / "unseal.key").read_text() == key


def test_a_key_without_its_storage_is_not_replaced(machine: Machine) -> None:
    (machine.operator / "unseal.key").write_text("the key of the backups")
    refused = machine.run("initialise.sh")
    assert refused.returncode == 1
    assert "the storage of Vault is empty" in refused.stderr
    assert (machine.operator / "unseal.key").read_text() == "the key of the backups"


@pytest.mark.parametrize(
    ("key", "message"),
    [(None, "there is no unseal key in the volume operator"), ("b" * 44, "does not accept the unseal key")],
)
def test_the_keeper_says_why_vault_stays_sealed(machine: Machine, key: str | None, message: str) -> None:
    assert machine.run("initialise.sh").returncode == 0
    (machine.operator / "unseal.key").unlink()
    if key:
        (machine.operator / "unseal.key").write_text(key)
    with machine.server(), machine.running("keeper.sh") as said:
        waiting(lambda: message in said.read_text(), "the keeper complains")


@pytest.fixture
def prepared(machine: Machine) -> Iterator[tuple[Machine, str]]:
    """A Vault with an audit log that is rotated soon, and a root token."""
    assert machine.run("initialise.sh").returncode == 0
    token = (machine.operator / "root.token").read_text().strip()
    with machine.server(AUDIT_BYTES="20000", AUDIT_FILES="3"), machine.running("keeper.sh"):
        waiting(lambda: machine.status() == 0, "Vault is unsealed")
        log = machine.environment["AUDIT_LOG"]
        machine.vault("audit", "enable", "-path=file", "file", f"file_path={log}", VAULT_TOKEN=token)
        yield machine, token


def test_the_audit_log_is_rotated_within_a_bound_and_loses_nothing(prepared: tuple[Machine, str]) -> None:
    machine, token = prepared
    log = Path(machine.environment["AUDIT_LOG"])
    asked: list[str] = []
    seen: set[str] = set()

    def entries(file: Path) -> set[str]:
        try:
            lines = file.read_text().splitlines()
        except FileNotFoundError:  # it is rotated at this moment, or there are fewer files
            return set()
        requests = (json.loads(line) for line in lines)
        return {one["request"]["path"] for one in requests if one["type"] == "response"}

    def rotated() -> bool:
        with httpx2.Client(
            base_url=machine.environment["VAULT_ADDR"],
            headers={"X-Vault-Token": token},
            verify=ssl.create_default_context(cafile=machine.environment["VAULT_CACERT"]),
            trust_env=False,
            timeout=PATIENCE,
        ) as client:
            for _ in range(5):
                asked.append(f"sys/policies/acl/number-{len(asked)}")
                client.get(f"/v1/{asked[-1]}")
        files = [log, *(Path(f"{log}.{number}") for number in (1, 2, 3))]
        for file in files:
            seen.update(entries(file))
        return files[-1].exists()

    waiting(rotated, "three files are full")
    waiting(lambda: rotated() and set(asked) <= seen, "each request has an entry")
    assert not Path(f"{log}.4").exists()


def test_a_renewed_certificate_is_served(prepared: tuple[Machine, str]) -> None:
    machine, _ = prepared
    authority = new_authority(now())
    pair = new_server(authority, ["localhost", "127.0.0.1"], now())
    (machine.folder / "tls.crt").write_text(pair.certificate)
    (machine.folder / "tls.key").write_text(pair.key)
    (machine.folder / "ca.crt").write_text(authority.certificate)
    waiting(lambda: machine.status() == 0, "Vault serves the new certificate")
