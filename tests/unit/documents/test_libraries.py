"""The README of each library lists its public modules: those that other packages import."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.support.sources import PRODUCT, source

OTHERS = [file for root in ("docs", "bench") for file in (ROOT / root).rglob("*.py")]
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


def modules_named_in(file: Path) -> set[str]:
    """The modules that a file imports; of `from package import name`, the name where it is a module."""
    return {
        f"{module}.{name}" if name and is_module(f"{module}.{name}") else module
        for module, name in imports_of(file)
    }


@cache
def imports_of(file: Path) -> frozenset[tuple[str, str]]:
    """Module and name of each `from module import name` in a file, and the module of each `import module`."""
    found = set()
    for module, names in source(file).imports:
        found |= {(module, name) for name in names} if names else {(module, "")}
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


def names_imported_from(package: str) -> set[str]:
    """The names that files outside of the event log import from one of its modules. Tests do not count."""
    return {
        name
        for file in (*PRODUCT, *OTHERS)
        if not file.is_relative_to(ROOT / "libs" / "eventlog")
        for module, name in imports_of(file)
        if module == package
    }


@pytest.mark.parametrize("package", ["broker", "consumers", "events", "integrity", "storage"])
def test_a_package_of_the_event_log_exports_what_others_import(package: str) -> None:
    module = f"eventlog.{package}"
    assert set(import_module(module).__all__) == names_imported_from(module)
