"""How the suite is shared out over the workers of `make test`, and how patient its properties are."""

import pytest
from hypothesis import HealthCheck, settings

TOGETHER = ("browser", "containers")  # folders whose tests share one running system
SERVERS = (
    "rabbitmq",
    "vault",
)  # fixtures of the session: a server that is slow to start, and that some tests stop

# No test fails because the machine is slow. `make unit` looks at fewer examples than `make test`.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
settings.register_profile("quick", max_examples=25)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    """Tests of one group run in one worker, so that what they share is started once for the whole run."""
    if item.path.parent.name in TOGETHER:
        return item.path.parent.name
    if isinstance(item, pytest.Function):
        if hasattr(item, "callspec") and "running" in item.callspec.params:  # the mode of a whole system
            return f"system, {item.callspec.params['running']}"
        for server in SERVERS:
            if server in item.fixturenames:
                return server
    return str(item.path)
