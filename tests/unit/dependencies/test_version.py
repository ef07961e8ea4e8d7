"""Every file that states the version states that of pyproject.toml."""

import re
from importlib.metadata import metadata

import yaml

from infra.images.contents import PROJECT
from tests.support.servers import ROOT

VERSION = PROJECT["project"]["version"]


def test_the_installed_package_has_the_version() -> None:
    assert metadata("regcred")["Version"] == VERSION


def test_the_changelog_has_the_version() -> None:
    newest = re.search(
        r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest
    assert newest[1] == VERSION


def test_the_security_policy_supports_the_version() -> None:
    assert f"| {VERSION.rpartition('.')[0]}.x | yes |" in (ROOT / "SECURITY.md").read_text()


def test_the_kubernetes_overlay_uses_images_of_the_version() -> None:
    file = ROOT / "infra" / "kubernetes" / "overlays" / "production" / "kustomization.yaml"
    assert {one["newTag"] for one in yaml.safe_load(file.read_text())["images"]} == {VERSION}
