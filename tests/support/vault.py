"""A real HashiCorp Vault of this test's own: raft storage, so that sealing and restarts are real."""

import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.runtime.clock import now
from tests.support.cleanup import undone_on_failure
from tests.support.containers import ServerContainer, image_of
from tests.support.servers import ROOT, free_port, missing, program
from tests.support.timing import PATIENCE

INFRA = ROOT / "infra" / "vault"


class Vault:
    """A server prepared by `infra/vault/bootstrap.sh`; `addr` is its URL, `tls_addr` the one under TLS, whose
    certificate is verified by `ca_file` only.
    """

    def __init__(self) -> None:
        self._image = image_of("VAULT")
        binary = Path("vault") if self._image else program("vault")
        if binary is None:
            missing("vault", "put the binary of HashiCorp Vault on the PATH or into ../shared/bin")
        self._binary = binary
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-vault-"))
        port = free_port()
        self.addr = f"http://127.0.0.1:{port}"
        tls_port = free_port()
        self.tls_addr = f"https://127.0.0.1:{tls_port}"
        self.ca_file = self._folder / "tls.crt"
        _write_certificate(self.ca_file, self._folder / "tls.key")
        self.root_token = ""
        self._unseal_key = ""
        self._process: subprocess.Popen[bytes] | ServerContainer | None = None
        (self._folder / "data").mkdir()
        (self._folder / "vault.hcl").write_text(
            f'storage "raft" {{\n path = "{self._folder / "data"}"\n node_id = "one"\n'
            " performance_multiplier = 1\n}\n"  # how long it looks for others before it leads: 1 s instead of 7
            f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_disable = true\n}}\n'
            f'listener "tcp" {{\n address = "127.0.0.1:{tls_port}"\n'
            f' cluster_address = "127.0.0.1:{free_port()}"\n'
            f' tls_cert_file = "{self.ca_file}"\n tls_key_file = "{self._folder / "tls.key"}"\n}}\n'
            f'api_addr = "{self.addr}"\ncluster_addr = "http://127.0.0.1:{free_port()}"\n'
            'disable_mlock = true\nui = false\nlog_level = "error"\n'
        )

    def start(self) -> None:
        """Start it; a server that has been initialised is unsealed too."""
        arguments = ["server", f"-config={self._folder / 'vault.hcl'}"]
        home = {"HOME": str(self._folder)}
        if self._image:
            self._process = ServerContainer(
                self._image,
                program="vault",
                arguments=arguments,
                folders=[self._folder],
                mounts={INFRA: str(INFRA)},
                environment=home,
                cap_add=["IPC_LOCK"],  # the published binary cannot start without
            )
        else:
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [self._binary, *arguments], stdout=log, stderr=log, env={**os.environ, **home}
                )
        self._wait_for({200, 429, 501, 503})
        if self._unseal_key:
            self.unseal()

    def seal(self) -> None:
        """Seal it: it refuses every request until it is unsealed."""
        self.api("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it serves."""
        answer = httpx2.put(
            f"{self.addr}/v1/sys/unseal", json={"key": self._unseal_key}, timeout=PATIENCE, trust_env=False
        )
        answer.raise_for_status()
        self._wait_for({200})

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)
        self._process = None

    def freeze(self) -> None:
        """Stop it with SIGSTOP: it accepts connections, and responds to nothing until it is thawed."""
        assert isinstance(self._process, subprocess.Popen), "a container cannot be frozen"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert isinstance(self._process, subprocess.Popen)
        self._process.send_signal(signal.SIGCONT)

    def role_id(self, role: str) -> str:
        return (self._folder / "roles" / f"{role}.role-id").read_text().strip()

    def secret_id_file(self, role: str) -> Path:
        return self._folder / "roles" / f"{role}.secret-id"

    def token_of(self, role: str) -> str:
        """A token as a service of that role gets it."""
        login = {"role_id": self.role_id(role), "secret_id": self.secret_id_file(role).read_text().strip()}
        return str(self.api("POST", "auth/approle/login", login).json()["auth"]["client_token"])

    def status(self, method: str, path: str, token: str) -> int:
        """The status of the response to a request with this token."""
        headers = {"X-Vault-Token": token}
        url = f"{self.addr}/v1/{path}"
        return httpx2.request(
            method, url, headers=headers, json={}, timeout=PATIENCE, trust_env=False
        ).status_code

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        """A request as root; a status of 400 and above is an error."""
        answer = httpx2.request(
            method,
            f"{self.addr}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self.root_token},
            timeout=PATIENCE,
            trust_env=False,
        )
        answer.raise_for_status()
        return answer

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self.start()
            self._initialise()
            self.bootstrap()
        return self

    def _initialise(self) -> None:
        made = httpx2.put(
            f"{self.addr}/v1/sys/init",
            json={"secret_shares": 1, "secret_threshold": 1},
            timeout=PATIENCE,
            trust_env=False,
        ).json()
        self.root_token, self._unseal_key = made["root_token"], made["keys_base64"][0]
        self.unseal()

    def bootstrap(self) -> None:
        """Mount, policies and roles, by the script that production uses."""
        script = ("sh", str(INFRA / "bootstrap.sh"), str(self._folder / "roles"))
        access = {"HOME": str(self._folder), "VAULT_ADDR": self.addr, "VAULT_TOKEN": self.root_token}
        if isinstance(self._process, ServerContainer):
            self._process.run(*script, environment=access)
            return
        tools = self._folder / "bin"
        tools.mkdir(exist_ok=True)
        if not (tools / "vault").exists():
            (tools / "vault").symlink_to(self._binary)
        path = f"{tools}:{os.environ['PATH']}"
        done = subprocess.run(
            script, env={"PATH": path, **access}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill it, and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _said(self) -> str:
        if isinstance(self._process, ServerContainer):
            return self._process.logs()
        return (self._folder / "log").read_text()

    def _wait_for(self, states: set[int]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                status = httpx2.get(f"{self.addr}/v1/sys/health", timeout=2, trust_env=False).status_code
            except httpx2.HTTPError:
                status = 0
            if status in states:
                return
            assert time.monotonic() < deadline, (status, self._said()[-2000:])
            time.sleep(0.05)


def _write_certificate(certificate_file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "regcred test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
