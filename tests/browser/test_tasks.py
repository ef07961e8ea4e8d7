"""The main tasks of a user: with scripts, without scripts, and with the keyboard only."""

import json
import re
import time
from base64 import b64encode
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PASSWORD, USER, WRONG, Open, Seeded, sign_in
from tests.support.docker_registry import DockerRegistry
from tests.support.pushed_images import push_image
from tests.support.system import System
from tests.support.timing import waiting

_numbers = count(1)


def see(page: Page, text: str, *, scripted: bool) -> None:
    """Wait for a text, which appears by itself, or after a reload if scripts are off."""
    place = page.locator("#verification")
    deadline = time.monotonic() + 30
    while not scripted and text not in place.inner_text() and time.monotonic() < deadline:
        page.get_by_role("link", name="Refresh").click()
    expect(place).to_contain_text(text)


def open_account(page: Page, admin: str, account: str) -> None:
    sign_in(page, admin)
    page.get_by_label("Account id").fill(account)
    page.get_by_role("button", name="Open").click()


def add_with_a_wrong_password(page: Page, registry: DockerRegistry) -> None:
    """After an invalid name: the form shows the problem and clears only the secret."""
    page.get_by_role("link", name="Add the first one").click()
    page.get_by_role("link", name="Another registry").click()
    page.get_by_label("Name", exact=True).fill("1")
    page.get_by_label("Registry", exact=True).fill(registry.address)
    page.get_by_label("Username", exact=True).fill(USER)
    page.get_by_label("Password, token or API key").fill(WRONG)
    page.get_by_role("button", name="Save and verify").click()
    expect(page.get_by_role("alert")).to_contain_text("3 to 39 characters")
    expect(page.get_by_label("Username", exact=True)).to_have_value(USER)
    expect(page.get_by_label("Password, token or API key")).to_have_value("")
    assert WRONG not in page.content()
    page.get_by_label("Name", exact=True).fill("shop-images")
    page.get_by_label("Password, token or API key").fill(WRONG)
    page.get_by_role("button", name="Save and verify").click()


def restrict_and_edit(page: Page) -> None:
    page.get_by_role("link", name="Restrict").click()
    page.get_by_label("Only these projects").check()
    page.get_by_label("Projects", exact=True).fill("shop\nshop-staging")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("2 projects may use shop-images.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Description").fill("Images of the shop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("shop-images is changed.")).to_be_visible()


def look_up_an_image(page: Page, registry: DockerRegistry) -> None:
    page.get_by_role("link", name="Image lookup").click()
    page.get_by_label("Image").fill(f"{registry.address}/acme/shop:1")
    for project, said in (
        ("stranger", "restricted to other projects."),
        ("shop", "the only eligible credential."),
    ):
        page.get_by_label("Project").fill(project)
        page.get_by_role("button", name="Look up").click()
        expect(page.get_by_text(f"It is {said}")).to_be_visible()


def read_the_audit_log(page: Page, *, scripted: bool) -> None:
    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("Action", exact=True).select_option("credential.restrictions_changed")
    if not scripted:
        page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"\?action=credential\.restrictions_changed$"))
    expect(page.locator("#results tbody").first).to_contain_text("for ada@example.com")
    page.get_by_text("1 change", exact=True).click()
    expect(page.locator("ins").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "credential.restrictions_changed" in download.value.path().read_text()


def remove(page: Page) -> None:
    page.get_by_role("link", name="Credentials").click()
    page.get_by_role("link", name="shop-images").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_label("Type its name").fill("shop-images")
    page.get_by_role("button", name="Remove permanently").click()
    expect(page.get_by_text("shop-images is removed, and its secret destroyed.")).to_be_visible()
    expect(page.get_by_text("No credentials yet")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False], ids=["with htmx", "without JavaScript"])
def test_a_credential_can_be_added_rotated_restricted_and_removed(
    open_page: Open, admin: str, registry: DockerRegistry, *, scripted: bool
) -> None:
    page = open_page(java_script_enabled=scripted)
    open_account(page, admin, f"life-{next(_numbers)}")
    add_with_a_wrong_password(page, registry)
    see(page, "The registry refused the username or the secret.", scripted=scripted)
    expect(page.locator("#verification")).to_contain_text("bad_credential")
    expect(page.locator("#verification")).to_contain_text("What to do")
    page.get_by_role("link", name="Rotate", exact=True).click()
    page.get_by_label("Password, token or API key").fill(PASSWORD)
    page.get_by_role("button", name="Rotate and verify").click()
    see(page, "The registry accepted the login.", scripted=scripted)
    restrict_and_edit(page)
    look_up_an_image(page, registry)
    read_the_audit_log(page, scripted=scripted)
    remove(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus and is visible."""
    for _ in range(80):
        if wanted.evaluate("element => element === document.activeElement"):
            outline = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert outline != "none"
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not get to {wanted}")


def test_a_credential_can_be_added_with_the_keyboard(
    open_page: Open, admin: str, registry: DockerRegistry
) -> None:
    page = open_page()

    def press(role: str, name: str) -> None:
        tab_to(page, page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]
        page.keyboard.press("Enter")
        page.wait_for_load_state()

    def write(label: str, text: str) -> None:
        tab_to(page, page.get_by_label(label, exact=True))
        page.keyboard.type(text)

    page.goto("/sign-in")
    page.keyboard.type(admin)  # the focus is in the field already
    page.keyboard.press("Enter")
    page.get_by_label("Account id").wait_for()
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    press("link", "Add the first one")
    page.get_by_role("heading", name="Add a credential").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    press("link", "Another registry")
    page.get_by_label("Name", exact=True).wait_for()
    write("Name", "typed-in")
    write("Registry", registry.address)
    write("Username", USER)
    write("Password, token or API key", PASSWORD)
    tab_to(page, page.get_by_label("Every project of the account"))
    page.keyboard.press("ArrowDown")
    write("Projects", "shop")
    press("button", "Save and verify")
    expect(page.locator("#verification")).to_contain_text("The registry accepted the login.")
    press("link", "Remove")
    write("Type its name to confirm: typed-in", "wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".summary")).to_be_focused()
    press("link", "Type the name of the credential: typed-in")
    expect(page.get_by_label("Type its name")).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("typed-in")
    page.keyboard.press("Enter")
    expect(page.get_by_text("typed-in is removed")).to_be_visible()


def test_selecting_a_provider_switches_its_fields_and_preserves_the_others(
    open_page: Open, admin: str
) -> None:
    page = open_page()
    sign_in(page, admin)
    page.goto("/accounts/tiles/credentials/new?provider=github")
    page.get_by_label("Name", exact=True).fill("kept-name")
    page.get_by_label("Password, token or API key").fill(WRONG)
    page.get_by_role("link", name="Google Artifact Registry").click()
    expect(page.get_by_label("Location")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("kept-name")
    expect(page.get_by_role("link", name="Google Artifact Registry")).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?provider=gar$"))
    expect(page.get_by_label("Or paste it").first).to_be_visible()
    expect(page.get_by_label("Password, token or API key")).to_be_hidden()
    page.get_by_label("Username and secret").check()
    expect(page.get_by_label("Password, token or API key")).to_be_visible()
    expect(page.get_by_label("Password, token or API key")).to_have_value("")


def test_filters_apply_at_once_and_are_in_the_url(open_page: Open, admin: str, seeded: Seeded) -> None:
    page = open_page()
    sign_in(page, admin)
    page.goto("/accounts/acme/credentials")
    page.get_by_label("Name", exact=True).press_sequentially("WRONG")
    expect(page.locator("#results tbody > tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/credentials\?name=WRONG$"))
    page.get_by_label("Health").select_option("verified")
    expect(page.get_by_text("No credential of this account matches")).to_be_visible()
    page.go_back()
    expect(page.locator("#results tbody > tr")).to_have_count(1)


def test_a_service_token_is_shown_once_and_has_only_its_scopes(
    open_page: Open, admin: str, seeded: Seeded
) -> None:
    page = open_page()
    sign_in(page, admin)
    page.goto("/tokens")
    page.get_by_label("Name", exact=True).fill("reader")
    page.get_by_label("Read credentials").check()
    page.get_by_label("Account ids").fill("acme")
    page.get_by_role("button", name="Create token").click()
    made = page.get_by_label("The token", exact=True).input_value()
    page.reload()
    expect(page.get_by_label("The token", exact=True)).to_have_count(0)

    other = open_page()
    sign_in(other, made)
    other.goto(f"/accounts/acme/credentials/{seeded.good}")
    expect(other.get_by_text("may not read the audit log")).to_be_visible()
    other.goto("/tokens")
    expect(other.get_by_role("heading", name="Your token lacks the required scope")).to_be_visible()
    other.goto("/accounts/else/credentials")
    expect(other.get_by_role("heading", name="Your token does not cover this")).to_be_visible()

    page.get_by_role("link", name="Revoke reader").click()
    page.get_by_role("button", name="Revoke permanently").click()

    def refused() -> bool:  # a token is remembered for two seconds (ADR 6)
        other.goto("/accounts/acme/credentials")
        return other.get_by_text("no longer valid").is_visible()

    waiting(refused, "the revoked token is refused")


def test_tags_are_offered_while_an_image_is_typed(
    open_page: Open, admin: str, seeded: Seeded, registry: DockerRegistry
) -> None:
    login = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    for tag in ("1.4", "1.5"):
        push_image(f"http://{registry.address}", "acme/shop", tag, login)
    page = open_page()
    sign_in(page, admin)
    page.goto("/accounts/acme/resolve")
    page.get_by_label("Project", exact=True).fill("shop")
    image = page.get_by_label("Image", exact=True)
    image.press_sequentially(f"{registry.address}/acme/shop:1")
    expect(page.get_by_text("2 tags found with the credential team-main.")).to_be_visible()
    for tag in ("1.4", "1.5"):
        expect(page.locator(f"#tags option[value='{registry.address}/acme/shop:{tag}']")).to_have_count(1)
    expect(image).to_be_focused()
    expect(image).to_have_value(f"{registry.address}/acme/shop:1")
    image.press_sequentially(".4")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Selected credential")).to_be_visible()
    expect(page).to_have_url(re.compile(r"project_id=shop&image=[^&]+&operation=pull$"))


def test_usage_is_shown_in_the_list(
    open_page: Open, admin: str, seeded: Seeded, system: System, registry: DockerRegistry
) -> None:
    with system.client() as client:
        body = {
            "images": [f"{registry.address}/acme/shop:1.4"],
            "project_id": "shop",
            "workload": {"kind": "deployment", "name": "storefront"},
            "format": "docker_config",
        }
        assert client.post("/v1/accounts/acme/pull-secrets", json=body).status_code == 200
    page = open_page()
    sign_in(page, admin)
    row = page.locator("tbody > tr", has_text="team-main")

    def shown() -> bool:
        page.goto("/accounts/acme/credentials")
        return "by 1 workload" in row.inner_text()

    waiting(shown, "the use is shown")
    expect(page.locator("tbody > tr", has_text="team-wrong")).to_contain_text("Not yet")


def test_the_system_page_lists_the_consumers(open_page: Open, admin: str, seeded: Seeded) -> None:
    page = open_page()
    sign_in(page, admin)
    page.goto("/system")
    expect(page.get_by_text("All systems operational")).to_be_visible()
    for consumer in ("projector", "verifier", "housekeeping"):
        expect(page.get_by_role("rowheader", name=consumer)).to_be_visible()


def test_an_import_is_previewed_and_then_run(open_page: Open, admin: str, registry: DockerRegistry) -> None:
    page = open_page()
    sign_in(page, admin)
    page.goto("/accounts/imported/import")
    login = {"username": USER, "password": PASSWORD}
    page.get_by_label("Or paste it").fill(json.dumps({"auths": {registry.address: login, "127.0.0.1:9": {}}}))
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 would be created", exact=True)).to_be_visible()
    expect(page.get_by_text("1 not supported", exact=True)).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("1 created", exact=True)).to_be_visible()
    page.locator("tbody a").click()
    expect(page.locator("#verification")).to_contain_text("The registry accepted the login.")


def test_no_secret_is_in_the_log(system: System, admin: str) -> None:
    """After the inputs of the tests above."""
    text = system.log.read_text()
    assert '"page"' in text
    for secret in (PASSWORD, WRONG, admin):
        assert secret not in text
