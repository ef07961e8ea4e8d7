"""Which secrets were issued, to whom, and whether they were replaced since, from the rows of `secret.issued`.

A page is ordered by credential and version, which do not change, so that pages of a report fit together.
"""

from dataclasses import dataclass
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from chassis.database import Connection
from projector.read.audit_trail import AuditFilter, conditions_of
from projector.read.selection import Condition, InvalidCursor, Page, page, read_cursor, where

ISSUED = "secret.issued"
MOST_LISTED = 100  # workloads, actors and addresses of a secret
_MAX_VERSION = 2**31 - 1

# The view of the audit trail comes first, as a switch of generations locks it (`audit_trail`).
_EXPOSED = """
WITH recipients AS (
    SELECT credential_id, secret_version, credential_name, registry_host, project_id,
           after #> '{{workload}}' AS workload, actor_type, actor_id, actor_name, source_ip,
           count(*) AS issued, min(time) AS earliest, max(time) AS latest,
           min(position) AS first_position, max(position) AS last_position
    FROM rm.audit_events WHERE {conditions}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), secrets AS (
    SELECT credential_id, secret_version, sum(issued)::bigint AS issued,
           min(earliest) AS first_issued_at, max(latest) AS last_issued_at,
           min(first_position) AS first_position, max(last_position) AS last_position,
           (array_agg(credential_name ORDER BY last_position DESC))[1] AS last_name,
           (array_agg(registry_host ORDER BY last_position DESC))[1] AS registry_host,
           array_agg(DISTINCT jsonb_build_object('project_id', project_id, 'workload', workload))
               AS workloads,
           array_agg(DISTINCT jsonb_build_object('type', actor_type, 'id', actor_id, 'name', actor_name))
               AS actors,
           array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL) AS sources
    FROM recipients GROUP BY credential_id, secret_version
)
SELECT s.credential_id, s.secret_version, s.issued, s.first_issued_at, s.last_issued_at, s.first_position,
       s.last_position, s.last_name, s.registry_host,
       s.workloads[:{most}] AS workloads, cardinality(s.workloads) > {most} AS more_workloads,
       s.actors[:{most}] AS actors, cardinality(s.actors) > {most} AS more_actors,
       coalesce(s.sources[:{most}], ARRAY[]::text[]) AS sources,
       coalesce(cardinality(s.sources) > {most}, false) AS more_sources,
       c.name, c.secret_version AS current_version, coalesce(c.frozen, false) AS frozen
FROM secrets s LEFT JOIN rm.credentials c ON c.credential_id = s.credential_id
WHERE NOT {to_do} OR c.secret_version = s.secret_version
ORDER BY s.credential_id, s.secret_version DESC LIMIT {limit}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureFilter:
    """The issuances of a report: those that the audit trail finds by `rows`, of a workload, from an address.

    `workload` is its kind, in any case, and its name. `None` does not filter. With `to_do` the report has
    only secrets that are still the current ones of their credentials.
    """

    rows: AuditFilter
    workload: tuple[str, str] | None = None
    source_ip: str | None = None
    to_do: bool = False


def exposed_secrets(
    connection: Connection, account_id: str, wanted: ExposureFilter, *, limit: int, cursor: str | None
) -> Page:
    """A page of the issued secrets: a row for each version of the secret of a credential.

    Raises:
        InvalidCursor.
    """
    conditions: list[Condition] = [
        *conditions_of(account_id, wanted.rows),
        (_OF_WORKLOAD, list(wanted.workload) if wanted.workload else None),
        ("source_ip = %s", wanted.source_ip),
        ("(credential_id, -secret_version) > (%s, %s)", _key(cursor)),
    ]
    filtered, parameters = where(conditions)
    statement = sql.SQL(_EXPOSED).format(
        conditions=filtered,
        most=sql.Literal(MOST_LISTED),
        to_do=sql.Literal(wanted.to_do),
        limit=sql.Literal(limit + 1),
    )
    with connection.cursor(row_factory=dict_row) as found:
        rows = found.execute(statement, parameters).fetchall()
    return page(rows, limit, lambda row: [str(row["credential_id"]), row["secret_version"]])


_OF_WORKLOAD = "lower(after #>> '{workload,kind}') = lower(%s) AND after #>> '{workload,name}' = %s"


def _key(cursor: str | None) -> list[object] | None:
    if cursor is None:
        return None
    credential_id, version = read_cursor(cursor, str, int)
    if not 0 < version <= _MAX_VERSION:
        raise InvalidCursor
    try:
        return [UUID(credential_id), -version]
    except ValueError:
        raise InvalidCursor from None
