"""Every documented setting of a service can be set in `.env`: docker-compose.yml passes it on."""

import re

import pytest
import yaml

from tests.support.servers import ROOT

SERVICES = (
    "credentials",
    "relay",
    "verifier",
    "registries",
    "projector",
    "queries",
    "console",
    "migrate",
)
# Set by docker-compose.yml and the images: addresses and files of the deployment.
FIXED = frozenset(
    {
        "REGCRED_HOME",
        "REGCRED_LISTEN",
        "REGCRED_ADDRESS",
        "REGCRED_DATABASE_URL",
        "REGCRED_BROKER_URL",
        "REGCRED_BROKER_URL_FILE",
        "REGCRED_VAULT_ADDR",
        "REGCRED_VAULT_ROLE_ID",
        "REGCRED_VAULT_ROLE_ID_FILE",
        "REGCRED_VAULT_SECRET_ID_FILE",
        "REGCRED_VAULT_TOKEN_FILE",
        "REGCRED_VAULT_CA_FILE",
        "REGCRED_KEY_FILE",
        "REGCRED_LOG_KEY_FILE",
        "REGCRED_TRUSTED_PROXIES",
        "REGCRED_METRICS_LISTEN",
    }
)
REPLICATED = ("credentials", "relay", "verifier", "registries", "projector", "queries", "console")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
EXAMPLE = {
    line.partition("=")[0].removeprefix("#").strip()
    for line in (ROOT / ".env.example").read_text().splitlines()
    if re.match(r"#? ?[A-Z][A-Z_0-9]*=", line)
}


def documented() -> set[str]:
    """The variables in the first column of the tables of settings."""
    found: set[str] = set()
    for page in ("README.md", "docs/observability.md"):
        for line in (ROOT / page).read_text().splitlines():
            if line.startswith(("| `REGCRED_", "| `OTEL_")):
                found |= set(re.findall(r"`((?:REGCRED|OTEL)_[A-Z0-9_]+)`", line))
    return found - FIXED


@pytest.mark.parametrize("service", SERVICES)
def test_every_documented_setting_reaches_the_service(service: str) -> None:
    environment = COMPOSE[service]["environment"]
    assert sorted(documented() - environment.keys()) == []
    assert len(documented()) >= 18


@pytest.mark.parametrize("name", sorted(documented() - {"REGCRED_DRAIN_SECONDS"}))
def test_a_setting_has_no_second_default(name: str) -> None:
    """The value comes from `.env` only; the service has the default."""
    assert COMPOSE["credentials"]["environment"][name] is None


def test_every_variable_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z][A-Z_0-9]*)", (ROOT / "docker-compose.yml").read_text()))
    built = {"REGCRED_REVISION"} | {
        f"{server}_USER_ID" for server in ("POSTGRES", "RABBITMQ", "VAULT", "GATEWAY")
    }
    ports = {"PROMETHEUS_PORT", "GRAFANA_PORT"}
    assert sorted((used | documented()) - built - ports - EXAMPLE) == []


@pytest.mark.parametrize("service", REPLICATED)
def test_the_number_of_replicas_is_a_variable(service: str) -> None:
    assert COMPOSE[service]["deploy"]["replicas"] == f"${{{service.upper()}_REPLICAS:-1}}"
