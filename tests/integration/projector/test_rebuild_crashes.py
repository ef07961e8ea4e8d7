"""`kill -9` at each step of a rebuild: readers see the old read models, and a resumed rebuild has all rows.

After a rebuild, archive and proofs of accounts are as before.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest

from eventlog.storage import PersonalKeys, read_log
from projector.rebuild import rebuild as rebuild_module
from projector.rebuild.rebuild import RebuildProgress, rebuild
from projector.write import generations, indexes
from projector.write.batch_writer import BatchWriter, lock_live
from projector.write.projections.projected_event import project
from projector.write.tables import Tables
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.integration.projector import payloads
from tests.integration.projector.comparing import differences
from tests.integration.projector.installation import Installation, after
from tests.integration.projector.payloads import Connection, Log, content
from tests.support.timing import waiting

_AT_WORK = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND application_name IN ('regcred_projector:projections', 'regcred:indexes', 'regcred:generations')
"""


@pytest.fixture
def personal(key_file: Path) -> PersonalKeys:
    return open_personal_keys(KeyFile.load(key_file))


def nobody(_progress: RebuildProgress) -> None:
    """Report no progress."""


def build_until(step: int, database_url: str, personal: PersonalKeys) -> NoReturn:
    """Rebuild and switch in this process, which kills itself at a step: after it, but before its commit if it has one."""
    steps = count(1)

    def reach() -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def then_reached(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            reach()
            return result

        return call

    for owner, name in (
        (generations, "create"),
        (Tables, "copy"),  # in the transaction of a batch
        (indexes, "_create"),
        (rebuild_module, "lock_live"),  # in the transaction of the switch
        (rebuild_module, "_change_over"),
    ):
        setattr(owner, name, then_reached(getattr(owner, name)))
    try:
        rebuild(database_url, resume=False, switch=True, report=nobody, personal=personal)
    finally:
        os._exit(0)


def test_a_rebuild_killed_at_any_step_is_resumed(
    log: Log,
    projector: Connection,
    database_url: str,
    personal: PersonalKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild_module, "BATCH", 6)
    monkeypatch.setattr(indexes, "BRIEF_BYTES", 0)  # indexes are created as for many rows
    log.append(
        *payloads.of_two_credentials(), payloads.added(3), payloads.issued(3, 9), payloads.renamed(3, "crew")
    )
    events = [project(event) for event in read_log(projector, 0, 1000, personal=personal)]
    BatchWriter(lock_live).advance(projector, events)
    before = content(projector, 1)
    killed = 0
    for step in count(1):
        live = live_generation(projector)
        child = os.fork()
        if child == 0:
            build_until(step, database_url, personal)
        _, status = os.waitpid(child, 0)
        waiting(lambda: log.connection.execute(_AT_WORK).fetchone() == (0,), "the server has noticed")
        if not os.WIFSIGNALED(status):
            break
        killed += 1
        assert differences(database_url, personal) == []
        if any(one.status == "building" for one in generations.generations(projector)):
            assert live_generation(projector) == live
            rebuild(database_url, resume=True, switch=True, report=nobody, personal=personal)
        elif live_generation(projector) == live:  # killed before there was a generation
            rebuild(database_url, resume=False, switch=True, report=nobody, personal=personal)
        built = live_generation(projector)
        assert built > live
        assert content(projector, built) == before
        assert differences(database_url, personal) == []
        generations.drop(projector, live)
    assert killed >= len(indexes.wanted_indexes()) + 3


def live_generation(connection: Connection) -> int:
    [live] = [one.generation for one in generations.generations(connection) if one.status == "live"]
    return live


def test_archive_and_proofs_of_accounts_are_unchanged_by_a_rebuild(
    installation: Installation, tmp_path: Path, personal: PersonalKeys
) -> None:
    first, second = tmp_path / "before.proof", tmp_path / "after.proof"
    installation.seal(after(6.5))
    installation.log.sequence()
    installation.site.project()
    installation.run("proof", "--account", "acme", "--output", first)
    shown, rows = installation.shown(), installation.positions()
    assert rows[0] == 7

    rebuild(installation.url, resume=False, switch=True, report=nobody, personal=personal)
    assert installation.positions() == rows
    assert differences(installation.url, personal) == []
    assert installation.shown() == shown
    installation.run("segments", "verify", installation.segments, "--with-log")
    installation.run("proof", "--account", "acme", "--output", second)
    installation.run("verify", second, "--earlier", first, database=False)
    assert second.read_bytes().splitlines()[1:-1] == first.read_bytes().splitlines()[1:-1]

    installation.seal(after(10.5))  # the archive continues in the new generation
    installation.log.sequence()
    installation.site.project()
    installation.run("segments", "verify", installation.segments, "--with-log")
    assert installation.positions()[0] == 11
    assert differences(installation.url, personal) == []
