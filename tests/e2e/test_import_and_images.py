"""A Docker configuration is imported, tested, verified on an image, and used to list images, with the CLI."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.e2e.test_cli import WRONG, Client
from tests.support.fake_registry import basic_of
from tests.support.pushed_images import push_image, push_index

_numbers = count(1)


@pytest.fixture(scope="module")
def pushed(running: Running) -> str:
    """The host and name of the repository `team/app`, with the tags 1, 2 and all."""
    url, headers = f"http://{running.registry.address}", {"Authorization": basic_of(USER, PASSWORD)}
    made = [push_image(url, "team/app", tag, headers) for tag in ("1", "2")]
    push_index(url, "team/app", "all", headers, dict(zip(("linux/amd64", "linux/arm64"), made, strict=True)))
    return f"{running.registry.address}/team/app"


@pytest.fixture
def cli(running: Running) -> Client:
    return Client(running, f"importer-{next(_numbers)}")


def config(folder: Path, **auths: Any) -> str:
    file = folder / "config.json"
    file.write_text(json.dumps({"auths": auths}))
    return str(file)


def test_a_docker_configuration_is_imported_verified_and_imported_again(cli: Client, tmp_path: Path) -> None:
    login = {"username": USER, "password": PASSWORD}
    file = config(tmp_path, **{cli.registry: login, "nowhere.example": {}})
    planned = cli.run("import", file, "--dry-run").stdout
    assert "would be created" in planned
    assert cli.json("credentials", "list")["items"] == []

    done = cli.json("import", file, "--project", "shop", "--name-prefix", "ci")
    created, unsupported = done["items"]
    assert (created["status"], unsupported["status"]) == ("created", "unsupported")
    verified = cli.json("credentials", "verify", created["name"], "--wait", "20")
    assert verified["status"] == "verified"
    found = cli.json("credentials", "show", created["credential_id"])
    assert found["restrictions"] == {"restricted": True, "projects": ["shop"]}
    assert found["name"].startswith("ci-127-0-0-1-")

    again = cli.json("import", "-", secret=Path(file).read_text())
    assert again["items"][0] == created | {
        "status": "duplicate",
        "reason": f"{created['name']} is for the same username; rotate it to replace its secret",
    }
    assert [item["id"] for item in cli.json("credentials", "list")["items"]] == [created["credential_id"]]


def test_an_import_reads_the_docker_config_and_reports_an_empty_one(cli: Client, tmp_path: Path) -> None:
    config(tmp_path, **{cli.registry: {"username": USER, "password": WRONG}})
    items = cli.json("import", DOCKER_CONFIG=str(tmp_path))["items"]
    assert [item["status"] for item in items] == ["created"]
    nothing = cli.run("import", config(tmp_path, **{"reg.io": {}}), code=1)
    assert "unsupported" in nothing.stdout
    assert "1 unsupported" in nothing.stderr
    assert "docker_config" in cli.run("import", "-", secret="{}", code=1).stderr


def test_a_login_is_tested_before_it_is_stored(cli: Client, pushed: str) -> None:
    login = ["--provider", "custom", "--registry", cli.registry, "--username", USER, "--password-stdin"]
    good = cli.json("credentials", "test", *login, "--image", f"{pushed}:1", secret=PASSWORD)
    assert (good["status"], good["code"], good["id"]) == ("verified", None, None)
    assert "the login can pull team/app" in good["detail"]
    bad = cli.run("credentials", "test", *login, secret=WRONG, code=3)
    assert "failed: bad_credential" in bad.stdout
    assert "what to do" in bad.stdout
    elsewhere = cli.run("credentials", "test", *login, "--image", "nginx", secret=PASSWORD, code=1)
    assert "--image" in elsewhere.stderr
    assert cli.json("credentials", "list")["items"] == []


def test_a_stored_credential_is_verified_on_an_image(cli: Client, pushed: str) -> None:
    cli.add("team")
    good = cli.json("credentials", "verify", "team", "--image", f"{pushed}:1", "--wait", "20")
    assert (good["status"], good["trigger"]) == ("verified", "requested")
    assert "the login can pull team/app" in good["detail"]
    refused = cli.run("credentials", "verify", "team", "--image", "nginx:1", code=1)
    assert "--image" in refused.stderr
    events = cli.json("audit", "--action", "verification.requested")["items"]
    assert [event["image"] for event in events] == [f"{pushed}:1"]


def test_tags_and_images_are_read_with_a_credential(cli: Client, pushed: str) -> None:
    assert "has no credential" in cli.run("images", "tags", pushed, code=1).stderr
    cli.add("team")
    assert sorted(cli.run("images", "tags", pushed).stdout.split()) == ["1", "2", "all"]
    assert len(cli.json("images", "tags", pushed, "--limit", "2")["items"]) == 2
    shown = cli.json("images", "show", f"{pushed}:all")
    assert [platform["architecture"] for platform in shown["platforms"]] == ["amd64", "arm64"]
    by_digest = cli.run("images", "show", f"{pushed}@{shown['platforms'][0]['digest']}").stdout
    assert "bytes to pull" in by_digest
    cli.run("images", "show", f"{pushed}:none", code=1)
    cli.add("other", secret=WRONG, code=3)
    assert "--credential" in cli.run("images", "show", f"{pushed}:1", code=2).stderr
    cli.run("images", "show", f"{pushed}:1", "--credential", "TEAM")
    refused = cli.run("images", "tags", pushed, "--credential", "other", code=1)
    assert "verification_failed" in refused.stderr


def test_no_tested_secret_is_in_the_logs(running: Running, cli: Client) -> None:
    login = ["--provider", "custom", "--registry", cli.registry, "--username", USER, "--password-stdin"]
    cli.run("credentials", "test", *login, secret=WRONG, code=3)
    log = running.system.log.read_text()
    assert "tried" in log
    for canary in (PASSWORD, WRONG):
        assert canary not in log
