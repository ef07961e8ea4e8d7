"""Every claim of docs/security.md and every promise of docs/reliability.md names tests, and these tests exist."""

import re
from functools import cache

import pytest

from tests.support.servers import ROOT
from tests.support.sources import source, text_of

# At least as many rows and tests as a page has, so that a broken table is noticed.
PAGES = {"security.md": (35, 100), "reliability.md": (40, 70)}


def rows_of(page: str) -> list[str]:
    """The rows of the tables, without their heads."""
    lines = text_of(ROOT / "docs" / page).splitlines()
    heads = ("| claim |", "| promise |")
    return [line for line in lines if line.startswith("| ") and not line.startswith(heads)]


@cache
def functions_of(path: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    return frozenset(name for _, name in source(ROOT / path).definitions if name.startswith("test_"))


def exists(named: str) -> bool:
    """Whether the file, and the test function if one is named, exists."""
    path, _, test = named.partition("::")
    return (ROOT / path).is_file() and (not test or test in functions_of(path))


@pytest.mark.parametrize("page", PAGES)
def test_every_row_names_a_test(page: str) -> None:
    rows = rows_of(page)
    assert len(rows) > PAGES[page][0]
    for row in rows:
        assert re.search(r"`tests/[^`]+\.py::test_\w+`", row), row


@pytest.mark.parametrize("page", PAGES)
def test_every_named_test_exists(page: str) -> None:
    named = sorted(set(re.findall(r"`(tests/[^`]+)`", text_of(ROOT / "docs" / page))))
    assert len(named) > PAGES[page][1]
    assert not [one for one in named if not exists(one)]
