"""Each image has the libraries that its program imports, and none of the excluded ones.

Tested here without Docker: the program is imported in a process that finds the libraries of its dependency group only.
`tests/containers/test_images.py` holds the built images to the same table.
"""

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infra.images import contents
from tests.support.images import IMAGES, Image
from tests.support.servers import ROOT

# Finders run in order: this one finds no module of a distribution that is not locked for the image.
_IMPORT_ALONE = """
import importlib, sys
barred, modules = set(sys.argv[1].split(",")), sys.argv[2].split(",")
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in barred:
            raise ModuleNotFoundError(f"{name} is not in this image", name=name)
sys.meta_path.insert(0, Barred())
for module in modules:
    importlib.import_module(module)
"""


OURS = {
    folder.name
    for root in contents.PROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]
    for folder in (ROOT / root).iterdir()
    if folder.is_dir() and not folder.name.startswith("__")
}


@cache
def locked(image: str) -> frozenset[str]:
    """Names of the distributions in the image, normalised."""
    return frozenset(one.name for one in contents.locked(f"image-{image}"))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_a_program_imports_only_packages_of_its_image(image: Image) -> None:
    barred = {
        module
        for module, distributions in packages_distributions().items()
        if not {normalised(name) for name in distributions} & {*locked(image.name), "regcred"}
    }
    barred |= OURS - set(image.packages)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALONE, ",".join(barred), ",".join(image.modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_no_lock_of_an_image_has_an_excluded_library(image: Image) -> None:
    assert not locked(image.name) & set(image.without)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_has_its_packages_only(image: Image) -> None:
    folders = [Path(folder) for folder in contents.packages(image.name)]
    assert {folder.parts[1] for folder in folders} == set(image.packages)
    assert all(any((ROOT / folder).glob("*.py")) for folder in folders)
