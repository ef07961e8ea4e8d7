"""`GET …/exposure`: which secrets were issued, to whom, and which of them are still to be replaced."""

from collections.abc import Iterator
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from chassis.authentication.tokens import TokenScope
from chassis.database import Pool
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import PAGES, QUERY, describes
from chassis.web.moment import Moment
from chassis.web.responses import json_response
from contracts.audit_events import MAX_FILTER
from contracts.schemas import WorkloadSchema
from eventlog.storage import KeyOf, store_errors
from projector.read.api.archived_part import HEADER, archived_part, reject_if_all_archived
from projector.read.api.audit_record import AuditRecord, requested_read
from projector.read.api.export import CSV, ArchivedDuringExport
from projector.read.api.filters import AddressFilter, WorkloadFilter
from projector.read.api.query_connection import query_connection
from projector.read.api.schemas import ActorSchema, PageArguments, SealedSchema
from projector.read.api.spreadsheet import table_lines
from projector.read.audit_reads import ReturnedRows
from projector.read.audit_trail import AuditFilter
from projector.read.exposure import ISSUED, ExposureFilter, exposed_secrets
from projector.read.selection import MAX_LIMIT, Row
from projector.write.archived_segments import ArchivedPart

Json = dict[str, Any]
_JSON = "application/json"
_COLUMNS = tuple(
    """
    to_do state frozen credential_name credential_id registry_host secret_version current_version issued
    first_issued_at last_issued_at workloads more_workloads actors more_actors source_ips more_source_ips
    """.split()  # noqa: SIM905 names read better in lines than in a column of quotes
)
_NO_NUL = validate.ContainsNoneOf("\0", error="Must not contain a NUL character.")
_LIMITS = [validate.Length(max=MAX_FILTER), _NO_NUL]


class ExposureArguments(PageArguments):
    since = Moment(load_default=None, metadata={"description": "Inclusive."})
    until = Moment(load_default=None, metadata={"description": "Exclusive."})
    project_id = fields.String(load_default=None, validate=_LIMITS)
    workload = WorkloadFilter(
        load_default=None,
        validate=lambda found: [_NO_NUL(part) for part in found],
        metadata={"description": "`kind/name`, such as `deployment/storefront`; the kind in any case."},
    )
    actor = fields.String(
        load_default=None, validate=_LIMITS, metadata={"description": "Id of the token that requested them."}
    )
    source_ip = AddressFilter(
        load_default=None,
        metadata={"description": "The address that requested them, as of a node."},
    )
    to_do = fields.Boolean(
        load_default=False, metadata={"description": "Only secrets that were not replaced since."}
    )


class ExposedWorkloadSchema(Schema):
    project_id = fields.String()
    workload = fields.Nested(WorkloadSchema)


class ExposedSecretSchema(Schema):
    """A version of the secret of a credential that was issued, and to whom."""

    credential_id = fields.UUID()
    credential_name = fields.String(metadata={"description": "If it was removed: its last name."})
    registry_host = fields.String(metadata={"description": "As it was when it was issued last."})
    secret_version = fields.Integer(metadata={"description": "The version that was issued."})
    current_version = fields.Integer(
        allow_none=True, metadata={"description": "The version that is issued now; null: it was removed."}
    )
    state = fields.String(
        metadata={
            "enum": ["current", "rotated", "removed"],
            "description": "`current`: this version was not replaced. `rotated`: it was replaced. `removed`: "
            "the credential was removed. That the registry refuses the old secret is not known here.",
        }
    )
    to_do = fields.Boolean(metadata={"description": "It is still to be replaced: `state` is `current`."})
    frozen = fields.Boolean(metadata={"description": "The credential is issued to nobody at present."})
    issued = fields.Integer(metadata={"description": "How many times it was issued."})
    first_issued_at = fields.DateTime()
    last_issued_at = fields.DateTime()
    workloads = fields.List(
        fields.Nested(ExposedWorkloadSchema), metadata={"description": "To whom; 100 at most."}
    )
    more_workloads = fields.Boolean()
    actors = fields.List(
        fields.Nested(ActorSchema), metadata={"description": "The tokens that requested it; 100 at most."}
    )
    more_actors = fields.Boolean()
    source_ips = fields.List(fields.String(), metadata={"description": "From which addresses; 100 at most."})
    more_source_ips = fields.Boolean()


class ExposurePage(Schema):
    items = fields.List(fields.Nested(ExposedSecretSchema))
    next_cursor = fields.String(allow_none=True)
    sealed = fields.Nested(
        SealedSchema,
        allow_none=True,
        metadata={"description": "The part of the audit trail that was archived and is not in the report."},
    )


def blueprint(pool: Pool, key_of: KeyOf | None) -> Blueprint:
    """The route of the exposure report. `key_of` is as for the audit trail, in which reads are recorded."""
    routes = Blueprint("exposure", __name__, description="Which secrets were issued, and to whom.")

    @routes.route("/v1/accounts/<account_id>/exposure")
    @routes.arguments(ExposureArguments, location="query")
    @routes.response(200, ExposurePage)
    @requires(TokenScope.AUDIT_READ)
    @describes(
        QUERY,
        PAGES,
        reads=["Regcred-On-Behalf-Of"],
        sends=["Regcred-Audit-Sealed", "Content-Disposition"],
        problems=["invalid_on_behalf_of", "audit_sealed"],
        media_types=[CSV],
    )
    def report_exposure(arguments: Json, account_id: str) -> Response:
        """Report which secrets were issued, to whom, and whether they were replaced since.

        An item is a version of the secret of a credential, from the `secret.issued` rows of the audit trail.
        As `text/csv` the response has every item, without pages. Reads are recorded as `audit.read`.

        Archived rows are reported as in the audit trail. The response is 410 if all of them are archived.
        """
        limit, cursor = arguments.pop("limit"), arguments.pop("cursor")
        wanted = _wanted(arguments)
        form = request.accept_mimetypes.best_match([_JSON, CSV], default=_JSON)
        read = requested_read(
            account_id, wanted.rows, "csv" if form == CSV else "page", continues=cursor is not None
        )
        record = AuditRecord(pool, key_of, read, ReturnedRows())
        with query_connection(pool) as connection:
            archived = archived_part(connection, wanted.rows)
            reject_if_all_archived(connection, account_id, wanted.rows, archived)
            if form == CSV:
                return record.of(_csv(_every_item(record, account_id, wanted, archived), archived))
            page = exposed_secrets(connection, account_id, wanted, limit=limit, cursor=cursor)
        body = {
            "items": [_item(record, row) for row in page.rows],
            "next_cursor": page.next_cursor,
            "sealed": archived.as_document() if archived else None,
        }
        return record.of(json_response(body))

    return routes


def _wanted(arguments: Json) -> ExposureFilter:
    own = {name: arguments.pop(name) for name in ("workload", "source_ip", "to_do")}
    return ExposureFilter(rows=AuditFilter(action=ISSUED, **arguments), **own)


def _every_item(
    record: AuditRecord, account_id: str, wanted: ExposureFilter, archived: ArchivedPart | None
) -> Iterator[Json]:
    """All items, read in pages, without a transaction around them.

    Raises:
        ArchivedDuringExport: rows were archived meanwhile, so that the file would be incomplete.
    """
    cursor: str | None = None
    while True:
        with store_errors(), record.pool.connection() as connection:
            page = exposed_secrets(connection, account_id, wanted, limit=MAX_LIMIT, cursor=cursor)
            if archived_part(connection, wanted.rows) != archived:
                raise ArchivedDuringExport
        for row in page.rows:
            yield _item(record, row)
        cursor = page.next_cursor
        if cursor is None:
            return


def _csv(items: Iterator[Json], archived: ArchivedPart | None) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="exposure.csv"'}
    if archived is not None:
        headers[HEADER] = archived.as_header()
    lines = table_lines(_COLUMNS, map(_flat, items))
    return Response(lines, content_type=f"{CSV}; charset=utf-8", headers=headers)


def _flat(item: Json) -> Json:
    """The item with a text in place of each list."""
    workloads = [
        f"{one['project_id']} {one['workload']['kind']}/{one['workload']['name']}"
        for one in item["workloads"]
    ]
    actors = [actor["name"] or actor["id"] for actor in item["actors"]]
    return {
        **item,
        "workloads": ", ".join(workloads),
        "actors": ", ".join(actors),
        "source_ips": ", ".join(item["source_ips"]),
    }


def _item(record: AuditRecord, row: Row) -> Json:
    record.returned.add_issued(row["issued"], row["first_position"], row["last_position"])
    current = row["current_version"]
    state = "removed" if current is None else "current" if current == row["secret_version"] else "rotated"
    return {
        "credential_id": row["credential_id"],
        "credential_name": row["name"] or row["last_name"],
        "registry_host": row["registry_host"],
        "secret_version": row["secret_version"],
        "current_version": current,
        "state": state,
        "to_do": state == "current",
        "frozen": row["frozen"],
        "issued": row["issued"],
        "first_issued_at": row["first_issued_at"],
        "last_issued_at": row["last_issued_at"],
        "workloads": row["workloads"],
        "more_workloads": row["more_workloads"],
        "actors": row["actors"],
        "more_actors": row["more_actors"],
        "source_ips": row["sources"],
        "more_source_ips": row["more_sources"],
    }
