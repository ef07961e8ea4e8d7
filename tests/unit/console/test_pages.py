"""Every page is complete, safe and small, and shows what the API refuses."""

import gzip
import re
from hashlib import sha256

import pytest

from console.assets import read_assets
from registries.catalogue import PROVIDERS
from tests.support.servers import ROOT
from tests.unit.console.conftest import BASE, HERE, ONE, Browser
from tests.unit.console.fake_api import (
    FakeApi,
    problem,
)

PAGES = [
    "/",
    BASE,
    f"{BASE}/credentials",
    f"{BASE}/credentials/new",
    *(f"{BASE}/credentials/new?provider={provider.id}" for provider in PROVIDERS),
    HERE,
    *(f"{HERE}/{task}" for task in ("edit", "rotate", "roll-back", "restrict", "remove")),
    f"{BASE}/resolve",
    f"{BASE}/import",
    f"{BASE}/audit",
    f"{BASE}/exposure",
    "/tokens",
    "/tokens/tok1/revoke",
    "/system",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_scripts_labels_all_fields_and_is_small(signed_in: Browser, path: str) -> None:
    shown = signed_in.look(path, **{"Accept-Encoding": "gzip"})
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Request-Id"]
    text = gzip.decompress(shown.data).decode()
    # The page with all files that it loads.
    loaded = sum(len(asset.compressed) for name, asset in read_assets().items() if name in text)
    assert len(shown.data) + loaded <= 50 * 1024
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "<h1>" in text
    assert 'lang="en"' in text
    for field in re.findall(r'<(?:input|select|textarea)[^>]*\bid="(f-[^"]+)"', text):
        assert f'for="{field}"' in text or re.search(rf'<label[^>]*><input[^>]*id="{field}"', text)


def test_text_of_users_is_escaped(signed_in: Browser) -> None:
    shown = signed_in.look(f"{BASE}/credentials").text
    assert "For the &lt;shop&gt;" in shown
    assert "<shop>" not in shown


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "insufficient_scope", "Your token lacks the required scope"),
        (403, "account_forbidden", "Your token does not cover this"),
        (404, "credential_not_found", "There is no such credential"),
        (429, "limit_reached", "Wait a moment, then try again."),
        (503, "database_unavailable", "Service Unavailable"),
        (503, "read_model_behind", "Saved, but not visible yet"),
    ],
)
def test_a_problem_of_the_api_is_shown_with_the_request_id(
    signed_in: Browser, api: FakeApi, status: int, code: str, said: str
) -> None:
    api.answers["GET", ONE] = (status, problem(status, code, "said so"), {"Retry-After": "2"})
    shown = signed_in.look(HERE)
    assert shown.status_code == status
    assert said in shown.text
    assert shown.headers["X-Request-Id"] in shown.text
    assert api.requests[-1].headers["X_REQUEST_ID"] == shown.headers["X-Request-Id"]
    part = signed_in.look(HERE, **{"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Retarget"]) == (200, "#notices")


def test_a_response_that_is_not_from_regcred_is_reported(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", ONE] = (200, "<html>hello</html>", {"Content-Type": "text/html"})
    shown = signed_in.look(HERE)
    assert shown.status_code == 502
    assert "The response is not from regcred" in shown.text


def test_an_unhandled_exception_shows_a_page_without_details(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", ONE] = (200, {"odd": "canary-4711"}, {"ETag": '"1"'})
    shown = signed_in.look(HERE)
    assert shown.status_code == 500
    assert "canary-4711" not in shown.text
    assert shown.headers["X-Request-Id"] in shown.text


def test_vendored_files_match_the_list_of_their_readme() -> None:
    folders = ("services/console/static/vendor", "tests/browser/vendor")
    for folder in folders:
        listed = dict(
            re.findall(r"`([a-z.]+\.js)`.*`([0-9a-f]{64})`", (ROOT / folder / "README.md").read_text())
        )
        files = {path.name: sha256(path.read_bytes()).hexdigest() for path in (ROOT / folder).glob("*.js")}
        assert listed == files
        assert files


def test_the_url_of_a_static_file_contains_its_digest(signed_in: Browser) -> None:
    for name, asset in read_assets().items():
        found = signed_in.look(f"/static/{asset.digest}/{name}")
        assert found.data == asset.content
        assert "immutable" in found.headers["Cache-Control"]
        assert signed_in.look(f"/static/{'0' * 16}/{name}").status_code == 404
    assert signed_in.look("/static/x/../console.css").status_code == 404
