"""`regcred projections`, as an operator types it."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from projector.write.generations import administration
from regcred.__main__ import main
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, Log

EVENTS = 12


class Operator:
    def __init__(self, database_url: str) -> None:
        self._environment = {"REGCRED_DATABASE_URL": database_url}

    def types(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["projections", *arguments], env=self._environment)

    def gets(self, *arguments: str) -> str:
        result = self.types(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def is_refused(self, *arguments: str) -> str:
        result = self.types(*arguments)
        assert result.exit_code == 1, result.output
        return result.stderr


@pytest.fixture
def operator(database_url: str, log: Log) -> Operator:
    log.append(*(payloads.added(number) for number in range(1, EVENTS + 1)))
    return Operator(database_url)


def test_a_generation_is_built_switched_and_dropped(operator: Operator) -> None:
    assert re.search(r"^1 +live +0 +12 events, ", operator.gets("list"), re.MULTILINE)
    assert operator.gets("rebuild").startswith("generation 2 is building at position 12: 12 events in ")
    built = json.loads(operator.gets("list", "--json"))["items"][1]
    assert (built["generation"], built["status"], built["position"]) == (2, "building", EVENTS)
    assert (built["lag"], built["parked"], built["degraded"]) == ({"events": 0, "seconds": 0.0}, 0, False)
    assert built["size"] > 0
    assert "2 is live at position 12" in operator.gets("switch", "2")
    assert "live: switch to another" in operator.is_refused("drop", "2")
    assert operator.gets("drop", "1") == "generation 1 is removed\n"
    assert "no generation 1" in operator.is_refused("drop", "1")
    again = json.loads(operator.gets("rebuild", "--switch", "--json"))
    assert (again["generation"], again["status"], again["events"]) == (3, "live", EVENTS)


def test_a_degraded_generation_is_listed_as_such(operator: Operator, log: Log) -> None:
    log.append_raw(payloads.stream_of(payloads.removed(1)), "credential.dreamt", "{}")
    log.sequence()
    operator.gets("rebuild", "--switch")
    assert re.search(r"^2 +live, degraded +13 .* 1 ", operator.gets("list"), re.MULTILINE)


def test_concurrent_operators_are_refused(operator: Operator, projector: Connection) -> None:
    with administration(projector):
        for command in (["rebuild"], ["switch", "1"], ["drop", "1"]):
            assert "another rebuild, switch or drop is running" in operator.is_refused(*command)
        operator.gets("list")


def test_a_wrong_database_is_reported(database_url: str) -> None:
    assert "is unavailable" in Operator("host=/nowhere").is_refused("list")
