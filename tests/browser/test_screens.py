"""Every screen in both themes and on a phone: axe finds no serious fault, and nothing is wider than the window."""

from pathlib import Path

import pytest

from tests.browser.conftest import Open, Seeded, sign_in

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_ACME = "/accounts/acme"
SERIOUS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .map(found => found.id + ": " + found.nodes.map(node => node.html + " " + node.failureSummary).join("; "))"""


def screens(seeded: Seeded) -> list[str]:
    good = f"{_ACME}/credentials/{seeded.good}"
    return [
        "/",
        _ACME,
        f"{_ACME}/credentials",
        f"{_ACME}/credentials?status=failed&name=team",
        f"{_ACME}/credentials?name=nothing",
        f"{_ACME}/credentials/new",
        f"{_ACME}/credentials/new?provider=gar",
        f"{_ACME}/credentials/new?provider=custom&restricted=yes&description=x",
        good,
        f"{_ACME}/credentials/{seeded.bad}",
        f"{good}/edit",
        f"{good}/rotate",
        f"{good}/restrict",
        f"{good}/remove",
        f"{_ACME}/resolve",
        f"{_ACME}/resolve?image=-&project_id=shop",
        f"{_ACME}/resolve?image=127.0.0.1:9/acme/shop&project_id=shop",
        f"{_ACME}/import",
        f"{_ACME}/audit",
        f"{_ACME}/audit?credential_id={seeded.good}&request_id=00000000-0000-0000-0000-000000000000",
        f"{_ACME}/exposure",
        f"{_ACME}/exposure?source_ip=192.0.2.1",
        "/accounts/empty",
        "/accounts/empty/credentials",
        "/tokens",
        "/system",
        f"{_ACME}/credentials/00000000-0000-0000-0000-000000000000",
    ]


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1280), ("dark", 390)], ids=["light, wide", "dark, phone"]
)
def test_no_screen_has_an_accessibility_fault(
    open_page: Open, admin: str, seeded: Seeded, theme: str, width: int
) -> None:
    page = open_page(color_scheme=theme, viewport={"width": width, "height": 844})
    axe, faults = AXE.read_text(), []
    page.goto("/sign-in")
    signed_in = False
    for path in ["/sign-in", *screens(seeded)]:
        if path != "/sign-in" and not signed_in:
            sign_in(page, admin)
            signed_in = True
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        page.evaluate(axe)
        faults += [f"{path} {fault}" for fault in page.evaluate(SERIOUS)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{path} is wider than the window")
    assert not faults, "\n".join(faults)
