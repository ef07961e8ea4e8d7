"""Rows of the read models that were changed by hand are found, and a rebuild repairs them."""

from pathlib import Path
from uuid import UUID

import pytest
from psycopg import sql

from eventlog.storage import PersonalKeys, read_log
from projector.rebuild.rebuild import RebuildProgress, rebuild
from projector.write import generations
from projector.write.batch_writer import BatchWriter, lock_live
from projector.write.projections.projected_event import project
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.integration.projector import payloads
from tests.integration.projector.comparing import differences
from tests.integration.projector.payloads import SHOP, Connection, Log, credential

ONE = credential(1)


@pytest.fixture
def personal(key_file: Path) -> PersonalKeys:
    return open_personal_keys(KeyFile.load(key_file))


@pytest.fixture
def projected(log: Log, projector: Connection, personal: PersonalKeys) -> Connection:
    """Twelve events of two credentials, in the read models; and others behind the checkpoint."""
    log.append(*payloads.of_two_credentials())
    events = [project(event) for event in read_log(projector, 0, 100, personal=personal)]
    BatchWriter(lock_live).advance(projector, events)
    log.append(payloads.added(3, "not applied yet"))
    return projector


CHANGES = (
    ("DELETE FROM {s}.audit_events WHERE position = 6", ("audit_events", "6", "missing", ())),
    (
        "UPDATE {s}.audit_events SET actor_name = 'somebody', image = NULL WHERE position = 4",
        ("audit_events", "4", "changed", ("actor_name", "image")),
    ),
    (
        "UPDATE {s}.audit_events SET after = jsonb_set(after, ARRAY['restricted'], 'false') WHERE position = 7",
        ("audit_events", "7", "changed", ("after",)),
    ),
    ("DELETE FROM {s}.audit_images WHERE position = 5", ("audit_images", f"5 {SHOP}", "missing", ())),
    (
        "UPDATE {s}.credentials SET registry_host = 'evil.example.com', verification_status = 'failed'",
        ("credentials", str(ONE), "changed", ("registry_host", "verification_status")),
    ),
    (
        "UPDATE {s}.verifications SET code = NULL WHERE position = 3",
        ("verifications", str(UUID(int=0xABC << 64 | 1)), "changed", ("code",)),
    ),
    (
        "INSERT INTO {s}.usages SELECT gen_random_uuid(), 'acme', %s, 'shop', 'job', 'never', '{{}}', 1, now(), now()",
        ("usages", "", "unexpected", ()),
    ),
    ("UPDATE {s}.audit_spans SET latest = earliest", ("audit_spans", "0", "changed", ())),
)


def test_changed_rows_are_found_and_repaired_by_a_rebuild(
    projected: Connection, log: Log, database_url: str, personal: PersonalKeys
) -> None:
    assert differences(database_url, personal) == []
    for statement, _ in CHANGES:
        query = sql.SQL(statement).format(s=sql.Identifier("rm_g1"))
        log.connection.execute(query, [ONE] if "%s" in statement else [])
    found = differences(database_url, personal)
    assert sorted(
        (each.table, "" if each.problem == "unexpected" else each.key, each.problem, each.columns)
        for each in found
    ) == sorted(
        [
            *((f"rm.{table}", *more) for _, (table, *more) in CHANGES),
            ("rm.audit_images", "", "unexpected", ()),  # the image of the row that was deleted
            ("rm.audit_images", f"6 {SHOP}", "missing", ()),
        ]
    )
    rebuild(database_url, resume=False, switch=True, report=nobody, personal=personal)
    assert differences(database_url, personal) == []
    assert generations.live_position(projected) == 13


def test_only_one_credential_is_in_memory_and_parts_of_it_agree(
    log: Log,
    projector: Connection,
    database_url: str,
    personal: PersonalKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each part of the events of a credential continues after the one before it."""
    log.append(
        *payloads.of_two_credentials(),
        payloads.added(3),
        payloads.issued(3, 8),
        payloads.released(3, 1),
        payloads.issued(2, 9),
        payloads.issued(3, 10, project="blog"),
    )
    events = [project(event) for event in read_log(projector, 0, 100, personal=personal)]
    BatchWriter(lock_live).advance(projector, events)
    for size in (1, 2, 5):
        monkeypatch.setattr("projector.rebuild.comparison._CHUNK", size)
        assert differences(database_url, personal) == []


def nobody(_progress: RebuildProgress) -> None:
    """Report no progress."""


def test_what_the_role_of_the_projector_can_falsify_is_found_and_repaired(
    projected: Connection, log: Log, database_url: str, personal: PersonalKeys
) -> None:
    """A compromised projector writes false rows, and skips events by moving the checkpoint."""
    log.append(payloads.restricted(3, "shop"))  # position 14; position 13 is not applied yet
    projected.execute(
        "INSERT INTO rm_g1.audit_events SELECT (a).* FROM (SELECT jsonb_populate_record(x,"
        ' \'{"position": 13, "actor_name": "somebody", "action": "credential.removed"}\') AS a'
        " FROM rm_g1.audit_events x WHERE position = 1) r"
    )
    projected.execute("UPDATE rm_g1.usages SET project_id = 'another'")
    projected.execute("UPDATE rm.generations SET position = 14 WHERE generation = 1")
    found = {(each.table, each.key, each.problem) for each in differences(database_url, personal)}
    assert ("rm.audit_events", "13", "unexpected") in found  # of another credential
    assert ("rm.audit_events", "13", "missing") in found
    assert ("rm.audit_events", "14", "missing") in found
    assert ("rm.credentials", str(credential(3)), "missing") in found
    assert any(table == "rm.usages" and problem == "changed" for table, _, problem in found)

    rebuild(database_url, resume=False, switch=True, report=nobody, personal=personal)
    assert differences(database_url, personal) == []
