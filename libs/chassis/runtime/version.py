"""`--version`, the same in every program."""

import sys
from collections.abc import Sequence
from importlib.metadata import version


def print_version(arguments: Sequence[str]) -> None:
    """Print the version and exit if `--version` is the only argument."""
    if list(arguments) == ["--version"]:
        print(f"regcred {version('regcred')}")  # noqa: T201 the output of --version
        sys.exit(0)
