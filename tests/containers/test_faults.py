"""Each container is killed, and each stateful one restarted, under load (`docs/architecture.md`, "What must hold")."""

from itertools import count

import pytest

from tests.support.compose import Deployment
from tests.support.load import Load, Target, check
from tests.support.timing import PATIENCE, waiting

_numbers = count(1)
DRAINING = (
    "credentials",
    "queries",
    "console",
)  # for REGCRED_DRAIN_SECONDS before they stop, five in docker-compose.yml


@pytest.fixture
def account() -> str:
    return f"faults-{next(_numbers)}"


def healthy(deployment: Deployment, service: str) -> bool:
    state = [container["State"] for container in deployment.containers(service)]
    return all(
        one["Running"] and one.get("Health", {}).get("Status", "healthy") == "healthy" for one in state
    )


@pytest.mark.parametrize(
    "service",
    [
        "credentials",
        "relay",
        "verifier",
        "registries",
        "projector",
        "queries",
        "console",
        "gateway",
        "postgres",
        "rabbitmq",
        "vault",
        "vault-keeper",
    ],
)
def test_a_restart_under_load_loses_nothing(
    deployment: Deployment, target: Target, account: str, service: str
) -> None:
    with Load(target, account) as load:
        deployment.compose("restart", service)
        waiting(lambda: healthy(deployment, service), f"{service} is well again")
    # The verifier retries after a minute what it could not do without Vault (ADR 10).
    check(target, account, load.answered, seconds=2 * PATIENCE)


@pytest.mark.parametrize("service", ["credentials", "relay", "verifier", "projector", "postgres", "rabbitmq"])
def test_a_kill_under_load_loses_nothing(
    deployment: Deployment, target: Target, account: str, service: str
) -> None:
    with Load(target, account) as load:
        deployment.compose("kill", "--signal", "SIGKILL", service)
        deployment.compose("start", service)
        waiting(lambda: healthy(deployment, service), f"{service} is well again")
    check(target, account, load.answered)


@pytest.mark.parametrize("service", ["credentials", "relay", "verifier", "projector", "queries", "console"])
def test_a_service_stops_before_it_is_killed(deployment: Deployment, service: str) -> None:
    deployment.compose("stop", "--timeout", "15" if service in DRAINING else "10", service)
    [about] = deployment.containers(service)
    assert about["State"]["ExitCode"] in (0, 143), about[
        "State"
    ]  # not 137: that is a kill after these seconds
    deployment.compose("start", service)
    waiting(lambda: healthy(deployment, service), f"{service} is well again")
