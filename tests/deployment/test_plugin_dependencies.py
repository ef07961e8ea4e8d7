"""The client and the plugins start without other packages of regcred and without other libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.unit.regcred.conftest import TOKEN, Server, ok

ROOTS = (ROOT / "libs", ROOT / "tools")
PLUGINS = ("regcred.apiclient", "regcred.plugins", "regcred.credential_helper", "regcred.kubelet_provider")
CLIENT = (*PLUGINS, "regcred.cli", "regcred.__main__")
# Of click, rich and httpx2, with what these need.
LIBRARIES = [
    "click",
    "rich",
    "pygments",
    "markdown_it",
    "mdurl",
    "httpx2",
    "httpcore2",
    "h11",
    "h2",
    "anyio",
    "sniffio",
    "certifi",
    "truststore",
    "idna",
    "typing_extensions",
]

# The first finder says no for every module that is not named. `-S` leaves the libraries out, unless named.
_ALONE = """
import importlib, json, pkgutil, sys
sys.path[:0] = {roots!r}
class Barred:
    def find_spec(self, name, path=None, target=None):
        if any(f"{{name}}.".startswith(f"{{one}}.") for one in {allowed!r}):
            return None
        if name == "regcred" or name.partition(".")[0] in sys.stdlib_module_names:
            return None
        raise ModuleNotFoundError(f"{{name}} is not installed", name=name)
sys.meta_path.insert(0, Barred())
"""


def alone(allowed: tuple[str, ...], code: str, *options: str, stdin: str = "", **environment: str) -> str:
    """The output of a new interpreter that can import only the standard library and `allowed`."""
    script = _ALONE.format(roots=[str(root) for root in ROOTS], allowed=allowed) + code
    done = subprocess.run(
        [sys.executable, *options, "-c", script],
        input=stdin,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def modules(package: str) -> list[str]:
    """All modules of a package of regcred."""
    for root in ROOTS:
        folder = root / package.replace(".", "/")
        if folder.is_dir():
            files = [file.relative_to(root).with_suffix("") for file in sorted(folder.rglob("*.py"))]
            return [".".join(file.parts).removesuffix(".__init__") for file in files]
    return [package]


def test_the_plugins_need_only_the_standard_library() -> None:
    named = [module for package in PLUGINS for module in modules(package)]
    named.remove("regcred.apiclient.over_httpx")
    alone(PLUGINS, f"for module in {named}: importlib.import_module(module)", "-S")


def test_the_client_needs_only_click_rich_and_httpx() -> None:
    named = [module for package in CLIENT for module in modules(package)]
    alone((*CLIENT, *LIBRARIES), f"for module in {named}: importlib.import_module(module)")


def test_a_command_that_is_not_installed_is_reported() -> None:
    code = """
from click.testing import CliRunner
from regcred.__main__ import main
for words in (["log", "verify"], ["up"], ["audit", "segments", "list", "x"], ["--help"], ["credentials", "--help"]):
    done = CliRunner().invoke(main, words, prog_name="regcred")
    print(json.dumps([done.exit_code, done.output]))
"""
    log, up, segments, *helps = map(json.loads, alone((*CLIENT, *LIBRARIES), code).splitlines())
    for (exit_code, said), command in zip((log, up, segments), ("log", "up", "audit segments"), strict=True):
        assert exit_code == 1
        assert said.startswith(f"Error: `regcred {command}` is not part of this installation: ")
    assert [exit_code for exit_code, _ in helps] == [0, 0]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.mark.parametrize("host", ["ghcr.io", "https://index.docker.io/v1/"])
def test_the_docker_helper_needs_only_the_standard_library(server: Server, tmp_path: Path, host: str) -> None:
    entry = {"username": "octo", "password": "right-horse"}
    server.replies = [ok({"docker_config": {"auths": {host: entry}}})]
    (tmp_path / "token").write_text(TOKEN)
    code = "import regcred.credential_helper.__main__ as it; sys.argv[1:] = ['get']; it.main()"
    settings = {
        "REGCRED_ADDRESS": server.address,
        "REGCRED_TOKEN_FILE": str(tmp_path / "token"),
        "REGCRED_ACCOUNT": "acme",
        "REGCRED_PROJECT": "shop",
    }
    answered = json.loads(alone(PLUGINS, code, "-S", stdin=host, **settings))
    assert answered == {"ServerURL": host, "Username": "octo", "Secret": "right-horse"}
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
