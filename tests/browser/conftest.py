"""One running system with a real registry, and the Chromium of this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.docker_registry import DockerRegistry
from tests.support.servers import missing, program
from tests.support.system import System, add_body
from tests.support.timing import waiting

USER = "octo"
PASSWORD = "right-horse-battery"
WRONG = "canary-7f3a9c51"
Json = dict[str, Any]
Open = Callable[..., Page]
_PATIENCE = 30_000  # milliseconds, on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def registry() -> Iterator[DockerRegistry]:
    with DockerRegistry(users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session")
def system(registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    environment = {
        "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
        "REGCRED_VERIFIER_ALLOW_HTTP": f"{registry.address},127.0.0.1:9",
    }
    with System(tmp_path_factory.mktemp("home") / "state", environment) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = program("chromium") or program("chromium-browser")
    if found is None:
        missing("chromium", "apt-get install chromium fonts-dejavu-core")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that root in a container lacks, and it loads only pages of the tests.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, system: System) -> Iterator[Open]:
    """A separate browser context. Errors in its console fail the test."""
    contexts, complaints = [], []

    def heard(message: ConsoleMessage) -> None:
        # Chromium reports the response to a refused form or a missing page as an error; the test expects it.
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            complaints.append(message.text)

    def open_page(**options: Any) -> Page:
        context = chromium.new_context(base_url=system.address, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def admin(system: System) -> str:
    return (system.home / "admin.token").read_text().strip()


def sign_in(page: Page, token: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Service token").fill(token)
    page.get_by_label("Your name or email").fill("ada@example.com")
    page.get_by_role("button", name="Sign in").click()


@dataclass(frozen=True)
class Seeded:
    """An account with credentials."""

    good: str
    bad: str


@pytest.fixture(scope="session")
def seeded(system: System, registry: DockerRegistry) -> Seeded:
    """Account `acme`."""
    base = "/v1/accounts/acme/credentials"
    with system.client() as client:

        def add(name: str, password: str, **more: Any) -> str:
            answer = client.post(base, json=add_body(name, registry.address, USER, password, **more))
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

        restrictions = {"restricted": True, "projects": ["shop", "shop-staging"]}
        more = {
            "expires_at": "2099-01-01T00:00:00Z",
            "repository_prefixes": ["acme/"],
            "description": "The shop",
        }
        good = add("team-main", PASSWORD, restrictions=restrictions, **more)
        bad = add("team-wrong", WRONG)

        def settled() -> bool:
            items: list[Json] = client.get(base).json()["items"]
            return len(items) == 2 and all(item["verification"]["status"] != "pending" for item in items)

        waiting(settled, "both are verified")
        client.patch(f"{base}/{good}", json={"description": "Images of the shop"}, headers={"If-Match": "*"})
    return Seeded(good, bad)
