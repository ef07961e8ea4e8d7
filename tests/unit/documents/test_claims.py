"""Every claim of docs/security.md and every promise of docs/reliability.md names tests, and these tests exist."""

import re
from functools import cache

import pytest

from tests.support.servers import ROOT
from tests.support.sources import source, text_of

# At least as many rows and tests as a page has, so that a broken table is noticed.
PAGES = {"security.md": (35, 100), "reliability.md": (40, 70)}


def rows_of(page: str) -> list[str]:
    """The rows of the tables of claims and promises, without their heads."""
    text = text_of(ROOT / "docs" / page)
    tables = re.findall(r"^\| (?:claim|promise) \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [row for table in tables for row in table.splitlines()]


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


# The sections of OWASP ASVS 5.0.0 that have requirements of level 1 or 2.
ASVS = {
    "V1": "1 2 3 4 5",
    "V2": "1 2 3 4",
    "V3": "2 3 4 5 7",
    "V4": "1 2 3 4",
    "V5": "1 2 3 4",
    "V6": "1 2 3 4 5 6 8",
    "V7": "1 2 3 4 5 6",
    "V8": "1 2 3 4",
    "V9": "1 2",
    "V10": "1 2 3 4 5 6 7",
    "V11": "1 2 3 4 5 6",
    "V12": "1 2 3",
    "V13": "1 2 3 4",
    "V14": "1 2 3",
    "V15": "1 2 3",
    "V16": "1 2 3 4 5",
    "V17": "1 2 3",
}


def test_every_section_of_asvs_is_assessed_and_every_gap_named() -> None:
    page = text_of(ROOT / "docs" / "security.md")
    rows = re.findall(r"^\| (V\d+\.\d+) [^|]+\((\d+)\) \| ([^|]+) \| (.+) \|$", page, re.MULTILINE)
    expected = [f"{chapter}.{section}" for chapter, sections in ASVS.items() for section in sections.split()]
    assert [section for section, *_ in rows] == expected
    assert sum(int(count) for _, count, *_ in rows) == 253
    for section, _, state, evidence in rows:
        assert state in {"met", "partly", "gap", "n/a"}, section
        if state in {"partly", "gap"}:
            assert re.search(rf"\b{section[1:]}\.\d+\b", evidence), f"{section} does not name what is missing"
