"""Every claim of docs/security.md names the tests that verify it, and these tests exist."""

import re
from functools import cache

from tests.support.servers import ROOT
from tests.support.sources import source

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| claim |")]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    return frozenset(name for _, name in source(ROOT / path).definitions if name.startswith("test_"))


def exists(named: str) -> bool:
    """Whether the file, and the test function if one is named, exists."""
    path, _, test = named.partition("::")
    return (ROOT / path).is_file() and (not test or test in functions_of(path))


def test_every_claim_names_a_test() -> None:
    assert len(ROWS) > 35
    for row in ROWS:
        assert re.search(r"`tests/[^`]+\.py::test_\w+`", row), row


def test_every_named_test_exists() -> None:
    assert len(NAMED) > 100
    assert not [named for named in NAMED if not exists(named)]
