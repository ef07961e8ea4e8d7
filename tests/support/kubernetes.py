"""A real Kubernetes: etcd, API server, controllers and scheduler, with the resource types of the operators.

There is no node. Controllers create the pods of every workload, which admission accepts or refuses as in any cluster;
`tests.kubernetes.kubelet` runs some of them.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.cleanup import undone_on_failure
from tests.support.manifests import KUBECTL
from tests.support.servers import ROOT, SHARED_BIN, free_port, program
from tests.support.timing import PATIENCE, waiting

ADMIN = "an-administrator"
NODE = "node-1"
_TOKENS = {ADMIN: ("admin", "system:masters"), NODE: (f"system:node:{NODE}", "system:nodes")}

_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

Object = dict[str, Any]


def left_out(reason: str) -> NoReturn:
    """Like Docker, Kubernetes is no failure under CI either: no package source has it."""
    pytest.skip(
        f"Kubernetes is left out: {reason}. REGCRED_TEST_KUBE names a binary that is etcd, kube-apiserver, "
        "kube-controller-manager or kube-scheduler, according to the name that it is started by; "
        "REGCRED_TEST_CRDS names a folder with the CustomResourceDefinitions of CloudNativePG, RabbitMQ's "
        "operators and KEDA"
    )


def needed() -> tuple[Path, Path]:
    """The program and the folder of the definitions: those of the variables, else those in `../shared`."""
    if os.geteuid() != 0:
        left_out("secrets.sh gives files to other users, which only root may")
    named = os.environ.get("REGCRED_TEST_KUBE")
    binary = Path(named) if named else program("kube")
    if binary is None or not binary.exists():
        left_out(f"{binary or f'kube-….xz in {SHARED_BIN}'} does not exist")
    definitions = Path(os.environ.get("REGCRED_TEST_CRDS") or SHARED_BIN.parent / "kubernetes" / "crds")
    if not definitions.is_dir():
        left_out(f"{definitions} does not exist")
    return binary, definitions


class Cluster:
    """A cluster of this test's own. `folder` has its files; `environment` lets `kubectl` reach it."""

    def __init__(self) -> None:
        binary, self._definitions = needed()
        self.folder = Path(tempfile.mkdtemp(prefix="regcred-kubernetes-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port = free_port()
        self._kubeconfig = self.folder / "kubeconfig"
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "kubectl").symlink_to(KUBECTL)
        for name in _PROGRAMS:
            (tools / name).symlink_to(binary)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "KUBECONFIG": str(self._kubeconfig),
            "HOME": str(self.folder),  # the discovery cache of kubectl
        }

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self._write_files()
            self._start_api()
            self.kubectl("apply", "--server-side", "-f", str(self._definitions))
            self._start_controllers()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process, and remove the folder."""
        for process in reversed(self._processes):
            process.kill()
            process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(
        self, *command: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that reaches the cluster as an administrator, at the root of the repository."""
        done = subprocess.run(
            command,
            input=stdin,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert not check or done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-4000:])
        return done

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """The standard output of `kubectl`."""
        return self.run("kubectl", *arguments, stdin=stdin).stdout

    def get(self, *arguments: str) -> list[Object]:
        """The objects that `kubectl get` finds in the namespace `regcred`."""
        found = json.loads(self.kubectl("get", "-n", "regcred", "-o", "json", *arguments))
        items: list[Object] = found["items"] if found["kind"] == "List" else [found]
        return items

    def apply(self, document: Mapping[str, Any]) -> None:
        """Create or change an object."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(document))

    def patch_status(self, kind: str, name: str, status: Mapping[str, Any]) -> None:
        """Set parts of the status of an object, as a kubelet does."""
        patch = json.dumps({"status": status})
        where = [] if kind == "node" else ["-n", "regcred"]
        self.kubectl("patch", kind, name, *where, "--subresource=status", "--type=strategic", "-p", patch)

    def _write_files(self) -> None:
        authority = new_authority(now())
        server = new_server(authority, ["127.0.0.1", "10.96.0.1", "kubernetes.default.svc"], now())
        key = ec.generate_private_key(ec.SECP256R1())
        files = {
            "ca.crt": authority.certificate,
            "ca.key": authority.key,
            "api.crt": server.certificate,
            "api.key": server.key,
            "sa.key": key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
            "sa.pub": key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "tokens.csv": "".join(
                f'{token},{user},{token},"{group}"\n' for token, (user, group) in _TOKENS.items()
            ),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self._kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": ADMIN,
                    "clusters": [
                        {
                            "name": "test",
                            "cluster": {
                                "server": f"https://127.0.0.1:{self._port}",
                                "certificate-authority": str(self.folder / "ca.crt"),
                            },
                        }
                    ],
                    "users": [{"name": token, "user": {"token": token}} for token in _TOKENS],
                    "contexts": [
                        {"name": token, "context": {"cluster": "test", "user": token}} for token in _TOKENS
                    ],
                }
            )
        )

    def _start_api(self) -> None:
        clients, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=error",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        self._start(
            "kube-apiserver",
            f"--etcd-servers={clients}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self.folder / 'api.crt'}",
            f"--tls-private-key-file={self.folder / 'api.key'}",
            f"--client-ca-file={self.folder / 'ca.crt'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'sa.pub'}",
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--endpoint-reconciler-type=none",
            "--enable-admission-plugins=NodeRestriction",
        )
        waiting(
            lambda: self._alive() and self.run("kubectl", "get", "--raw=/readyz", check=False).stdout == "ok",
            "the API server is ready",
        )

    def _start_controllers(self) -> None:
        kubeconfig = f"--kubeconfig={self._kubeconfig}"
        self._start(
            "kube-controller-manager",
            kubeconfig,
            f"--service-account-private-key-file={self.folder / 'sa.key'}",
            f"--root-ca-file={self.folder / 'ca.crt'}",
            "--use-service-account-credentials=true",
            # Nothing reports that the node is alive.
            "--controllers=*,-node-lifecycle-controller",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
        )
        self._start(
            "kube-scheduler",
            kubeconfig,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
        )

    def add_node(self) -> None:
        """Register a node that is ready and has room for every pod."""
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        room = {"cpu": "64", "memory": "256Gi", "pods": "200", "ephemeral-storage": "1Ti"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        self.patch_status("node", NODE, {"capacity": room, "allocatable": room, "conditions": [ready]})
        # Admission adds `not-ready`, and no controller removes it.
        self.kubectl("patch", "node", NODE, "--type=merge", "-p", '{"spec": {"taints": null}}')

    def _start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [self.folder / "bin" / name, *arguments], cwd=self.folder, stdout=log, stderr=log
            )
        self._processes.append(started)

    def _alive(self) -> bool:
        for process in self._processes:
            if process.poll() is not None:
                said = [file.read_text()[-2000:] for file in self.folder.glob("*.log")]
                raise AssertionError(f"{process.args!r} ended: {said}")
        return True
