"""The documentation site in both themes and on a phone, checked as the screens of the console. It loads from no other host."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread

import pytest
from playwright.sync_api import Browser

from tests.browser.test_screens import AXE, SERIOUS
from tests.support.servers import ROOT, missing

PAGES = ("index", "start", "configuration", "providers/gar", "api", "commands", "events", "cli", "adr/index")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def website(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if find_spec("sphinx") is None:
        missing("sphinx", "make setup-dev")
    folder = tmp_path_factory.mktemp("website") / "docs"
    subprocess.run([sys.executable, "-m", "docs.website", folder], cwd=ROOT, check=True, capture_output=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1280), ("dark", 390)], ids=["light, wide", "dark, phone"]
)
def test_no_page_has_an_accessibility_fault(chromium: Browser, website: str, theme: str, width: int) -> None:
    faults: list[str] = []
    context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 844})  # type: ignore[arg-type]
    page = context.new_page()
    page.on(
        "request", lambda sent: None if sent.url.startswith((website, "data:")) else faults.append(sent.url)
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    for path in PAGES:
        page.goto(f"{website}/{path}.html")
        page.evaluate(AXE.read_text())
        faults += [f"{path} {fault}" for fault in page.evaluate(SERIOUS)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{path} is wider than the window")
    context.close()
    assert not faults, "\n".join(faults)


def test_the_site_can_be_searched(chromium: Browser, website: str) -> None:
    page = chromium.new_page()
    page.goto(f"{website}/search.html?q=pull-secrets")
    page.locator("#search-results li").first.wait_for()
    page.close()
