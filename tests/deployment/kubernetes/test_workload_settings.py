"""The variables of the workloads are settings of the services, and the same as in compose."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from launcher.deployment.certificates import new_authority
from tests.deployment.kubernetes.names import OF_OURS
from tests.support.manifests import (
    FOLDER,
    KUBECTL,
    environment,
    fixed,
    manifests,
    settings,
    workloads,
)
from tests.support.servers import ROOT

FROM_A_FILE = ("REGCRED_BROKER_URL", "REGCRED_VAULT_ROLE_ID")  # settings.py, `_text`
READ_AT_THE_START = {
    "REGCRED_BROKER_URL_FILE": "amqps://u:p@rabbitmq:5671/regcred",
    "REGCRED_VAULT_ROLE_ID_FILE": "a-role-id",
    "REGCRED_VAULT_SECRET_ID_FILE": "a-secret-id",
    "REGCRED_VAULT_CA_FILE": new_authority(now()).certificate,
}


def test_every_variable_is_a_setting() -> None:
    source = "".join(
        file.read_text() for root in ("libs", "services", "tools") for file in (ROOT / root).rglob("*.py")
    )
    read = set(re.findall(r"\"((?:REGCRED|OTEL)_[A-Z0-9_]+)\"", source)) | {
        f"{one}_FILE" for one in FROM_A_FILE
    }
    gateway = set(re.findall(r"(?:\$\{|defined\()(\w+)", (FOLDER / "base" / "haproxy.cfg").read_text()))
    variables = set().union(*(environment(one) for one in workloads().values()))
    assert gateway < variables
    assert variables - gateway <= read


# What an image or the operator of one machine sets, values that are in files here, Vault without AppRoles, and TLS
# between a console and an API that are not in one cluster.
ELSEWHERE = {
    *("REGCRED_HOME", "REGCRED_LISTEN", "REGCRED_ADDRESS", "REGCRED_METRICS_LISTEN", "REGCRED_LOG_KEY_FILE"),
    *("REGCRED_BROKER_URL", "REGCRED_VAULT_ROLE_ID", "REGCRED_VAULT_TOKEN_FILE"),
    *("REGCRED_CONSOLE_LISTEN", "REGCRED_CA_FILE"),
}


def test_every_documented_setting_can_be_set() -> None:
    documented: set[str] = set()
    for page in ("README.md", "docs/observability.md", "docs/console.md"):
        rows = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
        documented |= {
            name for row in rows for name in re.findall(r"`((?:REGCRED|OTEL)_[A-Z0-9_]+[A-Z])`", row)
        }
    assert {"REGCRED_VERIFIER_CA_FILE", "REGCRED_REVERIFY_CONCURRENCY", "REGCRED_LOG_LEVEL"} < documented
    for name in OF_OURS:
        of_manifests = set().union(*(fixed(one) for one in workloads().values()))
        assert documented - ELSEWHERE - of_manifests <= set(settings(workloads()[name])), name


def test_an_overlay_changes_one_setting(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        "namespace: regcred\nresources: [base]\nconfigMapGenerator:\n"
        "  - {name: settings, behavior: merge, literals: [REGCRED_LOG_LEVEL=debug]}\n"
    )
    (tmp_path / "base").symlink_to(FOLDER / "base", target_is_directory=True)
    done = subprocess.run(
        [KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one["kind"] == "ConfigMap"]
    [changed] = [one for one in found if one["metadata"]["name"].startswith("settings-")]
    before = settings(workloads()["relay"])
    assert changed["data"] == {**before, "REGCRED_LOG_LEVEL": "debug"}
    [name] = {one["metadata"]["name"] for one in manifests("base", "ConfigMap") if one["data"] == before}
    assert changed["metadata"]["name"] != name  # so that the pods are replaced


_COMPOSE_FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMPOSE = _COMPOSE_FILE["services"]
SETTINGS = set(_COMPOSE_FILE["x-settings"])  # what operators may set; every service gets them in compose


@pytest.mark.parametrize("name", sorted(workloads()))
def test_a_service_has_the_variables_that_compose_gives_it(name: str) -> None:
    needless = {"REGCRED_BROKER_URL_FILE"} if name == "registries" else set()  # it shares an anchor there
    variables = set(COMPOSE[name].get("environment", {})) - needless
    operators = SETTINGS | set(settings(workloads()[name]))
    assert set(fixed(workloads()[name])) - operators == variables - operators


@pytest.mark.parametrize("name", sorted(set(OF_OURS) - {"console"}))
def test_a_service_accepts_its_variables(name: str, tmp_path: Path) -> None:
    variables = environment(workloads()[name])
    for variable, content in READ_AT_THE_START.items():
        if variable in variables:
            assert variables[variable].startswith("/run/")
            (tmp_path / variable).write_text(content)
            variables[variable] = str(tmp_path / variable)
    accepted = Settings.from_environment(variables)
    assert accepted.required_database_url().startswith("postgresql://regcred-")
    assert "sslmode=verify-full" in accepted.required_database_url()
    assert accepted.vault is None or accepted.vault.address.startswith("https://")
