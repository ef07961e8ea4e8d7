"""The programs that judge the contract documents, installed by `make test-judges`."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT, missing, program

NODE, PYTHON = (Path(__file__).parent / name for name in ("node", "python"))
_INSTALLED = ROOT / ".cache" / "judges"
PACKAGES = _INSTALLED / "node_modules"

Command = list[str | Path]


def of_node(name: str, *arguments: str | Path) -> Command:
    """A command of a package of `node/`, or of node itself."""
    node = program("node")
    if node is None or not PACKAGES.exists():
        missing("node with the packages of tests/judges", "install npm and run `make test-judges`")
    return [node if name == "node" else PACKAGES / ".bin" / name, *arguments]


def of_python(name: str, *arguments: str | Path) -> Command:
    """A command of the virtual environment with the packages of `python/`."""
    installed = _INSTALLED / "python" / "bin" / name
    if not installed.exists():
        missing(f"{name} of tests/judges", "run `make test-judges`")
    return [installed, *arguments]


def printed(command: Command, environment: Mapping[str, str] | None = None) -> Any:
    """What a program prints, read as JSON if it is JSON. It must succeed."""
    variables = {**(environment or os.environ), "NODE_PATH": str(PACKAGES)}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    try:
        return json.loads(ran.stdout)
    except ValueError:
        return ran.stdout
