"""Independent programs read the contract documents. `make test-judges` installs them with npm."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT, missing, program

PROGRAMS = Path(__file__).parent / "node"
PACKAGES = ROOT / ".cache" / "judges" / "node_modules"


def judgement(script: str, document: Path) -> dict[str, Any]:
    """What a program of `node/` says of a document."""
    node = program("node")
    if node is None or not PACKAGES.exists():
        missing("node with the packages of tests/judges", "install npm and run `make test-judges`")
    environment = {**os.environ, "NODE_PATH": str(PACKAGES)}
    ran = subprocess.run(
        [node, PROGRAMS / script, document], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_asyncapi_document_is_valid() -> None:
    document = ROOT / "docs" / "asyncapi.yaml"
    assert judgement("asyncapi.cjs", document) == {"valid": True, "objections": []}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('action: "send"', 'action: "shout"'), ("#/components/schemas/", "#/components/nothing/")],
    ids=["word", "reference"],
)
def test_a_wrong_asyncapi_document_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    document = tmp_path / "asyncapi.yaml"
    text = (ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
    assert right in text
    document.write_text(text.replace(right, wrong), encoding="utf-8")
    assert judgement("asyncapi.cjs", document)["objections"]
