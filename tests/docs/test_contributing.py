"""The recipes of CONTRIBUTING.md, applied literally to a copy of the repository."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from secretstore.keyfile import KeyFile
from tests.support.log import lead, relay_of, sequence
from tests.support.postgres import migrated_database
from tests.support.servers import ROOT

pytestmark = pytest.mark.integration

RECIPES = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Recipes\n")[2]
COPIED = ("docs", "infra", "libs", "services", "tests", "tools")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A credential is added and reviewed through the API of the copy, which prints its answers.
REVIEW = """
import json, os
from pathlib import Path
from typing import Any
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from tests.support.system import add_body

settings = Settings.from_environment(os.environ)
token = settings.home / "admin.token"
prepare_admin_token(token, settings.required_database_url(), prepare_keys(settings.key_file))
parts = [command_api(settings), query_api(settings)]
client = join(parts).test_client()
client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token.read_text().strip()}"
added = client.post("/v1/accounts/acme/credentials", json=add_body("one", "registry.example.com", "octo", "a-token"))
reviewed = client.post(f"{added.headers['Location']}/reviews", json={"reason": "needed"})
providers = client.get("/v1/providers")
print(json.dumps([reviewed.status_code, reviewed.headers.get("ETag"), providers.json]))
for part in parts:
    part.close()
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the repository with its own database."""

    folder: Path
    database_url: str

    def follow(self, language: str, block: str) -> None:
        """Do what one block of a recipe says."""
        if language == "sh":
            self.run("sh", "-e", "-c", block)
            return
        title, _, text = block.partition("\n")
        file = self.folder / title.split()[1]
        if language == "diff":
            file.write_text(changed(file.read_text(), text), encoding="utf-8")
        elif file.exists():
            blank = "\n\n\n" if file.suffix == ".py" else "\n\n"
            file.write_text(f"{file.read_text().rstrip()}{blank}{text}", encoding="utf-8")
        else:
            file.write_text(text, encoding="utf-8")

    def run(self, *command: str) -> str:
        """Run a program of this environment in the copy; what it prints."""
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("REGCRED_", "PYTEST_"))
        }
        environment = {
            **ours,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(str(self.folder / root) for root in ("libs", "services", "tools", ".")),
            "REGCRED_HOME": str(self.folder / ".regcred"),
            "REGCRED_DATABASE_URL": self.database_url,
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def changed(text: str, diff: str) -> str:
    """Apply each part of a diff, whose lines without `+` occur once in the text."""
    for part in diff.split("@@\n")[1:]:
        lines = [(line[:1], line[1:] + "\n") for line in part.splitlines()]
        old = "".join(line for mark, line in lines if mark != "+")
        new = "".join(line for mark, line in lines if mark != "-")
        assert text.count(old) == 1, f"{text.count(old)} places are\n{old}"
        text = text.replace(old, new)
    return text


def test_the_diffs_still_apply_after_another_feature_followed_the_recipes() -> None:
    """The lines that they quote are not those that a second event, command, route, table or provider changes."""
    diffs = [block for language, block in _BLOCK.findall(RECIPES) if language == "diff"]
    assert len(diffs) > 10
    for diff in diffs:
        title, _, text = diff.partition("\n")
        file = (ROOT / title.split()[1]).read_text(encoding="utf-8")
        other = text.replace("eview", "evoke").replace("scaleway", "ocir")
        assert other != text
        changed(changed(file, other), text)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The copy after all recipes. Its database was migrated before."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("*.*"), ROOT / "Makefile"):
        if file.is_file():
            shutil.copy(file, folder)
    (folder / ".regcred").mkdir()
    KeyFile.create(folder / ".regcred" / "keys.json")
    with migrated_database() as url:
        followed = Copy(folder, url)
        for language, block in _BLOCK.findall(RECIPES):
            followed.follow(language, block)
        yield followed


@pytest.fixture(scope="module")
def answers(copy: Copy) -> list[Any]:
    """Responses of the API of the copy: status and ETag of a review, and the providers."""
    answers: list[Any] = json.loads(copy.run(sys.executable, "-c", REVIEW).splitlines()[-1])
    return answers


def test_the_event_is_described(copy: Copy) -> None:
    assert "\n### credential.reviewed, version 1\n" in (copy.folder / "docs" / "events.md").read_text()
    assert "credential.reviewed" in (copy.folder / "docs" / "asyncapi.yaml").read_text()
    golden = copy.folder / "docs" / "schemas" / "events" / "credential.reviewed.v1.example.json"
    assert json.loads(golden.read_text())["reason"] == "the shop deploys with it"


def test_the_route_responds(copy: Copy, answers: list[Any]) -> None:
    assert answers[:2] == [200, '"2"']
    described = json.loads((copy.folder / "libs" / "chassis" / "web" / "openapi.json").read_text())
    assert "/v1/accounts/{account_id}/credentials/{credential_id}/reviews" in described["paths"]


def test_the_projection_has_the_review(copy: Copy, answers: list[Any]) -> None:
    with relay_of(copy.database_url) as relay:
        sequence(relay, lead(relay))
    copy.run("regcred", "projections", "rebuild", "--switch")
    with psycopg.connect(copy.database_url) as superuser:
        assert superuser.execute("SELECT account_id FROM rm.reviews").fetchall() == [("acme",)]
        reviewed = "SELECT action, reason FROM rm.audit_events WHERE action = 'credential.reviewed'"
        [row] = superuser.execute(reviewed).fetchall()
        assert row == ("credential.reviewed", "needed")
        assert superuser.execute("SELECT version FROM rm.credentials").fetchall() == [(2,)]
        index = "SELECT tablename FROM pg_indexes WHERE indexname = 'reviews_of_credential'"
        assert set(superuser.execute(index)) == {("reviews",)}


def test_the_migration_is_applied(copy: Copy) -> None:
    with psycopg.connect(copy.database_url) as superuser:
        name = superuser.execute("SELECT max(name) FROM regcred_migrations").fetchone()
        assert name == ("0901_credentials_review_intervals.sql",)
        superuser.execute("SET ROLE regcred_credentials")
        assert superuser.execute("SELECT FROM credentials.review_intervals").rowcount == 0


def test_the_provider_is_listed(copy: Copy, answers: list[Any]) -> None:
    assert "scaleway" in {provider["id"] for provider in answers[2]["items"]}
    assert "\n## scaleway\n" in (copy.folder / "docs" / "providers.md").read_text()


def test_the_copy_passes_the_checks_of_a_commit(copy: Copy) -> None:
    """Lint, import contracts, and the unit tests of the files that the recipes change. `make check` runs the others."""
    copy.run("ruff", "check", "--no-cache", *COPIED)
    copy.run("ruff", "format", "--no-cache", "--check", *COPIED)
    copy.run("lint-imports", "--no-cache")
    copy.run(
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        # Not below the folder that pytest shares by default: pytest would revoke the rights of others there,
        # and with them those of a PostgreSQL that runs as another user.
        f"--basetemp={copy.folder.parent / 'pytest'}",
        "tests/golden",
        "tests/unit/contracts",
        "tests/unit/projector",
        "tests/unit/registries",
    )


def test_a_field_touches_the_files_that_the_recipe_names() -> None:
    section = RECIPES.partition("### A field of a credential\n")[2].partition("\n### ")[0]
    named = re.findall(r"`((?:libs|services|tools)/[^`]+)`", section)
    measure = runpy.run_path(str(ROOT / "infra" / "measures" / "structure.py"))
    touched = {
        str(path.relative_to(ROOT))
        for root in ("libs", "services", "tools")
        for suffix in (".py", ".sql", ".html")
        for path in (ROOT / root).rglob(f"*{suffix}")
        if measure["FIELD"] in path.read_text(encoding="utf-8")
        and measure["_carries"](path, measure["FIELD"])
    }
    assert sorted(named) == sorted(touched)
