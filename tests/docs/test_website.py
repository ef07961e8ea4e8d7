"""The site builds without a warning, all its links and anchors exist, and no page loads from another host."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from chassis.web.interface import document
from registries.catalogue import PROVIDERS
from tests.support.servers import ROOT, missing

_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}


class Page(HTMLParser):
    """The links and files of a page, and its anchors."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if (tag, name) in _LOADED:
                self.loads.append(value)
            if (tag, name) == ("a", "href"):
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("sphinx") is None:
        missing("sphinx", "make setup-dev")
    folder = tmp_path_factory.mktemp("website") / "docs"
    done = subprocess.run(
        [sys.executable, "-m", "docs.website", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html")}


def test_every_link_and_anchor_exists(site: Path, pages: dict[Path, Page]) -> None:
    assert not list(_dead(site, pages))


def _dead(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for file, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            meant = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if meant.is_dir():
                meant /= "index.html"
            anchor = unquote(parts.fragment)
            if not meant.is_file():
                yield f"{file.relative_to(site)}: {link}"
            elif anchor and meant in pages and anchor not in pages[meant].anchors:
                yield f"{file.relative_to(site)}: {link} has no such anchor"


def test_no_page_loads_files_of_another_host(site: Path, pages: dict[Path, Page]) -> None:
    foreign = [load for page in pages.values() for load in page.loads if urlsplit(load).netloc]
    assert not foreign
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_page_of_the_repository_is_on_the_site(site: Path) -> None:
    for file in (
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/reference/*.md"),
        *ROOT.glob("docs/adr/[0-9]*.md"),
    ):
        name = file.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / name).is_file() or name.name == "providers.html", f"{name} is not on the site"


def test_the_site_has_a_guide_for_each_provider_and_a_reference_of_each_route(site: Path) -> None:
    for provider in PROVIDERS:
        assert provider.name in (site / "providers" / f"{provider.id}.html").read_text(encoding="utf-8")
    reference = (site / "api.html").read_text(encoding="utf-8")
    for path, operations in document()["paths"].items():
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}:
            assert f"{method.upper()} {path}" in reference
