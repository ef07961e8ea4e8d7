"""Texts that users read, and public names, are free of the phrases of `docs/glossary.md`, "Deny-list"."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from docs.website.command_page import command_page
from regcred.__main__ import main
from tests.support.servers import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
SOURCES = sorted(file for root in ("libs", "services", "tools") for file in (ROOT / root).rglob("*.py"))
# Not the schemas of events in docs/schemas: what is released there does not change.
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "infra").rglob("*.md"),
        *(ROOT / "libs").rglob("*.md"),
        *(ROOT / "services" / "console" / "templates").glob("*.html"),
        ROOT / "docs" / "asyncapi.yaml",
        ROOT / "libs" / "chassis" / "web" / "openapi.json",
        ROOT / "infra" / "observability" / "dashboard.json",
        ROOT / "infra" / "observability" / "alerts.yml",
        ROOT / "infra" / "observability" / "alerts-services.yml",
    }
    - {GLOSSARY}
)


@cache
def phrases() -> tuple[list[str], list[str]]:
    """The phrases of the deny-list, and those that are denied only in public names."""
    section = GLOSSARY.read_text(encoding="utf-8").partition("\n## Deny-list\n")[2]
    texts, _, names = section.partition("Only in public names:")
    listed = re.compile(r"^- (.+)$", re.MULTILINE)
    return listed.findall(texts), listed.findall(names)


def pattern(denied: list[str]) -> re.Pattern[str]:
    """Matches any of the phrases as whole words, over line breaks, in the singular and the plural."""
    alternatives = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in denied)
    return re.compile(rf"(?<![\w-])(?:{alternatives})s?(?![\w-])", re.IGNORECASE)


def found_in(text: str) -> list[str]:
    return [" ".join(match[0].split()) for match in pattern(phrases()[0]).finditer(text)]


def test_the_list_is_read() -> None:
    texts, names = phrases()
    assert len(texts) > 20
    assert names == ["told"]
    assert found_in("A secret was given\n    out to Whoever asked; he has two user names.") == [
        "given out",
        "Whoever",
        "user names",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_none_of_them(page: Path) -> None:
    assert not found_in(page.read_text(encoding="utf-8").replace("\\n", "\n"))  # JSON escapes line breaks


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_no_string_of_the_product_has_one(source: Path) -> None:
    """Messages, labels, descriptions. Docstrings are for developers, but those of commands (below) and of the API."""
    assert not {line: found for line, text in strings(source) if (found := found_in(text))}


def strings(source: Path) -> Iterator[tuple[int, str]]:
    """The string constants of a module that are no docstrings, with their lines."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_help_text_of_a_command_has_one() -> None:
    page = command_page(main)
    assert "regcred credentials add" in page
    assert not found_in(page)


def test_no_public_name_has_one() -> None:
    denied = pattern([*phrases()[0], *phrases()[1]])
    named = [
        f"{source.relative_to(ROOT)}: {name}"
        for source in SOURCES
        for name in public_names(source)
        if denied.search(words(name))
    ]
    assert not named


def words(name: str) -> str:
    """`ToldBatch` and `told_batch` as "told batch"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")


def public_names(source: Path) -> Iterator[str]:
    """The module's own name, and those of its public classes, functions and methods."""
    yield source.stem
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name
