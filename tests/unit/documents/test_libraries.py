"""The README of each library lists its public modules: those that other packages import."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.servers import ROOT

ROOTS = ("libs", "services", "tools")
LIBRARIES = sorted(
    str(path.relative_to(ROOT / "libs"))
    for path in (*(ROOT / "libs").glob("*"), *(ROOT / "libs" / "regcred").glob("*"))
    if (path / "__init__.py").is_file()
)
_ROW = re.compile(r"^\| `([a-z_.0-9]+)` \|", re.MULTILINE)


def listed(library: str) -> list[str]:
    """The modules of the table "Public modules", as the README spells them."""
    text = (ROOT / "libs" / library / "README.md").read_text(encoding="utf-8")
    return _ROW.findall(text.partition("\n## Public modules\n")[2])


def imported(library: str) -> set[str]:
    """The modules of the library that product code outside of it imports."""
    package = library.replace("/", ".")
    return {
        name.removeprefix(f"{package}.")
        for root in ROOTS
        for file in (ROOT / root).rglob("*.py")
        if not file.is_relative_to(ROOT / "libs" / library)
        for name in modules_named_in(file)
        if f"{name}.".startswith(f"{package}.")
    }


@cache
def modules_named_in(file: Path) -> frozenset[str]:
    """The modules that a file imports; of `from package import name`, the name where it is a module."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in inner}
    return frozenset(found)


def is_module(name: str) -> bool:
    path = ROOT / "libs" / Path(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_there_are_libraries() -> None:
    assert {"chassis", "contracts", "eventlog", "registries", "secretstore", "regcred/apiclient"} <= set(
        LIBRARIES
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_readme_lists_what_others_import(library: str) -> None:
    assert sorted(listed(library)) == sorted(imported(library))
