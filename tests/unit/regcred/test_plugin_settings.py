"""Settings of a plugin: variables have precedence over a file."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from regcred.apiclient.errors import ConfigurationError
from regcred.kubelet_provider.protocol import ACCOUNT_ANNOTATION, CREDENTIAL_ANNOTATION, PROJECT_ANNOTATION
from regcred.plugins.settings import Caller, read_caller
from tests.support.servers import ROOT

FILE = 'address = "https://reg.example.com/"\ntoken_file = "token"\naccount = "acme"\nproject = "shop"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a configuration file."""
    folder = tmp_path / ".config" / "regcred"
    folder.mkdir(parents=True)
    (folder / "helper.toml").write_text(FILE)
    (folder / "token").write_text("a-token\n")
    return tmp_path


def test_a_file_is_sufficient(home: Path) -> None:
    found = read_caller({"HOME": str(home)}, hostname="worker-1")
    assert (found.account, found.project) == ("acme", "shop")
    assert (found.workload_kind, found.workload_name) == ("host", "worker-1")
    assert found.connection.address == "https://reg.example.com"
    assert found.connection.token.reveal() == "a-token"
    assert "a-token" not in repr(found)


def test_variables_have_precedence_over_the_file(home: Path) -> None:
    (home / "other").write_text("another-token")
    environment = {
        "HOME": str(home),
        "REGCRED_ADDRESS": "http://127.0.0.1:8080",
        "REGCRED_TOKEN_FILE": str(home / "other"),
        "REGCRED_ACCOUNT": "",  # the same as unset
        "REGCRED_PROJECT": "blog",
        "REGCRED_WORKLOAD": "job/team/nightly",
    }
    found = read_caller(environment, hostname="worker-1")
    assert (found.account, found.project) == ("acme", "blog")
    assert (found.workload_kind, found.workload_name) == ("job", "team/nightly")
    assert found.connection.loopback
    assert found.connection.token.reveal() == "another-token"


def test_the_file_is_selected_by_option_variable_or_home(home: Path, tmp_path: Path) -> None:
    own = home / ".config" / "regcred" / "helper.toml"
    named = own.with_name("named.toml")
    named.write_text(FILE.replace("shop", "named"))
    given = own.with_name("given.toml")
    given.write_text(FILE.replace("shop", "given") + "allow_http = true\nallow_not_eligible = true\n")
    environment = {"XDG_CONFIG_HOME": str(home / ".config")}
    assert read_caller(environment, hostname="h").project == "shop"
    environment["REGCRED_HELPER_CONFIG"] = str(named)
    assert read_caller(environment, hostname="h").project == "named"
    found = read_caller(environment, hostname="h", config=given)
    assert (found.project, found.allow_not_eligible, found.credential) == ("given", True, None)
    environment |= {"REGCRED_ALLOW_NOT_ELIGIBLE": "no", "REGCRED_CREDENTIAL": "Hub"}
    found = read_caller(environment, hostname="h")
    assert (found.allow_not_eligible, found.credential) == (False, "Hub")
    environment["REGCRED_ADDRESS"] = "http://reg.example.com"
    with pytest.raises(ConfigurationError, match="plain text"):
        read_caller(environment, hostname="h")


def test_a_file_that_is_named_by_an_argument_has_precedence_over_variables(home: Path) -> None:
    node = home / "node.toml"
    node.write_text(FILE.replace("shop", "node") + 'workload = "host/node-1"\n')
    (home / "token").write_text("token-of-the-node")
    (home / "other").write_text("another-token")
    environment = {
        "HOME": str(home),
        "REGCRED_ADDRESS": "http://127.0.0.1:8080",
        "REGCRED_TOKEN_FILE": str(home / "other"),
        "REGCRED_ACCOUNT": "other",
        "REGCRED_PROJECT": "blog",
        "REGCRED_WORKLOAD": "job/nightly",
        "REGCRED_ALLOW_HTTP": "true",  # not in the file
    }
    found = read_caller(environment, hostname="worker-1", config=node)
    assert (found.account, found.project) == ("acme", "node")
    assert (found.workload_kind, found.workload_name) == ("host", "node-1")
    assert found.connection.address == "https://reg.example.com"
    assert found.connection.token.reveal() == "token-of-the-node"


def test_overrides_have_precedence_over_file_and_variables(home: Path) -> None:
    environment = {"HOME": str(home), "REGCRED_PROJECT": "blog"}
    overrides = {"REGCRED_PROJECT": "pod", "REGCRED_WORKLOAD": None}
    file = home / ".config" / "regcred" / "helper.toml"
    for config in (None, file):
        found = read_caller(environment, hostname="h", config=config, overrides=overrides)
        assert (found.project, found.workload_kind) == ("pod", "host")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("account = ", "is not TOML"),
        ("\udcff", "is not TOML"),
        ('password = "hunter2"', "an unknown entry"),
        ("account = 1", "account must be text in quotes"),
        ('allow_http = "yes"', "allow_http must be true or false"),
        ("allow_not_eligible = 1", "allow_not_eligible must be true or false"),
        (FILE.replace('account = "acme"\n', ""), "no account: set REGCRED_ACCOUNT, or account in"),
        (FILE.replace('"shop"', '""'), "no project: set REGCRED_PROJECT"),
        (FILE + 'workload = "storefront"', "must look like deployment/storefront"),
        (FILE.replace('"token"', '"no-token"'), "no token"),
    ],
)
def test_an_invalid_file_is_reported_without_its_content(home: Path, text: str, says: str) -> None:
    file = home / ".config" / "regcred" / "helper.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match=says) as raised:
        read_caller({"HOME": str(home)}, hostname="h")
    assert "hunter2" not in str(raised.value)


def test_the_example_for_nodes_is_valid(tmp_path: Path) -> None:
    folder = ROOT / "infra" / "kubernetes" / "kubelet"
    (tmp_path / "kubelet.toml").write_text((folder / "kubelet.toml").read_text())
    (tmp_path / "kubelet.token").write_text("a-token")
    found = read_caller({}, hostname="worker-1", config=tmp_path / "kubelet.toml")
    assert (found.account, found.project) == ("acme", "shop")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    [name] = re.findall(r"- name: (.*)", (folder / "credential-provider-config.yaml").read_text())
    assert name in scripts
    helpers = json.loads((ROOT / "docs" / "examples" / "docker-config.json").read_text())["credHelpers"]
    assert {f"docker-credential-{helper}" for helper in helpers.values()} <= set(scripts)


def test_the_kubelet_sends_every_annotation_that_the_provider_reads() -> None:
    file = ROOT / "infra" / "kubernetes" / "kubelet" / "credential-provider-config.yaml"
    [provider] = yaml.safe_load(file.read_text())["providers"]
    assert set(provider["tokenAttributes"]["optionalServiceAccountAnnotationKeys"]) == {
        ACCOUNT_ANNOTATION,
        PROJECT_ANNOTATION,
        CREDENTIAL_ANNOTATION,
    }


def test_a_missing_file_is_reported(home: Path, tmp_path: Path) -> None:
    token = str(home / ".config" / "regcred" / "token")
    with pytest.raises(
        ConfigurationError, match="no account: set REGCRED_ACCOUNT, or account in a file that"
    ):
        read_caller({"REGCRED_TOKEN_FILE": token}, hostname="h")
    with pytest.raises(ConfigurationError, match="No such file"):
        read_caller({"REGCRED_HELPER_CONFIG": str(tmp_path / "none.toml")}, hostname="h")


ACCOUNTS = """
allow_not_eligible = true
[accounts.umbrella]
token_file = "umbrella.token"
project = "lab"
[accounts.initech]
"""


def _selecting(file: Path, account: str | None, project: str | None = None) -> Caller:
    overrides = {"REGCRED_ACCOUNT": account, "REGCRED_PROJECT": project}
    return read_caller({}, hostname="node", config=file, overrides=overrides)


@pytest.fixture
def node(home: Path) -> Path:
    """The file of a node of three accounts."""
    file = home / ".config" / "regcred" / "node.toml"
    file.write_text(FILE + ACCOUNTS)
    file.with_name("umbrella.token").write_text("token-of-umbrella")
    return file


@pytest.mark.parametrize(
    ("account", "project", "expected"),
    [
        (None, None, ("acme", "shop", "a-token")),
        ("acme", None, ("acme", "shop", "a-token")),
        ("umbrella", None, ("umbrella", "lab", "token-of-umbrella")),
        ("umbrella", "web", ("umbrella", "web", "token-of-umbrella")),
        ("initech", None, ("initech", "shop", "a-token")),
    ],
)
def test_a_pod_selects_one_of_the_accounts_of_the_node(
    node: Path, account: str | None, project: str | None, expected: tuple[str, str, str]
) -> None:
    found = _selecting(node, account, project)
    assert (found.account, found.project, found.connection.token.reveal()) == expected
    assert found.allow_not_eligible


@pytest.mark.parametrize("account", ["hooli", "Umbrella", "", "../umbrella"])
def test_a_pod_selects_no_account_that_the_node_does_not_have(node: Path, account: str) -> None:
    with pytest.raises(ConfigurationError, match="does not have"):
        _selecting(node, account)


def test_a_pod_without_an_account_is_refused_if_the_node_has_no_default(node: Path) -> None:
    node.write_text(node.read_text().replace('account = "acme"\n', ""))
    with pytest.raises(ConfigurationError, match="no account"):
        _selecting(node, None)
    assert _selecting(node, "umbrella").account == "umbrella"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('accounts = "umbrella"', "accounts must have a table for each account"),
        ("[accounts]\numbrella = 1", "accounts must have a table for each account"),
        ('[accounts.umbrella]\naddress = "http://x"', "unknown entry in accounts.umbrella"),
        ("[accounts.umbrella]\nproject = 1", "accounts.umbrella.project must be text in quotes"),
        ('[accounts.""]\nproject = "lab"', "accounts has a table without a name"),
        ('[accounts.umbrella]\nproject = ""', "accounts.umbrella.project must not be empty"),
        ('[accounts.umbrella]\ntoken_file = ""', "accounts.umbrella.token_file must not be empty"),
    ],
)
def test_a_wrong_table_of_an_account_is_named(home: Path, text: str, said: str) -> None:
    file = home / ".config" / "regcred" / "helper.toml"
    file.write_text(FILE + text)
    with pytest.raises(ConfigurationError, match=said):
        read_caller({"HOME": str(home)}, hostname="node")
