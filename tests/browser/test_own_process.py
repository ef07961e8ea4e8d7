"""`python -m console` in its own process, with an API over HTTP, or with none."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from tests.browser.conftest import Seeded
from tests.support.servers import free_port
from tests.support.system import System
from tests.support.timing import waiting


@contextmanager
def console(api_url: str) -> Iterator[httpx2.Client]:
    """A running console and a client of it."""
    port = free_port()
    environment = {"REGCRED_API_URL": api_url, "REGCRED_CONSOLE_LISTEN": f"127.0.0.1:{port}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "console"], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:

            def answers() -> bool:
                try:
                    return client.get("/sign-in").is_success
                except httpx2.TransportError:
                    return False

            waiting(answers, "the console answers")
            yield client
    finally:
        process.terminate()
        assert process.wait(15) == 0


def signed_in(client: httpx2.Client, token: str) -> httpx2.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in").text)
    assert found is not None
    return client.post("/sign-in", data={"csrf": found[1], "token": token})


def test_the_console_is_served_over_http(system: System, admin: str, seeded: Seeded) -> None:
    with console(system.address) as client:
        assert signed_in(client, admin).status_code == 303
        shown = client.get(f"/accounts/acme/credentials/{seeded.good}")
        assert shown.status_code == 200
        assert "team-main" in shown.text
        exported = client.get("/accounts/acme/audit.ndjson?action=credential.added")
        assert len(exported.text.splitlines()) == 2


def test_an_unreachable_api_is_reported() -> None:
    with console(f"http://127.0.0.1:{free_port()}") as client:
        refused = signed_in(client, "rgcs_anything")
        assert refused.status_code == 502
        assert "The API cannot be reached." in refused.text
