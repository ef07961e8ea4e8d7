"""Every claim of docs/security.md is held by tests that exist."""

import ast
import re
from functools import cache

import pytest

from tests.support.servers import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| claim |")]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_claim_names_a_test() -> None:
    assert len(ROWS) > 35
    for row in ROWS:
        assert re.search(r"`tests/[^`]+\.py::test_\w+`", row), row


@pytest.mark.parametrize("named", NAMED)
def test_it_exists(named: str) -> None:
    path, _, test = named.partition("::")
    assert (ROOT / path).is_file()
    assert not test or test in names_in(path)
