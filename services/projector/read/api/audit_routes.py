"""The routes of the audit trail: pages, exports, and live exports."""

from time import monotonic, sleep
from typing import Any
from uuid import UUID

from flask import Response, request

from chassis.authentication.tokens import TokenScope
from chassis.database import Pool
from chassis.invalid_input import FieldProblem
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import PAGES, QUERY, describes
from chassis.web.problems import invalid
from chassis.web.responses import json_response
from contracts.audit_events import Form
from contracts.service_token_events import INSTALLATION
from eventlog.storage import KeyOf
from projector.read import audit_trail
from projector.read.api import export, views
from projector.read.api.archived_part import HEADER, archived_part, reject_if_all_archived
from projector.read.api.audit_record import AuditRecord, requested_read
from projector.read.api.live_export import LiveExport
from projector.read.api.query_connection import query_connection
from projector.read.api.schemas import AuditArguments, AuditPage, OrderedPageArguments
from projector.read.audit_reads import ReturnedRows
from projector.read.audit_trail import AuditFilter
from projector.read.selection import Page
from projector.write.archived_segments import ArchivedPart

Arguments = dict[str, Any]
_ACCOUNT = "/v1/accounts/<account_id>"
_JSON = "application/json"
_describes_trail = describes(
    QUERY,
    PAGES,
    reads=["Regcred-On-Behalf-Of"],
    sends=["Regcred-Audit-Sealed", "Content-Disposition"],
    problems=["invalid_on_behalf_of", "audit_sealed", "too_many_at_once"],
    media_types=[export.NDJSON, export.CSV],
)


def blueprint(pool: Pool, key_of: KeyOf | None) -> Blueprint:
    """The routes of the audit trail. `key_of` returns the keys that encrypt personal data in `audit.read`."""
    routes = Blueprint("audit", __name__, description="The audit trail.")
    live = LiveExport(pool, monotonic=monotonic, sleep=sleep)

    def page_response(account_id: str, wanted: AuditFilter, paging: Arguments) -> Response:
        continues = paging["cursor"] is not None or wanted.after is not None
        record = AuditRecord(
            pool,
            key_of,
            requested_read(account_id, wanted, "page", continues=continues),
            ReturnedRows(),
        )
        with query_connection(pool) as connection:
            page = audit_trail.audit_events(connection, account_id, wanted, **paging)
            archived = archived_part(connection, wanted)
            if not page.rows and paging["cursor"] is None:
                reject_if_all_archived(connection, account_id, wanted, archived)
        return record.of(_page_json(page, archived, record))

    @routes.route(f"{_ACCOUNT}/credentials/<uuid:credential_id>/events")
    @routes.arguments(OrderedPageArguments, location="query")
    @routes.response(200, AuditPage)
    @requires(TokenScope.AUDIT_READ)
    @describes(
        QUERY, PAGES, reads=["Regcred-On-Behalf-Of"], problems=["invalid_on_behalf_of", "audit_sealed"]
    )
    def list_credential_events(arguments: Arguments, account_id: str, credential_id: UUID) -> Response:
        """List the audit trail of a credential, newest first. Includes removed credentials."""
        return page_response(account_id, AuditFilter(credential_id=credential_id), arguments)

    def trail_response(account_id: str, arguments: Arguments) -> Response:
        paging = {name: arguments.pop(name) for name in ("limit", "cursor", "order")}
        follow, seconds = arguments.pop("follow"), arguments.pop("follow_seconds")
        wanted = AuditFilter(**arguments)
        form = request.accept_mimetypes.best_match([_JSON, export.NDJSON, export.CSV], default=_JSON)
        if follow and form != export.NDJSON:
            detail = "follow returns application/x-ndjson only: send it as Accept"
            raise invalid([FieldProblem("/follow", "not_ndjson", detail)])
        if form == _JSON:
            return page_response(account_id, wanted, paging)
        continues = follow and wanted.after is not None
        recorded_form: Form = "follow" if follow else "ndjson" if form == export.NDJSON else "csv"
        requested = requested_read(account_id, wanted, recorded_form, continues=continues)
        record = AuditRecord(pool, key_of, requested, ReturnedRows())
        with query_connection(pool) as connection:  # waits for Regcred-Wait-For
            archived = archived_part(connection, wanted) if wanted.after is not None or not follow else None
            reject_if_all_archived(connection, account_id, wanted, archived)
        if follow:
            response = live.stream(record, account_id, wanted, seconds=seconds)
        else:
            response = export.stream(
                record, account_id, wanted, form, order=paging["order"], archived=archived
            )
        if archived is not None:
            response.headers[HEADER] = archived.as_header()
        return response

    @routes.route(f"{_ACCOUNT}/audit-events")
    @routes.arguments(AuditArguments, location="query")
    @routes.response(200, AuditPage)
    @requires(TokenScope.AUDIT_READ)
    @_describes_trail
    def list_audit_events(arguments: Arguments, account_id: str) -> Response:
        """List the audit trail of an account, newest first.

        As `application/x-ndjson` or `text/csv` the response has every row, without pages. With `follow` it
        continues as NDJSON with the rows after `after`, or from now on; an empty line means that there was
        none. Reads are recorded as `audit.read`.

        Archived rows are reported in `sealed` (of a file: in the header `Regcred-Audit-Sealed`). The response
        is 410 if all requested rows are archived.
        """
        return trail_response(account_id, arguments)

    @routes.route("/v1/audit-events")
    @routes.arguments(AuditArguments, location="query")
    @routes.response(200, AuditPage)
    @requires(TokenScope.AUDIT_READ)
    @_describes_trail
    def list_installation_audit_events(arguments: Arguments) -> Response:
        """List the audit trail of the installation: tokens that are not of exactly one account.

        Otherwise like the audit trail of an account.
        """
        return trail_response(INSTALLATION, arguments)

    return routes


def _page_json(page: Page, archived: ArchivedPart | None, record: AuditRecord) -> Response:
    return json_response(
        {
            "items": [views.audit_event(record.add(row)) for row in page.rows],
            "next_cursor": page.next_cursor,
            "previous_cursor": page.previous_cursor,
            "sealed": archived.as_document() if archived else None,
        }
    )
