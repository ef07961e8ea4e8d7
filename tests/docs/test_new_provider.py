"""A provider is added by one file: it is listed, found and documented, and its rules apply to logins."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.support.servers import ROOT

FILE = """
from datetime import timedelta

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.logins.registry_login import RegistryLogin
from registries.provider import ExpiryRequest, ForbiddenMeaning, Location, Provider, TokenMinter, UsernameRule
from registries.token_service import Minted

def mint(stored, registry_host, *, calls, at, endpoint):
    login = RegistryLogin(username="short", password=Secret(f"lived for {registry_host}"))
    return Minted(login=login, expires_at=at + timedelta(hours=1))

PROVIDER = Provider(
    id="acme",
    name="Acme Registry",
    hosts=("eu.registry.acme.test",),
    locations=(Location("eu", "Europe", "eu.registry.acme.test"),),
    registry_url="fixed",
    secret_kinds=("username_password",),
    username=UsernameRule(rule="required", label="Acme account", help="The name of the account."),
    image_path="<host>/<image>",
    permission="acme:pull",
    expiry="After a year.",
    help="Create a token at Acme.",
    docs_url="https://acme.test/docs",
    advice={Code.BAD_CREDENTIAL: "Create a new token at Acme."},
    refused_usernames=r"acme_[0-9]{10}",
    realms={"eu.registry.acme.test": "tokens.other.test"},
    needs_control_login=False,
    forbidden=(ForbiddenMeaning(text="no scope", code=Code.MISSING_SCOPE, detail="the {by} wants a scope"),),
    expiry_request=lambda login: ExpiryRequest("https://acme.test/token", lambda answer: None),
    minter=TokenMinter(cloud="acme", secret=RegistryLogin, key_usernames=frozenset({"acme_key"}), mint=mint),
)
"""
# What the product makes of the file; in a process of its own, where the package has one file more.
QUESTIONS = """
import json, ssl
from datetime import UTC, datetime
from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from docs.contract_documents.provider_page import document
from registries.catalogue import PROVIDERS, provider, provider_of_host, registry_host_for, username_problem
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.response import HttpResponse
from registries.input.new_secret import PROVIDER_METADATA
from registries.logins.registry_login import RegistryLogin
from registries.token_minter.minter import Endpoints, Minter
from registries.token_minter.token_calls import TokenCalls
from registries.protocol.realm import check_realm
from registries.protocol.verdict import refused
from registries.provider_view import to_public
from registries.verification_help import help_for

acme = provider("acme")
answer = HttpResponse(403, (), b'{"errors": [{"code": "DENIED", "message": "No scope"}]}')
verdict, other = (refused(answer, provider=one, by="registry") for one in (acme, provider("custom")))
policy = NetworkPolicy.parse("", "")
realm = check_realm(
    "https://tokens.other.test/token", registry_url="https://eu.registry.acme.test/v2/", policy=policy
)
calls = TokenCalls(policy, ssl.create_default_context())
minter = Minter(calls, Endpoints(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
key = RegistryLogin(username="acme_key", password=Secret("key"))
minted, stored = (
    minter.fresh(key, registry_host="eu.registry.acme.test", short_lived=short) for short in (True, False)
)
print(json.dumps({
    "ids": [entry.id for entry in PROVIDERS],
    "of the API": PROVIDER_METADATA["enum"],
    "public": to_public(acme),
    "page": document(),
    "host": registry_host_for("acme", None, "eu"),
    "owner": provider_of_host("eu.registry.acme.test"),
    "username": username_problem("acme_0123456789"),
    "advice": help_for("acme", Code.BAD_CREDENTIAL),
    "verdict": [verdict.code, verdict.detail],
    "verdict of others": other.code,
    "realm": realm.url,
    "minted": [minted.login.password.reveal(), minted.expires_at.isoformat(), stored.login.username],
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results of a copy of `registries` with one more provider."""
    folder = tmp_path_factory.mktemp("libs")
    shutil.copytree(ROOT / "libs" / "registries", folder / "registries")
    (folder / "registries" / "providers" / "acme.py").write_text(FILE)
    paths = [folder, *(ROOT / name for name in ("libs", "services", "tools", "."))]
    done = subprocess.run(
        [sys.executable, "-c", QUESTIONS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_provider_is_listed_before_custom(found: Any) -> None:
    assert found["ids"][-2:] == ["acme", "custom"]
    assert found["of the API"] == found["ids"]
    assert found["public"]["secrets"][0]["fields"][0]["label"] == "Acme account"


def test_a_new_provider_is_documented(found: Any) -> None:
    assert "\n## acme\n" in found["page"]
    assert "- **Least permission**: acme:pull" in found["page"]
    assert "| `bad_credential` | Create a new token at Acme. |" in found["page"]


def test_the_hosts_and_tokens_of_a_new_provider_are_recognised(found: Any) -> None:
    assert found["host"] == ["eu.registry.acme.test", "eu"]
    assert found["owner"] == "acme"
    assert found["username"][0] == "secret_in_username"


def test_the_rules_of_a_new_provider_apply_to_logins(found: Any) -> None:
    assert found["verdict"] == ["missing_scope", "the registry wants a scope"]
    assert found["verdict of others"] == "bad_credential"
    assert found["advice"] == "Create a new token at Acme."
    assert found["realm"] == "https://tokens.other.test/token"


def test_the_minter_of_a_new_provider_creates_short_lived_logins(found: Any) -> None:
    assert found["minted"] == ["lived for eu.registry.acme.test", "2026-01-01T01:00:00+00:00", "acme_key"]
