"""The catalogue is complete and consistent, and its generated page is current."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from contracts.credential_events import SecretKind
from contracts.verdicts import VerificationCode
from docs.contract_documents.provider_page import document
from registries.catalogue import CUSTOM, PROVIDERS, provider, registry_host_for
from registries.errors import InvalidRegistry
from registries.input.new_secret import _KINDS, JsonDocument, SecretString
from registries.provider import Provider
from registries.provider_view import to_public
from registries.secret_kinds import SECRET_KINDS
from registries.verification_help import GENERAL_HELP, help_for
from tests.support.sources import PRODUCT, source

PAGE = Path(__file__).resolve().parents[3] / "docs" / "providers.md"
LIBS = PAGE.parents[1] / "libs"
IDS = [entry.id for entry in PROVIDERS]
# The ids that the API promises, in the order of the list.
CONTRACT = (
    "dockerhub",
    "gcr",
    "gar",
    "github",
    "gitlab",
    "ecr",
    "acr",
    "quay",
    "harbor",
    "gitea",
    "digitalocean",
    "custom",
)


def test_the_providers_are_those_of_the_contract() -> None:
    assert tuple(IDS) == CONTRACT
    assert [provider(name) for name in IDS] == list(PROVIDERS)
    with pytest.raises(InvalidRegistry) as caught:
        provider("dockerHub")
    assert (caught.value.pointer, caught.value.code) == ("/provider", "unknown_provider")


def test_a_provider_is_the_file_of_its_name() -> None:
    files = {path.stem for path in (LIBS / "registries" / "providers").glob("[a-z]*.py")}
    assert files == set(IDS)


@pytest.mark.parametrize("root", [LIBS, LIBS.parent / "services"], ids=lambda root: root.name)
def test_no_other_file_compares_the_ids_of_providers(root: Path) -> None:
    ids = set(IDS) - {CUSTOM}
    for path in PRODUCT:
        if path.is_relative_to(root) and path.parent.name != "providers":
            assert not ids & {text for _, text in (*source(path).strings, *source(path).docstrings)}, path


@pytest.mark.parametrize("entry", PROVIDERS, ids=IDS)
def test_an_entry_is_complete_and_json(entry: Provider) -> None:
    public = to_public(entry)
    assert json.loads(json.dumps(public)) == public
    fields = (
        "id name hosts aliases locations registry_url secret_kinds secrets username image_path permission expiry "
        "help quirks docs_url"
    )
    assert " ".join(public) == fields
    assert set(public["username"]) == {"rule", "label", "help", "values"}
    for field in ("name", "hosts", "secret_kinds", "image_path", "permission", "expiry", "help", "docs_url"):
        assert public[field], field
    assert public["docs_url"].startswith("https://")
    assert {"username_password", "docker_config"} <= set(entry.secret_kinds)
    assert ("keyfile" in entry.secret_kinds) == (entry.id in {"gcr", "gar"})
    assert bool(entry.username.allowed) == (entry.username.rule != "required")
    assert bool(entry.host_pattern) == bool(entry.host_rule)
    assert len({location.id for location in entry.locations}) == len(entry.locations)


def test_the_kinds_of_secrets_are_those_of_events_and_requests() -> None:
    kinds = {kind.id: kind for kind in SECRET_KINDS}
    assert set(kinds) == set(get_args(SecretKind)) == set(_KINDS)
    for kind in SECRET_KINDS:
        schema = _KINDS[kind.id]().fields
        assert {field.name for field in kind.fields} == set(schema) - {"kind"}
        for field in kind.fields:
            assert field.required == schema[field.name].required
            assert field.secret == isinstance(schema[field.name], SecretString | JsonDocument)


def test_a_form_has_the_username_field_of_the_provider() -> None:
    forms = {form["kind"]: form for form in to_public(provider("ecr"))["secrets"]}
    assert list(forms) == ["aws_keys", "username_password", "docker_config"]
    username = forms["username_password"]["fields"][0]
    assert (username["required"], username["values"]) == (False, ["AWS"])
    (hub, *_) = to_public(provider("dockerhub"))["secrets"]
    assert hub["fields"][0]["label"] == "Docker ID or organization"
    assert hub["fields"][0]["required"]


def test_locations_of_google_registries_are_listed() -> None:
    hosts = {location.id: location.host for location in provider("gcr").locations}
    assert hosts == {"gcr.io": "gcr.io", "us": "us.gcr.io", "eu": "eu.gcr.io", "asia": "asia.gcr.io"}
    gar = provider("gar").locations
    assert len(gar) == 3 + 44
    assert all(location.host == f"{location.id}-docker.pkg.dev" for location in gar)
    assert [entry.id for entry in PROVIDERS if entry.locations] == ["gcr", "gar"]


@pytest.mark.parametrize("entry", PROVIDERS, ids=IDS)
def test_a_provider_refuses_a_host_that_has_not_the_form_of_its_hosts(entry: Provider) -> None:
    """A host with `<...>` says that its registries have a form. Without a pattern any host would be accepted."""
    if not any("<" in host for host in set(entry.hosts) - {"<your host>"}):
        assert not entry.host_pattern
        return
    with pytest.raises(InvalidRegistry) as caught:
        registry_host_for(entry.id, "registry.example.com", None)
    assert (caught.value.pointer, caught.value.code) == ("/registry_url", "host_mismatch")
    assert not entry.host_pattern or entry.host_pattern.fullmatch(entry.example_host)


@pytest.mark.parametrize("entry", PROVIDERS, ids=IDS)
def test_every_outcome_has_advice(entry: Provider) -> None:
    for code in VerificationCode:
        text = help_for(entry.id, code)
        assert text.endswith(".")
        assert not re.search(r"  |\s$|^\s", text)
        assert text == entry.advice.get(code, GENERAL_HELP[code])


def test_an_unknown_provider_has_the_general_advice() -> None:
    assert help_for("gone", VerificationCode.EXPIRED) == GENERAL_HELP[VerificationCode.EXPIRED]


def test_providers_have_specific_advice() -> None:
    assert "fine-grained" in help_for("github", VerificationCode.BAD_CREDENTIAL)
    assert "12 hours" in help_for("ecr", VerificationCode.EXPIRED)
    assert "read_registry" in help_for("gitlab", VerificationCode.MISSING_SCOPE)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "run `python -m docs.contract_documents.provider_page docs/providers.md`"
    )


def test_the_page_names_providers_locations_and_codes() -> None:
    text = document()
    for entry in PROVIDERS:
        assert f"\n## {entry.id}\n" in text
        assert entry.permission in text
        assert all(f"`{location.host}`" in text for location in entry.locations)
    assert all(f"| `{code}` | {GENERAL_HELP[code]} |" in text for code in VerificationCode)
