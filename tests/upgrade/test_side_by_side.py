"""A release and this version run side by side on one database, while users work: no request fails, nothing is lost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from launcher.demo.registry import DemoRegistry
from tests.support.load import Load, Target, check
from tests.support.postgres import fresh_database
from tests.support.servers import free_port
from tests.support.system import System, add_body
from tests.support.timing import waiting
from tests.upgrade.installation import get, pages, settings
from tests.upgrade.release import RELEASES, extract

LOGIN = ("octo", "fixture-password")
SOURCES = ("libs", "services", "tools")


@pytest.fixture(scope="module", params=RELEASES)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of a release."""
    folder = tmp_path_factory.mktemp("release")
    extract(request.param, folder, *SOURCES)
    return folder


@pytest.fixture
def database_url() -> Iterator[str]:
    with fresh_database() as url:
        yield url


def test_there_is_a_release() -> None:
    assert "0.9.0" in RELEASES


def path_of(source: Path) -> str:
    return ":".join(str(source / name) for name in SOURCES)


class Strict(Load):
    """A load whose every request must succeed at once."""

    def _add(self, client: httpx2.Client, number: int) -> str:
        body = add_body(f"load-{number}", self._target.registry, *LOGIN)
        response = client.post(f"/v1/accounts/{self._account}/credentials", json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])


def test_the_release_runs_its_own_code(source: Path) -> None:
    """The environment of this version is installed in editable mode, and comes after PYTHONPATH."""
    command = [sys.executable, "-c", "import eventlog, launcher; print(eventlog.__file__, launcher.__file__)"]
    done = subprocess.run(
        command, env={"PYTHONPATH": path_of(source)}, capture_output=True, text=True, check=True
    )
    assert all(file.startswith(str(source)) for file in done.stdout.split())


def test_no_request_fails_during_an_upgrade(source: Path, database_url: str, tmp_path: Path) -> None:
    """The release serves, the database is migrated, both serve, and this version serves alone."""
    port = free_port()
    registry = f"127.0.0.1:{port}"
    environment = {
        **settings(),
        "REGCRED_VERIFIER_ALLOW": registry,
        "REGCRED_VERIFIER_ALLOW_HTTP": registry,
        "REGCRED_DATABASE_URL": database_url,
        "REGCRED_KEY_FILE": str(tmp_path / "keys.json"),
    }
    old = System(tmp_path / "old", {**environment, "PYTHONPATH": path_of(source)})
    new = System(tmp_path / "new", environment)
    before = Strict(Target(old.client, registry, *LOGIN), "acme")
    after = Strict(Target(new.client, registry, *LOGIN), "globex")
    with DemoRegistry(port, logins=[LOGIN], tags={}), ExitStack() as running:
        with old, before:
            running.enter_context(new)  # migrates the database first
            on_new = running.enter_context(ExitStack())
            on_new.enter_context(after)
            waiting(
                lambda: len(before.answered) >= 40 and len(after.answered) >= 20, "both serve for a while"
            )
        target = Target(new.client, registry, *LOGIN)
        check(target, "acme", before.answered)
        on_new.close()
        check(target, "globex", after.answered)
        with (
            new.client() as client
        ):  # of the events that the release does not know; the projector handles them at its start
            waiting(lambda: get(client, "/v1/system")["dead_letters"] == [], "no event is a dead letter")


def test_the_release_runs_again_after_an_upgrade(source: Path, database_url: str, tmp_path: Path) -> None:
    environment = {**settings(), "REGCRED_DATABASE_URL": database_url}
    new = System(tmp_path / "state", environment)
    body = {"name": "reader", "scopes": ["credentials:read"], "accounts": ["acme"]}
    with new, new.client() as client:
        made = client.post("/v1/service-tokens", json=body)
        assert made.status_code == 201, made.text
    with (
        System(tmp_path / "state", {**environment, "PYTHONPATH": path_of(source)}) as old,
        old.client() as client,
    ):
        assert get(client, "/v1/accounts/acme/credentials")["items"] == []
        assert made.json()["id"] in {token["id"] for token in pages(client, "/v1/service-tokens")}
        assert client.post("/v1/service-tokens", json=body).status_code == 500  # only the new version can
    with new, new.client() as client:
        assert get(client, "/v1/system")["dead_letters"] == []
