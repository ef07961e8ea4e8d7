"""Three real Vaults with the configuration of infra/kubernetes/vault/values.yaml form a cluster: under TLS, by the name
in the deployment's certificate.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import yaml

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from tests.support.servers import ROOT, free_port, missing, program
from tests.support.timing import PATIENCE, waiting

VALUES = yaml.safe_load((ROOT / "infra" / "kubernetes" / "vault" / "values.yaml").read_text())["server"]
CONFIGURATION: str = VALUES["ha"]["raft"]["config"]
MOUNTED = "/vault/userconfig/vault-tls"
NODES = 3


class Cluster:
    """As the chart starts it, with ports of this machine for pods."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        binary = program("vault")
        if binary is None:
            missing("vault", "put the binary of HashiCorp Vault on the PATH or into ../shared/bin")
        self._binary, self._folder = binary, folder
        authority = new_authority(now())
        certificate = new_server(authority, ["vault", "localhost", "127.0.0.1"], now())  # as set_up makes it
        for name, content in (
            ("ca.crt", authority.certificate),
            ("tls.crt", certificate.certificate),
            ("tls.key", certificate.key),
        ):
            (folder / name).write_text(content)
        self.ports = [free_port() for _ in range(NODES)]
        for number in range(NODES):
            process = self._start(number)
            stack.callback(process.wait, PATIENCE)
            stack.callback(process.kill)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        data = self._folder / f"data-{number}"
        data.mkdir()
        cluster = free_port()
        text = (
            CONFIGURATION.replace(MOUNTED, str(self._folder))
            .replace("/vault/data", str(data))
            .replace("[::]:8200", f"127.0.0.1:{self.ports[number]}")
            .replace("[::]:8201", f"127.0.0.1:{cluster}")
            .replace('service_registration "kubernetes" {}', "")
        )
        for other, port in enumerate(self.ports):
            text = text.replace(f"vault-{other}.vault-internal:8200", f"127.0.0.1:{port}")
        text += f'api_addr = "https://127.0.0.1:{self.ports[number]}"\ncluster_addr = "https://127.0.0.1:{cluster}"\n'
        file = self._folder / f"{number}.hcl"
        file.write_text(text)
        with (self._folder / f"log-{number}").open("wb") as log:
            return subprocess.Popen(
                [self._binary, "server", f"-config={file}"],
                env={**os.environ, "HOME": str(self._folder), "VAULT_RAFT_NODE_ID": f"vault-{number}"},
                stdout=log,
                stderr=log,
            )

    def vault(self, number: int, *arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
        """The client in a pod, with the chart's variables."""
        variables = VALUES["extraEnvironmentVars"]
        return subprocess.run(
            [self._binary, *arguments],
            env={
                "HOME": str(self._folder),
                "VAULT_ADDR": f"https://127.0.0.1:{self.ports[number]}",
                "VAULT_CACERT": variables["VAULT_CACERT"].replace(MOUNTED, str(self._folder)),
                "VAULT_TLS_SERVER_NAME": variables["VAULT_TLS_SERVER_NAME"],
                "VAULT_TOKEN": token,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


def test_three_nodes_form_one_cluster(cluster: Cluster) -> None:
    waiting(lambda: cluster.vault(0, "status").returncode == 2, "the first answers, sealed")
    made = json.loads(
        cluster.vault(0, "operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json").stdout
    )
    key, token = made["unseal_keys_b64"][0], made["root_token"]
    for number in range(NODES):
        waiting(partial(initialized, cluster, number), f"{number} has joined")
        assert cluster.vault(number, "operator", "unseal", key).returncode == 0
        if number == 0:
            waiting(partial(sooner, cluster, token), "the first one leads")
    peers = waiting(lambda: voters(cluster, token), "all three vote")
    assert peers == {"vault-0", "vault-1", "vault-2"}

    assert cluster.vault(0, "secrets", "enable", "-path=regcred", "kv", token=token).returncode == 0
    assert cluster.vault(0, "write", "regcred/a", "b=c", token=token).returncode == 0
    for number in range(NODES):  # a standby passes it on
        assert waiting(partial(read, cluster, number, token), f"{number} answers") == "c"


def sooner(cluster: Cluster, token: str) -> bool:
    """Let a node vote that has been healthy for a second, instead of ten."""
    command = ("operator", "raft", "autopilot", "set-config", "-server-stabilization-time=1s")
    return cluster.vault(0, *command, token=token).returncode == 0


def initialized(cluster: Cluster, node: int) -> bool:
    return "Initialized true" in " ".join(cluster.vault(node, "status").stdout.split())


def read(cluster: Cluster, node: int, token: str) -> str:
    return cluster.vault(node, "read", "-field=b", "regcred/a", token=token).stdout


def voters(cluster: Cluster, token: str) -> set[str] | None:
    said = cluster.vault(0, "operator", "raft", "list-peers", "-format=json", token=token)
    if said.returncode != 0:
        return None
    servers = json.loads(said.stdout)["data"]["config"]["servers"]
    voting = {one["node_id"] for one in servers if one["voter"]}
    return voting if len(voting) == NODES else None
