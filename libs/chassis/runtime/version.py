"""`--version`, alike in every program."""

import sys
from collections.abc import Sequence
from importlib.metadata import version


def answer_version(arguments: Sequence[str]) -> None:
    """Print which regcred this is and end the program, where that alone was asked."""
    if list(arguments) == ["--version"]:
        print(f"regcred {version('regcred')}")  # noqa: T201 it was asked for
        sys.exit(0)
