"""Texts, docstrings, comments and names have none of the phrases of `docs/glossary.md`, "Deny-list"."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docs.website.command_page import command_page
from regcred.__main__ import main
from tests.support.servers import ROOT
from tests.support.sources import PRODUCT, TESTS, shown, source, text_of

GLOSSARY = ROOT / "docs" / "glossary.md"
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
# SQL, scripts and configuration: most of what they say is in comments.
OTHER_FILES = sorted(
    {
        ROOT / "Makefile",
        ROOT / "Dockerfile",
        ROOT / "docker-compose.yml",
        ROOT / "pyproject.toml",
        *(ROOT / ".ci").iterdir(),
        *(
            file
            for root in ("libs", "services", "tools", "infra", "docs")
            for pattern in ("*.sql", "*.js", "*.css", "*.sh", "*.yml", "*.yaml", "*.cfg", "*.hcl", "*.conf")
            for file in (ROOT / root).rglob(pattern)
        ),
    }
    - set(PAGES)
)
SCRIPTS = sorted(
    (*(ROOT / "bench").rglob("*.py"), *(ROOT / "infra").rglob("*.py"), *(ROOT / "docs").rglob("*.py"))
)


@cache
def phrases() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The phrases of the deny-list, and those that are denied only in public names."""
    section = GLOSSARY.read_text(encoding="utf-8").partition("\n## Deny-list\n")[2]
    texts, _, names = section.partition("Only in public names and names of tests:")
    listed = re.compile(r"^- (.+)$", re.MULTILINE)
    return tuple(listed.findall(texts)), tuple(listed.findall(names))


@cache
def pattern(denied: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the phrases as whole words, over line breaks, in the singular and the plural."""
    alternatives = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in denied)
    return re.compile(rf"(?<![\w-])(?:{alternatives})s?(?![\w-])", re.IGNORECASE)


def found_in(text: str) -> list[str]:
    return [" ".join(match[0].split()) for match in pattern(phrases()[0]).finditer(text)]


def test_the_deny_list_is_read_from_the_glossary() -> None:
    texts, names = phrases()
    assert len(texts) > 20
    assert names == ("told",)
    assert found_in("A secret was given\n    out to Whoever has two user names.") == [
        "given out",
        "Whoever",
        "user names",
    ]


def test_no_page_has_a_denied_phrase() -> None:
    assert len(PAGES) > 50
    # JSON escapes line breaks.
    assert not shown(
        (page, found) for page in PAGES if (found := found_in(text_of(page).replace("\\n", "\n")))
    )


def test_no_string_of_the_product_has_a_denied_phrase() -> None:
    assert len(PRODUCT) > 300
    assert not shown(
        (path, f"line {line}: {found}")
        for path in PRODUCT
        for line, text in source(path).strings
        if (found := found_in(text))
    )


def test_no_comment_in_sql_scripts_or_configuration_has_a_denied_phrase() -> None:
    assert len(OTHER_FILES) > 50
    assert not shown((file, found) for file in OTHER_FILES if (found := found_in(text_of(file))))


def test_no_docstring_or_comment_has_a_denied_phrase() -> None:
    """In this file the phrases are data."""
    assert not shown(
        (path, f"line {line}: {found}")
        for path in (*PRODUCT, *SCRIPTS, *TESTS)
        if path != Path(__file__)
        for line, text in (*source(path).docstrings, *source(path).comments)
        if (found := found_in(text))
    )


def test_no_name_of_a_test_has_a_denied_phrase() -> None:
    denied = pattern((*phrases()[0], *phrases()[1]))
    tests = [
        (path, name) for path in TESTS for _, name in source(path).definitions if name.startswith("test_")
    ]
    assert len(tests) > 1000
    assert not shown((path, name) for path, name in tests if denied.search(words(name)))


def test_no_help_text_of_a_command_has_a_denied_phrase() -> None:
    page = command_page(main)
    assert "regcred credentials add" in page
    assert not found_in(page)


def test_no_public_name_has_a_denied_phrase() -> None:
    denied = pattern((*phrases()[0], *phrases()[1]))
    assert not shown(
        (path, name) for path in PRODUCT for name in public_names(path) if denied.search(words(name))
    )


def words(name: str) -> str:
    """`ToldBatch` and `told_batch` as "told batch"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")


def public_names(path: Path) -> Iterator[str]:
    """The module's own name, and those of its public classes, functions and methods."""
    yield path.stem
    yield from (name for _, name in source(path).definitions if not name.startswith("_"))
