"""The order of tests, their distribution over the workers of `make test`, and the settings of hypothesis.

Each response of an application in a test is compared with the OpenAPI document.

pytest-xdist's own groups (`--dist loadgroup`) have no effect under pytest 9.2, which does not let a plugin rename tests.
"""

import re
from collections.abc import Generator
from typing import Any

import pytest
from flask import request_finished
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.support.documented import Responses

# Tests that share a server which is slow to start or which some tests stop, and tests that share parsed sources.
TOGETHER = {
    "tests/browser/": "browser",
    "tests/unit/documents/": "parsed sources",
    "tests/unit/registries/test_catalogue.py": "parsed sources",
    "tests/containers/": "containers",
    "tests/kubernetes/": "kubernetes",
    "tests/integration/broker/": "rabbitmq",
    "tests/integration/consumers/test_faults.py": "rabbitmq",
    "tests/integration/consumers/test_deadletters_command.py": "rabbitmq",
    "tests/integration/failover/test_lagging_standby.py": "rabbitmq",
    "tests/integration/observability/test_traces.py": "rabbitmq",
    "tests/integration/tls/test_failure_reasons.py": "rabbitmq",
    "tests/integration/secretstore/test_vault": "vault",
    "tests/integration/secretstore/test_installation.py": "vault",
    "tests/integration/secretstore/test_unwrapping.py": "vault",
    "tests/integration/secretstore/test_snapshot.py": "vault",
    "tests/integration/doctor/": "vault",
    "tests/integration/issuing/test_frozen_vault.py": "vault",
    "tests/integration/tls/test_own_authority.py": "vault",
}
# They take longest, so they begin first. Tests without servers are last: their files are short, so that all workers end
# at about the same time.
FIRST = ("rabbitmq", "a whole system, full", "a whole system, one-machine", "vault")
LAST = ("tests/unit/", "tests/property/", "tests/golden/")
_MODE = re.compile(r"tests/e2e/.*\[(?:.*-)?(one-machine|full)(?:-.*)?\]$")

# No test fails because the machine is slow. `make unit` runs fewer examples than `make test`.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
settings.register_profile("quick", max_examples=25)


def group_of(test: str) -> str:
    """The group of a test. Tests of one group run in one worker, so that a shared server is started once."""
    if mode := _MODE.match(test):
        return f"a whole system, {mode[1]}"
    return next(
        (group for start, group in TOGETHER.items() if test.startswith(start)), test.partition("::")[0]
    )


_responses = Responses()
request_finished.connect(_responses.check)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Fail a test that got a response which the OpenAPI document does not describe."""
    yield
    undocumented = _responses.take()
    assert not undocumented, "\n".join(undocumented)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the groups; the order of a group's tests stays."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(test: str) -> int:
    group = group_of(test)
    if group in FIRST:
        return FIRST.index(group)
    return len(FIRST) + test.startswith(LAST)


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    config.option.loadscopereorder = False  # it would begin with the groups of the most tests
    return Groups(config, log)
