"""The adapter of `CredentialStore` for PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

import msgspec
import psycopg
import structlog
from psycopg.rows import class_row

from chassis.database import Pool, scalar
from chassis.observability.metrics import REPLAYS
from contracts.credential import Active
from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import SecretIssued, SecretIssuedV2, Workload
from contracts.release_events import WorkloadReleased
from contracts.streams import (
    credential_stream,
    issuance_stream,
    outcome_event_id,
    release_stream,
    verification_stream,
)
from contracts.verdicts import VerificationStatus, known_code, status_of
from contracts.verification_events import RotationTested
from credentials.application.store import (
    CredentialUsage,
    DecidedOnOldVersion,
    RecordedOutcome,
    RequestedRotation,
    SecretDiscarded,
    StateDamaged,
    UsedMeanwhile,
    recorded_outcome,
)
from credentials.current_row import COVERED, Authenticate, authentication_code, current_row
from credentials.domain.commands import MAX_WORKLOADS, WorkloadUsage
from credentials.domain.errors import NameTaken
from eventlog.events import NewEvent, RecordedEvent
from eventlog.storage import (
    AccountKeyErased,
    Appended,
    IdempotentRequest,
    PersonalKeys,
    append_request,
    call_append,
    keys_of,
    load_event,
    load_newest,
    load_selected,
    store_errors,
    text_array,
)
from registries.matching import Candidate

log = structlog.get_logger()

_APPEND = "SELECT * FROM credentials.append(%s, %s)"
_ISSUE = "SELECT * FROM credentials.issue(%s, %s, %s, %s, %s)"
_REMOVE = "SELECT * FROM credentials.remove(%s, %s)"
_USAGES = """
SELECT project_id, workload_kind, workload_name, secret_version, last_issued_at
FROM credentials.usages WHERE credential_id = %s AND last_issued_at >= %s
ORDER BY last_issued_at DESC, project_id, workload_kind, workload_name LIMIT %s
"""
_USAGES_OF = """
SELECT u.credential_id, u.project_id, u.workload_kind, u.workload_name, u.secret_version, u.last_issued_at
FROM credentials.current c JOIN credentials.usages u ON u.credential_id = c.credential_id
WHERE c.account_id = %(account)s AND u.project_id = %(project)s
  AND (%(kind)s::text IS NULL OR u.workload_kind = %(kind)s AND u.workload_name = %(name)s)
ORDER BY u.last_issued_at DESC, u.credential_id, u.workload_kind, u.workload_name LIMIT %(most)s
"""
_RELEASE = "SELECT * FROM credentials.release(%s, %s, %s)"
_CANDIDATES = """
SELECT credential_id, account_id, version, name, provider, registry_host, repository_prefixes, pull, push,
       restricted, projects, secret_version, expires_at, frozen, additional_hosts, mirror_of, added_at,
       verified_version = secret_version AS checked, verification_code AS code, mac
FROM credentials.current WHERE account_id = %(account)s AND (
    registry_host = ANY (%(hosts)s) OR (additional_hosts <> '{}' AND additional_hosts && %(hosts)s::text[])
    OR (%(mirrors)s AND mirror_of <> '{}' AND mirror_of && %(hosts)s::text[]))
"""
_HOSTS = """
SELECT host COLLATE "C" FROM (
    SELECT registry_host AS host FROM credentials.current WHERE account_id = %(account)s
    UNION
    SELECT unnest(additional_hosts) FROM credentials.current
    WHERE account_id = %(account)s AND additional_hosts <> '{}') AS h
WHERE host COLLATE "C" > %(after)s ORDER BY 1 LIMIT %(limit)s
"""
# Outcomes of an older secret may follow that of the current one: as many as logins run at the same time.
_LATE_OUTCOMES = 32
_LAST_OUTCOME = """
SELECT o.stream_id, o.version FROM (
    (SELECT * FROM es.events WHERE stream_id = %(stream)s AND version = 1)
    UNION ALL
    (SELECT * FROM es.events WHERE stream_id = %(stream)s AND type = 'verification.succeeded' AND version > 1
     ORDER BY version DESC LIMIT %(late)s)
    UNION ALL
    (SELECT * FROM es.events WHERE stream_id = %(stream)s AND type = 'verification.failed' AND version > 1
     ORDER BY version DESC LIMIT %(late)s)
) AS o
WHERE o.type IN ('verification.succeeded', 'verification.failed')
  AND (o.data->>'secret_version')::integer = %(secret_version)s
ORDER BY o.version DESC LIMIT 1
"""
_NAME_TAKEN = (
    "SELECT EXISTS (SELECT FROM credentials.current WHERE account_id = %s AND lower(name) = lower(%s))"
)
_BY_ID = "SELECT credential_id FROM credentials.current WHERE account_id = %s AND credential_id = %s"
_BY_NAME = "SELECT credential_id FROM credentials.current WHERE account_id = %s AND lower(name) = lower(%s)"
_REQUESTED_ROTATIONS = """
SELECT account_id, credential_id, requested_rotation FROM credentials.current
WHERE requested_rotation IS NOT NULL AND (%(after)s::uuid IS NULL OR credential_id > %(after)s)
ORDER BY credential_id LIMIT %(limit)s
"""
_NUMBER = "SELECT count(*) FROM credentials.current WHERE account_id = %s"


class PostgresCredentialStore:
    """`CredentialStore` in PostgreSQL.

    `personal` encrypts personal data in events, and `authenticate` authenticates rows of
    `credentials.current`. `charge` is called with an account and the number of events that were appended for
    it. Only tests omit them.
    """

    def __init__(
        self,
        pool: Pool,
        personal: PersonalKeys | None = None,
        authenticate: Authenticate | None = None,
        charge: Callable[[str, int], None] | None = None,
    ) -> None:
        self._charge = charge
        self._pool = pool
        self._authenticate = authenticate
        self._personal = personal
        self._key_of = keys_of(pool, personal)

    def load(self, credential_id: UUID) -> list[RecordedEvent]:
        with store_errors(), self._pool.connection() as connection:
            return load_newest(connection, credential_stream(credential_id), self._personal)

    def last_outcome(self, credential_id: UUID, secret_version: int) -> RecordedOutcome | None:
        stream = verification_stream(credential_id).id
        parameters = {"stream": stream, "secret_version": secret_version, "late": _LATE_OUTCOMES}
        with store_errors(), self._pool.connection() as connection:
            events = load_selected(connection, _LAST_OUTCOME, parameters, self._personal)
        return recorded_outcome(next(iter(events), None))

    def outcome_of(self, verification_id: UUID) -> RecordedOutcome | None:
        with store_errors(), self._pool.connection() as connection:
            event = load_event(connection, outcome_event_id(verification_id), self._personal)
        return recorded_outcome(event)

    def rotation_test(self, rotation_id: UUID) -> RotationTested | None:
        with store_errors(), self._pool.connection() as connection:
            event = load_event(connection, outcome_event_id(rotation_id), self._personal)
        return event.payload if event and isinstance(event.payload, RotationTested) else None

    def requested_rotations(self, after: UUID | None, limit: int) -> list[RequestedRotation]:
        with store_errors(), self._pool.connection() as connection:
            rows = connection.execute(_REQUESTED_ROTATIONS, {"after": after, "limit": limit}).fetchall()
        return [RequestedRotation(*row) for row in rows]

    def name_taken(self, account_id: str, name: str) -> bool:
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(_NAME_TAKEN, (account_id, name)).fetchone()
        return bool(row and row[0])

    def identified(self, account_id: str, credential: UUID | str) -> UUID | None:
        query = _BY_ID if isinstance(credential, UUID) else _BY_NAME
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(query, (account_id, credential)).fetchone()
        return row[0] if row else None

    def number_of_credentials(self, account_id: str) -> int:
        with store_errors(), self._pool.connection() as connection:
            return int(scalar(connection, _NUMBER, (account_id,)))

    def replay(self, account_id: str, key: str, fingerprint: bytes) -> Appended | None:
        with store_errors(), self._pool.connection() as connection:
            row = connection.execute(
                "SELECT version, response FROM es.replay(%s, %s, %s)", (account_id, key, fingerprint)
            ).fetchone()
        if row is None:
            return None
        REPLAYS.inc()
        return Appended(version=row[0], replayed=True, response=row[1])

    def append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        try:
            return self._append(credential_id, expected_version, events, current, request)
        except AccountKeyErased:
            if self._personal:
                self._personal.renew(events[0].metadata.account_id)
            return self._append(credential_id, expected_version, events, current, request)

    def _append(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        current: Active | None,
        request: IdempotentRequest | None,
    ) -> Appended:
        stream = credential_stream(credential_id)
        argument = append_request(stream, expected_version, events, request, self._key_of)
        row = None
        if current:
            account_id = events[0].metadata.account_id
            columns = current_row(current, account_id=account_id, version=expected_version + len(events))
            row = self._as_json(columns)
        try:
            return self._charged(events, call_append(self._pool, _APPEND, [argument, row], request))
        except psycopg.errors.UniqueViolation as error:
            if current and error.diag.constraint_name == "name_in_account":
                raise NameTaken(current.details.name) from None
            raise
        except psycopg.Error as error:
            if error.sqlstate == "ES429":
                raise SecretDiscarded from None
            raise

    def remove(
        self,
        credential_id: UUID,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        unused_since: datetime | None,
    ) -> Appended:
        stream = credential_stream(credential_id)
        argument = append_request(stream, expected_version, events, None, self._key_of)
        try:
            return self._charged(events, call_append(self._pool, _REMOVE, [argument, unused_since], None))
        except psycopg.Error as error:
            if error.sqlstate == "ES425":
                raise UsedMeanwhile from None
            raise

    def usages(
        self, credential_id: UUID, *, since: datetime, most: int | None = MAX_WORKLOADS + 1
    ) -> tuple[WorkloadUsage, ...]:
        with store_errors(), self._pool.connection() as connection:
            rows = connection.execute(_USAGES, (credential_id, since, most)).fetchall()
        return tuple(_usage(*row) for row in rows)

    def usages_of(
        self, account_id: str, project_id: str, workload: Workload | None, *, most: int
    ) -> tuple[CredentialUsage, ...]:
        parameters = {
            "account": account_id,
            "project": project_id,
            "kind": workload.kind if workload else None,
            "name": workload.name if workload else None,
            "most": most,
        }
        with store_errors(), self._pool.connection() as connection:
            rows = connection.execute(_USAGES_OF, parameters).fetchall()
        return tuple(CredentialUsage(credential_id, _usage(*row)) for credential_id, *row in rows)

    def release(
        self, release_id: UUID, events: Sequence[NewEvent], *, request: IdempotentRequest | None
    ) -> Appended:
        argument = append_request(release_stream(release_id), 0, events, request, self._key_of)
        gone = [event.payload.workload for event in events if isinstance(event.payload, WorkloadReleased)]
        kinds, names = text_array(one.kind for one in gone), text_array(one.name for one in gone)
        try:
            return self._charged(events, call_append(self._pool, _RELEASE, [argument, kinds, names], request))
        except psycopg.Error as error:
            if error.sqlstate == "ES424":
                raise DecidedOnOldVersion from None
            raise

    def registry_hosts(self, account_id: str, *, after: str, limit: int) -> list[str]:
        with store_errors(), self._pool.connection() as connection:
            rows = connection.execute(
                _HOSTS, {"account": account_id, "after": after, "limit": limit}
            ).fetchall()
        return [host for (host,) in rows]

    def candidates(self, account_id: str, hosts: Sequence[str], *, mirrors: bool = False) -> list[Candidate]:
        with (
            store_errors(),
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(_Row)) as cursor,
        ):
            rows = cursor.execute(
                _CANDIDATES, {"account": account_id, "hosts": list(hosts), "mirrors": mirrors}
            ).fetchall()
        if self._authenticate is not None:
            for row in rows:
                self._check(row, self._authenticate)
        return [_candidate(row) for row in rows]

    def issue(
        self,
        issuance_id: UUID,
        events: Sequence[NewEvent],
        *,
        decided_on: Mapping[UUID, int],
        request: IdempotentRequest | None,
    ) -> Appended:
        argument = append_request(issuance_stream(issuance_id), 0, events, request, self._key_of)
        ids, versions = text_array(map(str, decided_on)), text_array(map(str, decided_on.values()))
        of = _workload(events)
        workload = (of.kind, of.name) if of else (None, None)
        try:
            appended = call_append(self._pool, _ISSUE, [argument, ids, versions, *workload], request)
            return self._charged(events, appended)
        except psycopg.Error as error:
            if error.sqlstate == "ES424":
                raise DecidedOnOldVersion from None
            if error.sqlstate == "ES432":
                raise _damaged(UUID(error.diag.message_detail or "")) from None
            raise

    def _charged(self, events: Sequence[NewEvent], appended: Appended) -> Appended:
        if self._charge is not None and not appended.replayed:
            self._charge(events[0].metadata.account_id, len(events))
        return appended

    def _as_json(self, row: dict[str, object]) -> str:
        if self._authenticate is not None:
            row["mac"] = "\\x" + authentication_code(row, self._authenticate).hex()
        return msgspec.json.encode(row).decode()

    @staticmethod
    def _check(row: "_Row", authenticate: Authenticate) -> None:
        covered = {name: getattr(row, name) for name in COVERED}
        if row.mac is None or not compare_digest(row.mac, authentication_code(covered, authenticate)):
            raise _damaged(row.credential_id)


def _workload(events: Sequence[NewEvent]) -> Workload | None:
    """The workload to which secrets are issued; `None`: to none.

    In the stored events it is encrypted, so the database cannot read it.
    """
    issued = (one.payload for one in events if isinstance(one.payload, SecretIssued | SecretIssuedV2))
    return next((payload.workload for payload in issued), None)


def _usage(project_id: str, kind: str, name: str, secret_version: int, moment: datetime) -> WorkloadUsage:
    return WorkloadUsage(
        project_id=project_id,
        workload=Workload(kind=kind, name=name),
        secret_version=secret_version,
        last_used_at=moment,
    )


def _damaged(credential_id: UUID) -> StateDamaged:
    log.error("credential_state_damaged", credential_id=str(credential_id))
    return StateDamaged(credential_id)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `credentials.current`. `checked`: the current version of the secret was verified."""

    credential_id: UUID
    account_id: str
    version: int
    name: str
    provider: str
    registry_host: str
    repository_prefixes: list[str]
    pull: bool
    push: bool
    restricted: bool
    projects: list[str]
    secret_version: int
    expires_at: datetime | None
    frozen: bool
    additional_hosts: list[str]
    mirror_of: list[str]
    added_at: datetime
    checked: bool
    code: str | None
    mac: bytes | None


def _candidate(row: _Row) -> Candidate:
    verification = VerificationStatus.PENDING
    if row.checked and row.code is None:
        verification = VerificationStatus.VERIFIED
    elif row.checked and row.code and (code := known_code(row.code)):
        verification = status_of(code)
    return Candidate(
        credential_id=row.credential_id,
        version=row.version,
        name=row.name,
        registry_host=row.registry_host,
        repository_prefixes=tuple(row.repository_prefixes),
        scope=Scope(pull=row.pull, push=row.push),
        restrictions=Restrictions(restricted=row.restricted, projects=tuple(row.projects)),
        secret_version=row.secret_version,
        expires_at=row.expires_at,
        frozen=row.frozen,
        additional_hosts=tuple(row.additional_hosts),
        mirror_of=tuple(row.mirror_of),
        verification=verification,
        added_at=row.added_at,
    )
