"""The README of each library lists its public modules: those that other packages import."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.support.sources import PRODUCT, source

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
        for file in PRODUCT
        if not file.is_relative_to(ROOT / "libs" / library)
        for name in modules_named_in(file)
        if f"{name}.".startswith(f"{package}.")
    }


@cache
def modules_named_in(file: Path) -> frozenset[str]:
    """The modules that a file imports; of `from package import name`, the name where it is a module."""
    found = set()
    for module, names in source(file).imports:
        inner = {f"{module}.{name}" for name in names}
        found |= {name if is_module(name) else module for name in inner} if names else {module}
    return frozenset(found)


@cache
def is_module(name: str) -> bool:
    path = ROOT / "libs" / Path(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_the_libraries_are_found() -> None:
    assert {"chassis", "contracts", "eventlog", "registries", "secretstore", "regcred/apiclient"} <= set(
        LIBRARIES
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_readme_lists_the_modules_that_other_packages_import(library: str) -> None:
    assert sorted(listed(library)) == sorted(imported(library))
