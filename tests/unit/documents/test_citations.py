"""Every document and heading that a docstring, a comment or a page cites is in the repository.

A citation is the path of a document and, if one section is meant, its heading in quotes:
`docs/reference/registry-login.md`, "Token request". Decisions are cited by number: ADR 8.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.servers import ROOT
from tests.support.sources import shown, source, text_of

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

# A Python file without any of this cites nothing, and need not be parsed, which takes most of the time.
_MAY_CITE = re.compile(r"\.md\b|\bADR|\bdesign|\bof\W+the\W+reference|\bissue\W+\d", re.IGNORECASE)


@cache
def prose_of(path: Path) -> str:
    """The text for readers of a file: of Python the docstrings and comments, of other files all of it.

    It is empty for a Python file without citations.
    """
    if path.suffix != ".py":
        return _without_marks(text_of(path))
    if not _MAY_CITE.search(text_of(path)):
        return ""
    file = source(path)
    comments = " ".join(comment.lstrip("#: ") for _, comment in file.comments)
    return "\n".join([*(docstring for _, docstring in file.docstrings), comments])


def _without_marks(text: str) -> str:
    """The text without the marks of comments at the beginning of its lines."""
    return re.sub(r"^\s*(?:#|--|//|\*) ?", "", text, flags=re.MULTILINE)


@cache
def headings(document: Path) -> frozenset[str]:
    return frozenset(_HEADING.findall(text_of(document)))


def cited_document(name: str, citing: Path) -> Path | None:
    """The document of that name, seen from the root of the repository or from the citing file."""
    places = (ROOT / name, citing.parent / name, ROOT / "docs" / name)
    return next((place for place in places if place.is_file()), None)


@cache
def decision_exists(number: int) -> bool:
    return any((ROOT / "docs" / "adr").glob(f"{number:04d}-*.md"))


def faults(text: str, citing: Path) -> Iterator[str]:
    """A sentence for each citation of a document, a heading or a decision that does not exist."""
    for match in _DOCUMENT.finditer(text):
        document = cited_document(match[1], citing)
        if document is None:
            yield f"{match[1]} is not in the repository"
            continue
        for heading in _QUOTED.findall(match[2]):
            if " ".join(heading.split()) not in headings(document):
                yield f"{match[1]} has no heading {heading!r}"
    for match in _DECISION.finditer(text):
        for number in re.findall(r"\d+", match[0]):
            if not decision_exists(int(number)):
                yield f"ADR {number} is not in the repository"
    yield from (f"{match[0]!r} is of no document here" for match in _NOWHERE.finditer(text))


def test_faults_are_reported_for_wrong_citations_only() -> None:
    here = Path(__file__)
    bad = """See `docs/nothing.md`, docs/http.md, "No such part", ADR 9999 and design, section 4."""
    assert len(list(faults(bad, here))) == 4
    assert all(
        _MAY_CITE.search(fault) for fault in ("a.md", "ADRs 1", "Design, section 4", "of the\n# reference")
    )
    good = """`docs/reference/registry-login.md`, "Token
    request"; docs/http.md, "Errors"; [http.md](http.md), "Errors" and "Lists"; ADR 8 (ADRs 2, 3 and 4)."""
    assert not list(faults(good, here))


def test_every_citation_is_of_a_document_and_heading_of_the_repository() -> None:
    assert len(SOURCES) > 700
    assert len(PAGES) > 40
    files = [*SOURCES, *PAGES]
    assert not shown((path, fault) for path in files for fault in faults(prose_of(path), path))


def test_every_decision_has_its_own_number() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    titles = [text_of(path).splitlines()[0] for path in decisions]
    assert [title.split(".")[0] for title in titles] == [f"# {n}" for n in range(1, len(decisions) + 1)]
    assert [int(path.name.split("-")[0]) for path in decisions] == [*range(1, len(decisions) + 1)]


def test_every_page_of_the_reference_is_cited_by_a_source() -> None:
    """A page of docs/reference that no code cites is not needed there."""
    cited = {match[1] for path in SOURCES for match in _DOCUMENT.finditer(prose_of(path))}
    assert {f"docs/reference/{page.name}" for page in (ROOT / "docs" / "reference").glob("*.md")} <= cited
