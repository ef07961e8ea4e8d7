"""Sweep the secret store: for each path, decide under the lock of its stream, then delete or destroy.

An append holds the same lock (`es.append`). If it comes first, the decision sees its event. If it comes
later, it finds the version discarded and is refused (`credentials.append`). The requests to the secret store
follow the commit of the decision, so that no lock waits for Vault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from credentials.relay.sweep import Action, Leftovers, Reference, Sighting, action, leftovers
from secretstore.store import SecretPath, SecretStore, StoredVersion

log = structlog.get_logger()

_REMOVED = """
SELECT EXISTS (SELECT FROM es.events WHERE stream_id = %s AND type = 'credential.removed')
"""
# Only the log decides: a row of `credentials.current` could have been changed by hand.
# A version is replaced by a rotation, after its grace, or was that of a discarded rotation.
# The grace is counted from when the database recorded the rotation: `previous_valid_until` is a time of the
# clock of the process that wrote it.
_FACTS = """
SELECT v.version, coalesce(v.version = current.version, false),
       r.until, u.first_seen, u.last_seen, u.discarded_at, clock_timestamp()
FROM unnest(%(versions)s::integer[]) AS v (version)
LEFT JOIN (SELECT (e.data#>>'{secret,version}')::integer AS version FROM es.events e
           WHERE e.stream_id = %(id)s AND e.type IN ('credential.added', 'credential.secret_rotated')
           ORDER BY e.version DESC LIMIT 1) AS current ON true
LEFT JOIN LATERAL (
    SELECT max(e.recorded_at + ((e.data->>'previous_valid_until')::timestamptz
                                - (e.meta->>'occurred_at')::timestamptz)) AS until
    FROM es.events e
    WHERE e.stream_id = %(id)s AND e.type = 'credential.secret_rotated'
      AND (e.data#>>'{previous_secret,version}')::integer = v.version
    UNION ALL
    SELECT max(e.recorded_at) FROM es.events e
    WHERE e.stream_id = %(id)s AND e.type = 'credential.rotation_discarded'
      AND (e.data->>'secret_version')::integer = v.version
    ORDER BY 1 DESC NULLS LAST LIMIT 1) AS r ON true
LEFT JOIN credentials.unreferenced_secrets u ON u.credential_id = %(id)s AND u.version = v.version
"""
_RECORD = """
INSERT INTO credentials.unreferenced_secrets AS u
    (credential_id, version, first_seen, last_seen, discarded_at)
VALUES (%(id)s, %(version)s, %(now)s, %(now)s, NULL)
ON CONFLICT (credential_id, version) DO UPDATE SET
    first_seen = CASE WHEN %(action)s = 'SEE_FIRST' THEN %(now)s ELSE u.first_seen END, last_seen = %(now)s,
    discarded_at = CASE WHEN %(action)s = 'DELETE' THEN coalesce(u.discarded_at, %(now)s) END
"""
_DELETE_SIGHTINGS = (
    "DELETE FROM credentials.unreferenced_secrets WHERE credential_id = %s AND version = ANY (%s)"
)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The numbers of versions that were deleted and destroyed, and of paths that were removed."""

    deleted: int = 0
    destroyed: int = 0
    removed: int = 0


def sweep_secrets(connection: psycopg.Connection[Any], secrets: SecretStore) -> SweepResult:
    """Sweep every path of the store.

    Raises:
        SecretStoreError: the sweep is incomplete. The next one repeats what is missing.
    """
    deleted = destroyed = removed = 0
    for path in secrets.paths():
        versions = secrets.versions(path)
        if _is_removed(connection, path.credential_id):
            secrets.remove(path)  # no event can follow in this stream
            _delete_sightings(connection, path.credential_id, [version.version for version in versions])
            removed += 1
            continue
        found = _decide(connection, path, versions)
        if found.delete:
            secrets.delete(path, found.delete)
            log.info(
                "unreferenced_secret_deleted", credential_id=str(path.credential_id), versions=found.delete
            )
        if found.destroy:
            secrets.destroy(path, found.destroy)
            _delete_sightings(connection, path.credential_id, found.destroy)
        deleted, destroyed = deleted + len(found.delete), destroyed + len(found.destroy)
    return SweepResult(deleted, destroyed, removed)


def _decide(
    connection: psycopg.Connection[Any], path: SecretPath, versions: Sequence[StoredVersion]
) -> Leftovers:
    """Decide for the versions of a path, and record the decision."""
    if all(what is Action.KEEP for _, what, _ in _actions(connection, path, versions)):
        return Leftovers()  # most paths: no lock, no write
    with connection.transaction():
        # Consumers commit asynchronously, and a crash must not lose a decision that was carried out.
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('stream:' || %s, 0))", (path.credential_id,)
        )
        decided = _actions(connection, path, versions)
        for version, what, now in decided:
            if what in (Action.SEE_FIRST, Action.SEE, Action.DELETE):
                connection.execute(
                    _RECORD,
                    {"id": path.credential_id, "version": version.version, "action": what.name, "now": now},
                )
        _delete_sightings(
            connection, path.credential_id, [v.version for v, what, _ in decided if what is Action.CLEAR]
        )
    return leftovers([(version, what) for version, what, _ in decided])


def _actions(
    connection: psycopg.Connection[Any], path: SecretPath, versions: Sequence[StoredVersion]
) -> list[tuple[StoredVersion, Action, datetime]]:
    numbers = [version.version for version in versions]
    rows = connection.execute(_FACTS, {"id": path.credential_id, "versions": numbers}).fetchall()
    facts = {row[0]: row[1:] for row in rows}
    found = []
    for version in versions:
        current, until, first_seen, last_seen, discarded_at, now = facts[version.version]
        sighting = Sighting(first_seen, last_seen, discarded_at) if first_seen else None
        reference = _reference(now, until, current=current)
        if reference is Reference.NEEDED and version.deleted:
            log.error(
                "needed_secret_is_deleted", credential_id=str(path.credential_id), version=version.version
            )
        found.append((version, action(version, reference, sighting, now=now), now))
    return found


def _reference(now: datetime, replaced_until: datetime | None, *, current: bool) -> Reference:
    if current or (replaced_until is not None and now < replaced_until):
        return Reference.NEEDED
    return Reference.UNKNOWN if replaced_until is None else Reference.REPLACED


def _is_removed(connection: psycopg.Connection[Any], credential_id: UUID) -> bool:
    row = connection.execute(_REMOVED, (credential_id,)).fetchone()
    return bool(row and row[0])


def _delete_sightings(
    connection: psycopg.Connection[Any], credential_id: UUID, versions: Sequence[int]
) -> None:
    if versions:
        connection.execute(_DELETE_SIGHTINGS, (credential_id, list(versions)))
