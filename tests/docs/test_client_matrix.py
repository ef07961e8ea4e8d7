"""The tables of `docs/integrations.md` are those of the client matrix, with the versions that the test uses."""

import re
from importlib.metadata import version

from tests.e2e.test_plugins import GO_CLIENTS
from tests.integration.issuing.clients.clients import GO_PROGRAM
from tests.integration.issuing.clients.matrix import VERSIONS, markdown
from tests.support.servers import ROOT

CI = (ROOT / ".ci" / "run").read_text()


def test_the_documentation_has_the_tables_of_the_test() -> None:
    assert f"\n{markdown()}\n" in (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")


def test_the_tables_name_the_pinned_versions() -> None:
    modules = dict(re.findall(r"^\t(\S+) v(\S+)$", (GO_PROGRAM / "go.mod").read_text(), re.MULTILINE))
    crane = modules["github.com/google/go-containerregistry"]
    keyring = modules["github.com/google/go-containerregistry/pkg/authn/kubernetes"].rpartition("-")[2]
    assert VERSIONS["crane"] == f"go-containerregistry {crane}"
    assert VERSIONS["Kubernetes controllers"] == f"go-containerregistry's authn/kubernetes {keyring}"
    assert VERSIONS["kubelet"] == f"the keyring of Kubernetes {modules['k8s.io/kubernetes']}"
    assert VERSIONS["oras"] == f"oras-go {modules['oras.land/oras-go/v2']}"
    assert f"helm.sh/helm/v3/cmd/helm@v{VERSIONS['Helm']}" == GO_CLIENTS["helm"]
    assert [client for client in GO_CLIENTS.values() if client not in CI] == []
    assert VERSIONS["docker-py"] == version("docker")
