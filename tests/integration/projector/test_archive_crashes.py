"""`kill -9` at each step of an archive: the next run completes it, and no row and no event is lost or repeated."""

import json
import signal
import subprocess
from pathlib import Path
from time import sleep

import psycopg
import pytest

from projector.read.api.export import PAGE
from tests.integration.projector import payloads
from tests.integration.projector.installation import Installation, Json, after
from tests.support.timing import PATIENCE, waiting

_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'regcred:seal' AND wait_event_type = 'Lock'"
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'regcred:seal'"
_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'regcred:seal'"


def rows_of(installation: Installation) -> list[Json]:
    items: list[Json] = installation.site.get("audit-events", order="asc", limit=200)["items"]
    return [item for item in items if item["action"] != "audit.read"]


def assert_whole(installation: Installation, before: list[Json], *, sealed: int, segments: int) -> None:
    """The first `sealed` positions are in files, the others in the read models; each account has one event of it."""
    installation.run("segments", "verify", installation.segments, "--with-log")
    assert installation.positions()[0] == sealed + 1
    assert not list(installation.segments.glob("*.partial"))
    assert installation.shown() == [row for row in before if row["position"] <= sealed]
    connection = installation.log.connection
    appended = connection.execute(
        "SELECT s.account_id, data->>'segment', count(*) FROM es.events e JOIN es.streams s USING (stream_id)"
        " WHERE e.type = 'audit.sealed' GROUP BY 1, 2"
    ).fetchall()
    assert {count for *_, count in appended} == {1}
    assert len({segment for _, segment, _ in appended}) == segments
    unfinished = connection.execute("SELECT count(*) FROM rm.audit_segments WHERE NOT finished").fetchone()
    assert unfinished == (0,)


# The table that is locked against writes, and the last position that is recorded then.
@pytest.mark.parametrize(
    ("table", "archived_through"),
    [
        ("rm.audit_segments", 0),  # the files are there, the segment is not recorded
        ("es.streams", 13),  # the segment is recorded, no account has its event
        ("rm_g1.audit_images", 13),  # all accounts have the event, no row is deleted
        ("rm_g1.audit_events", 13),  # images are deleted in a transaction that is rolled back
        ("rm_g1.audit_spans", 13),  # the rows are deleted, the segment is not finished
    ],
)
def test_an_archive_killed_between_two_steps_is_completed_by_the_next(
    installation: Installation, table: str, archived_through: int
) -> None:
    connection, before = installation.log.connection, rows_of(installation)
    command = installation.sealing(after(13.5))
    with psycopg.connect(installation.url) as holding:
        holding.execute(f"LOCK TABLE {table} IN SHARE MODE")
        process = subprocess.Popen(command, env=installation.environment, stdin=subprocess.DEVNULL)
        waiting(lambda: connection.execute(_WAITS).fetchone() == (1,), "it waits there")
        assert [folder.name for folder in installation.segments.iterdir()] == ["000000000001-000000000013"]
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        # The server would finish the waiting statement before it notices.
        connection.execute(_END)
        waiting(lambda: connection.execute(_AT_WORK).fetchone() == (0,), "it has ended")
    moved = connection.execute("SELECT coalesce(max(last_position), 0) FROM rm.audit_segments").fetchone()
    assert moved == (archived_through,)
    # The API is correct meanwhile: it returns the rows, or reports that they are archived.
    page = installation.site.get("audit-events", order="asc")
    assert (page["sealed"] is None) == (archived_through == 0)

    again = json.loads(installation.seal(after(13.5), "--json"))
    assert (again["horizon"], len(again["segments"])) == (13, 1)
    assert_whole(installation, before, sealed=13, segments=1)


def test_rows_are_deleted_only_if_their_segment_is_present(
    installation: Installation, tmp_path: Path
) -> None:
    """A recorded segment, whose files are elsewhere or were changed."""
    with psycopg.connect(installation.url) as holding:
        holding.execute("LOCK TABLE rm_g1.audit_events IN SHARE MODE")
        process = subprocess.Popen(
            installation.sealing(after(5.5)), env=installation.environment, stdin=subprocess.DEVNULL
        )
        connection = installation.log.connection
        waiting(lambda: connection.execute(_WAITS).fetchone() == (1,), "it waits there")
        process.kill()
        process.wait(PATIENCE)
        connection.execute(_END)
        waiting(lambda: connection.execute(_AT_WORK).fetchone() == (0,), "it has ended")
    elsewhere = installation.command("seal", "--older-than", 1, "--into", tmp_path / "elsewhere")
    assert "specify the folder that has it" in installation.finished(elsewhere, code=2).stderr
    [file] = installation.segments.glob("*/acme.ndjson.gz")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    assert "not byte for byte the archived file" in installation.seal(after(9), code=2)
    assert installation.positions()[0] == 1
    file.write_bytes(whole)
    installation.seal(after(9.5))
    assert installation.positions()[0] == 10


def test_an_archive_killed_at_any_moment_loses_and_repeats_no_row(installation: Installation) -> None:
    installation.log.append_many([payloads.added(100 + number, f"n-{number}") for number in range(3 * PAGE)])
    installation.site.project()
    lines = installation.site.text("application/x-ndjson", order="asc").splitlines()
    before = [row for row in map(json.loads, lines) if row["action"] != "audit.read"]
    last = max(row["position"] for row in before)
    command = installation.sealing(after(4000), "--size", 20)
    connection, killed = installation.log.connection, 0
    for number in range(8):
        process = subprocess.Popen(command, env=installation.environment, stdout=subprocess.DEVNULL)
        waiting(
            lambda process=process: (
                process.poll() is not None  # type: ignore[misc]
                or connection.execute(_AT_WORK).fetchone() == (1,)
            ),
            "it is at work, or has nothing left to do",
        )
        sleep(0.02 * number)
        killed += process.poll() is None
        process.kill()
        process.wait(PATIENCE)
        waiting(lambda: connection.execute(_AT_WORK).fetchone() == (0,), "the server has noticed")
    assert killed
    installation.seal(after(4000), "--size", 20)
    newest = connection.execute("SELECT max(last_position) FROM rm.audit_segments").fetchone()
    assert newest is not None
    assert newest[0] >= last
    assert [row["position"] for row in installation.shown()] == [row["position"] for row in before]
    installation.run("segments", "verify", installation.segments, "--with-log")
