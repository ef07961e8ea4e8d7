"""Findings of the doctor for measured values. tests/integration/doctor breaks the servers themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.migrations import Migration
from operations.doctor.database import migration_finding, skew_finding
from operations.doctor.finding import Finding, guarded, ok
from operations.doctor.machine import disk_finding
from operations.doctor.processes import consumer_finding, publishing_finding, relay_finding

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("seconds", "result"), [(0.0, "ok"), (-1.9, "ok"), (3, "warning"), (-31, "failed"), (40, "failed")]
)
def test_a_clock_difference_is_reported(seconds: float, result: str) -> None:
    assert skew_finding(seconds).result == result
    if seconds < -2:
        assert "behind" in skew_finding(seconds).sentence


@pytest.mark.parametrize(("free", "result"), [(100, "failed"), (1000, "warning"), (5000, "ok")])
def test_a_full_disk_is_reported(free: int, result: str) -> None:
    assert disk_finding(Path("/home"), free * MEBIBYTE).result == result


FIRST, SECOND = Migration("0001_a_b.sql", b"1"), Migration("0002_a_b.sql", b"2")


@pytest.mark.parametrize(
    ("applied", "result", "remedy"),
    [
        ({FIRST.name: FIRST.checksum, SECOND.name: SECOND.checksum}, "ok", "None"),
        ({FIRST.name: FIRST.checksum}, "failed", "regcred migrate"),
        ({FIRST.name: FIRST.checksum, SECOND.name: SECOND.checksum, "9": "x"}, "warning", "newer release"),
        ({FIRST.name: "another"}, "failed", "upgrading.md"),  # `regcred migrate` refuses it
        ({SECOND.name: SECOND.checksum}, "failed", "upgrading.md"),
    ],
)
def test_the_remedy_for_a_database_of_another_release_works(
    applied: dict[str, str], result: str, remedy: str
) -> None:
    finding = migration_finding(applied, [FIRST, SECOND])
    assert finding.result == result
    assert remedy in str(finding.remedy)


def test_delayed_positions_name_the_oldest_transaction() -> None:
    assert relay_finding(0.0, None).result == "ok"
    assert "120 s" in str(relay_finding(90.0, 120.0).remedy)
    assert "log" in str(relay_finding(90.0, 0.0).remedy)


def test_lag_is_reported() -> None:
    assert publishing_finding(10, 10, leads=True).result == "ok"
    assert publishing_finding(10, None, leads=False).result == "warning"
    assert consumer_finding("projector", 5, 2.0, 0).result == "ok"
    assert consumer_finding("projector", 5, 60.0, 0).result == "warning"
    assert consumer_finding("projector", 0, 0.0, 1).result == "failed"


def test_a_failed_check_keeps_earlier_findings_and_shows_no_exception_text() -> None:
    def look() -> Iterator[Finding]:
        yield ok("first", "well")
        raise RuntimeError("a password")

    first, broken = guarded("second", look)
    assert (first.result, broken.result, broken.check) == ("ok", "failed", "second")
    assert "password" not in broken.sentence
