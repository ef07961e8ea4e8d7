"""The official parser reads the AsyncAPI document."""

from pathlib import Path
from typing import Any

import pytest

from tests.judges.programs import NODE, of_node, printed
from tests.support.servers import ROOT


def judgement(document: Path) -> dict[str, Any]:
    """What the parser says of a document."""
    found: dict[str, Any] = printed(of_node("node", NODE / "asyncapi.cjs", document))
    return found


def test_the_asyncapi_document_is_valid() -> None:
    document = ROOT / "docs" / "asyncapi.yaml"
    assert judgement(document) == {"valid": True, "objections": []}


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
    assert judgement(document)["objections"]
