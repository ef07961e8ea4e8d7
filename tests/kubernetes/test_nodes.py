"""infra/kubernetes/kubelet: a node gets the tokens that the credential provider of its pods needs."""

import json

import pytest

from tests.support.kubernetes import NODE, Cluster
from tests.support.manifests import FOLDER
from tests.support.timing import waiting

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "puller", "namespace": "default"},
    "spec": {"nodeName": NODE, "containers": [{"name": "one", "image": "registry.example.com/team/app"}]},
}


@pytest.fixture
def pod(cluster: Cluster) -> str:
    """The uid of a pod on the node."""
    cluster.add_node()
    find = ("kubectl", "get", "serviceaccount", "default", "-n", "default")
    waiting(
        lambda: cluster.run(*find, check=False).returncode == 0, "a controller has made the service account"
    )
    cluster.apply(POD)
    return cluster.kubectl("get", "pod", "-n", "default", "puller", "-o", "jsonpath={.metadata.uid}")


def test_a_node_gets_tokens_for_the_provider_with_the_documented_rights(cluster: Cluster, pod: str) -> None:
    def requested(audience: str) -> tuple[int, str]:
        done = cluster.run(
            *("kubectl", f"--context={NODE}", "create", "token", "default", "-n", "default"),
            *(f"--audience={audience}", "--bound-object-kind=Pod", "--bound-object-name=puller"),
            f"--bound-object-uid={pod}",
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    code, said = requested("regcred")
    assert code == 1
    assert "is not authorized" in said or "not found in pod spec volume" in said
    cluster.kubectl("apply", "-f", str(FOLDER / "kubelet" / "node-tokens.yaml"))
    code, said = requested("regcred")
    assert code == 0, said
    assert said.count(".") == 2  # a JWT
    code, said = requested("another")
    assert code == 1, json.dumps(said)
