"""Every document and heading that a docstring, a comment or a page cites is in the repository.

A citation is the path of a document and, if one section is meant, its heading in quotes:
`docs/reference/registry-login.md`, "Token request". Decisions are cited by number: ADR 8.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.servers import ROOT

FOLDERS = ("libs", "services", "tools", "tests", "bench", "docs", "infra")
CODE = {".py", ".sql", ".sh", ".yml", ".yaml", ".hcl", ".conf", ".cfg", ".toml", ".css", ".html"}
PAGES = sorted({*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))})
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in CODE and "vendor" not in path.parts and path.name != Path(__file__).name
)
_DOCUMENT = re.compile(
    r"(?<![\w<>*/.$:{}-])((?:[\w-]+/|\.\./)*[\w-]+\.md)\b`?(?:\]\([^)]*\))?((?:,?(?: and)?\s+\"[^\"]+\")*)"
)
_HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
_QUOTED = re.compile(r'"([^"]+)"')
_DECISION = re.compile(r"\bADRs? (\d+)((?:(?:, | and )\d+)*)")
# Documents that a reader of the repository cannot open.
_NOWHERE = re.compile(
    r"\bdesign, section|\bthe design\b|\bof the reference\b|\(design\b|\bissue \d+, section", re.IGNORECASE
)


def spoken(path: Path) -> str:
    """What a file says to its readers: of Python the docstrings and comments, of others all of it."""
    text = path.read_text(encoding="utf-8")
    return "\n".join(_of_python(text)) if path.suffix == ".py" else _without_marks(text)


def _of_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value
    comments = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    yield " ".join(comment.string.lstrip("#: ") for comment in comments)


def _without_marks(text: str) -> str:
    """The text without the marks of comments at the beginning of its lines."""
    return re.sub(r"^\s*(?:#|--|//|\*) ?", "", text, flags=re.MULTILINE)


@cache
def headings(document: Path) -> frozenset[str]:
    return frozenset(_HEADING.findall(document.read_text(encoding="utf-8")))


def found(name: str, citing: Path) -> Path | None:
    """The document of that name, seen from the root of the repository or from the citing file."""
    places = (ROOT / name, citing.parent / name, ROOT / "docs" / name)
    return next((place for place in places if place.is_file()), None)


def faults(text: str, citing: Path) -> Iterator[str]:
    """A sentence for each citation that leads nowhere."""
    for match in _DOCUMENT.finditer(text):
        document = found(match[1], citing)
        if document is None:
            yield f"{match[1]} is not in the repository"
            continue
        for heading in _QUOTED.findall(match[2]):
            if " ".join(heading.split()) not in headings(document):
                yield f"{match[1]} has no heading {heading!r}"
    for match in _DECISION.finditer(text):
        for number in re.findall(r"\d+", match[0]):
            if not list((ROOT / "docs" / "adr").glob(f"{int(number):04d}-*.md")):
                yield f"ADR {number} is not in the repository"
    yield from (f"{match[0]!r} is of no document here" for match in _NOWHERE.finditer(text))


def test_citations_are_found() -> None:
    here = Path(__file__)
    bad = """See `docs/nothing.md`, docs/http.md, "No such part", ADR 9999 and design, section 4."""
    assert len(list(faults(bad, here))) == 4
    good = """`docs/reference/registry-login.md`, "Token
    request"; docs/http.md, "Errors"; [http.md](http.md), "Errors" and "Lists"; ADR 8 (ADRs 2, 3 and 4)."""
    assert not list(faults(good, here))


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_it_cites_is_there(path: Path) -> None:
    assert not list(faults(spoken(path), path))


def test_the_reference_is_cited() -> None:
    """A page of docs/reference that no code cites is not needed there."""
    cited = {match[1] for path in SOURCES for match in _DOCUMENT.finditer(spoken(path))}
    assert {f"docs/reference/{page.name}" for page in (ROOT / "docs" / "reference").glob("*.md")} <= cited
