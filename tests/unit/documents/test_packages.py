"""The table of docs/packages.md says what the import contracts allow, and the paths that pages name exist."""

import re
import tomllib
from collections.abc import Iterator

import pytest

from docs.contract_documents import examples  # noqa: F401 registers every event
from eventlog.events import EVENTS
from tests.support.servers import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
[LAYERS] = [
    [layer.split(" | ") for layer in contract["layers"]]
    for contract in CONTRACTS
    if contract["type"] == "layers" and "containers" not in contract
]
GROUPS = {
    "services": ["console", "credentials", "projector", "verifier"],
    "libraries": ["chassis", "contracts", "eventlog", "registries", "secretstore"],
}
_ROW = re.compile(r"^\| `(?:services|libs|tools)/([\w/]+)` \|.*\| (.+) \|$", re.MULTILINE)


def allowed(package: str) -> set[str]:
    """The packages that the layers and the contracts let this package import."""
    [place] = [number for number, layer in enumerate(LAYERS) if package in layer]
    below = {name for layer in LAYERS[place + 1 :] for name in layer}
    return below - {
        name
        for contract in CONTRACTS
        if contract["type"] == "forbidden" and package in contract["source_modules"]
        for name in contract["forbidden_modules"]
    }


def named(cell: str) -> set[str]:
    """The packages of a cell, with "services" and "libraries" written out."""
    if cell == "nothing of this repository":
        return set()
    words = [word.strip("`") for word in cell.split(", ")]
    return {name for word in words for name in GROUPS.get(word, [word])}


def test_the_table_of_the_packages_follows_from_the_import_contracts() -> None:
    rows = _ROW.findall((ROOT / "docs" / "packages.md").read_text(encoding="utf-8"))
    table = {path.replace("/", ".") if path != "regcred" else "regcred.cli": cell for path, cell in rows}
    assert {package: named(cell) for package, cell in table.items()} == {
        package: allowed(package) for layer in LAYERS for package in layer
    }


PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/packages.md", "docs/security.md")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_PATH = re.compile(r"[\w./-]+\.(?:py|sql|md|toml|yml|yaml|json|html)|(?:[\w-]+/)+[\w-]*")
_OBJECT = re.compile(r"(es|personal|sealed|auth|credentials|verifier|rm|audit)\.([a-z_]+)|regcred_[a-z]+")
# Files that programs or users write, and the placeholder of a migration.
_ELSEWHERE = {
    ".regcred/",
    "build/docs",
    "config.json",
    "/openapi.json",
    "keys.json",
    "NNNN_owner_name.sql",
    "schema/",
}


def code_of(page: str) -> Iterator[str]:
    """The text that the page marks as code within its sentences and tables."""
    text = (ROOT / page).read_text(encoding="utf-8")
    yield from _CODE.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    found = {code for code in code_of(page) if _PATH.fullmatch(code)} - _ELSEWHERE
    assert found
    assert not {path for path in found if not any((ROOT / root / path).exists() for root in ("", "docs"))}


def test_every_database_object_that_the_architecture_names_exists() -> None:
    sql = "".join(file.read_text() for root in ("libs", "services") for file in (ROOT / root).rglob("*.sql"))
    created = set(re.findall(r"CREATE (?:UNLOGGED )?(?:TABLE|FUNCTION|TYPE|ROLE|VIEW) ([\w.]+)", sql))
    found = {code for code in code_of("docs/architecture.md") if _OBJECT.fullmatch(code)}
    assert len(found) > 10
    assert found - {kind.name for kind in EVENTS.all_types()} <= created
