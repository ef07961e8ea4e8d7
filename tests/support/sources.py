"""Python files of the repository, read and parsed once in a process for all tests."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.servers import ROOT

PRODUCT = sorted(file for root in ("libs", "services", "tools") for file in (ROOT / root).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# A string is consumed first, so that a number sign within it begins no comment.
_STRING_OR_COMMENT = re.compile(
    r"""(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(\#[^\n]*)""",
    re.DOTALL,
)
Line = int


@dataclass(frozen=True)
class Source:
    """What a Python file contains. The tree itself is not stored: all of them together are large."""

    docstrings: tuple[tuple[Line, str], ...]
    strings: tuple[tuple[Line, str], ...]  # the string constants that are not docstrings
    comments: tuple[tuple[Line, str], ...]
    definitions: tuple[tuple[Line, str], ...]  # classes, functions and methods
    top_level_classes: tuple[tuple[Line, str], ...]
    imports: tuple[tuple[str, tuple[str, ...]], ...]  # a module, and the names that are imported from it


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def source(path: Path) -> Source:
    tree = ast.parse(text_of(path))
    docstrings, strings, definitions = [], [], []
    imports: list[tuple[str, tuple[str, ...]]] = []
    standing_alone: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as constant):
                standing_alone.add(id(constant))
                docstrings.append((node.lineno, text))
            case ast.Constant(value=str(text)) if id(node) not in standing_alone:
                strings.append((node.lineno, text))
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                definitions.append((node.lineno, name))
            case ast.Import(names=aliases):
                imports.extend((alias.name, ()) for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases):
                imports.append((module, tuple(alias.name for alias in aliases)))
            case _:
                pass
    return Source(
        tuple(docstrings),
        tuple(strings),
        tuple(_comments(text_of(path))),
        tuple(definitions),
        tuple((node.lineno, node.name) for node in tree.body if isinstance(node, ast.ClassDef)),
        tuple(imports),
    )


def _comments(text: str) -> Iterator[tuple[Line, str]]:
    for match in _STRING_OR_COMMENT.finditer(text):
        if match[1] is not None:
            yield text.count("\n", 0, match.start()) + 1, match[1]


def shown(findings: Iterable[tuple[Path, object]]) -> list[str]:
    """One line for each finding: the file, and what is wrong in it."""
    return [f"{path.relative_to(ROOT)}: {finding}" for path, finding in findings]
