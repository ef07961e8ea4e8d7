"""The routes of credentials and providers. A request can wait for its own write (`Regcred-Wait-For`)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response

from chassis.authentication.tokens import TokenScope
from chassis.database import Connection, Pool
from chassis.runtime.clock import now
from chassis.web.authentication import principal, requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import PAGES, QUERY, VERSIONED, describes
from chassis.web.problems import Problem
from chassis.web.responses import etag, json_response
from projector.read import queries, summary
from projector.read.api import views
from projector.read.api.provider_schemas import ProviderPage
from projector.read.api.query_connection import page_of, query_connection
from projector.read.api.schemas import (
    CredentialArguments,
    CredentialPage,
    CredentialWithUsageSchema,
    PageArguments,
    SummarySchema,
    UsagePage,
    VerificationPage,
)
from projector.read.queries import CredentialFilter
from projector.read.selection import Page, Row
from registries.catalogue import PROVIDERS
from registries.provider_view import to_public

Arguments = dict[str, Any]
_ACCOUNT = "/v1/accounts/<account_id>"


def blueprint(pool: Pool, clock: Callable[[], datetime] = now) -> Blueprint:
    """The routes of credentials and providers."""
    routes = Blueprint("queries", __name__, description="Credentials, and the workloads that use them.")

    @routes.route(f"{_ACCOUNT}/credentials")
    @routes.arguments(CredentialArguments, location="query")
    @routes.response(200, CredentialPage)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY, PAGES)
    def list_credentials(arguments: Arguments, account_id: str) -> Response:
        """List the credentials of an account."""
        limit, cursor = arguments.pop("limit"), arguments.pop("cursor")
        wanted = CredentialFilter(**arguments)
        with query_connection(pool) as connection:
            page = queries.credentials(connection, account_id, wanted, limit=limit, cursor=cursor)
            return _page(connection, page, wanted.project, clock())

    @routes.route(f"{_ACCOUNT}/credentials/summary")
    @routes.response(200, SummarySchema)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY)
    def summarise_credentials(account_id: str) -> Response:
        """Count an account's credentials by health, provider and expiry, and list those that expire next."""
        with query_connection(pool) as connection:
            return json_response(views.summary(summary.summary(connection, account_id, clock())))

    @routes.route(f"{_ACCOUNT}/projects/<project_id>/credentials")
    @routes.arguments(PageArguments, location="query")
    @routes.response(200, CredentialPage)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY, PAGES)
    def list_project_credentials(arguments: Arguments, account_id: str, project_id: str) -> Response:
        """List the credentials that are not restricted to other projects, and whether this one may use them.

        A credential that has expired, or whose scope does not include the operation, has `eligible: false`.
        """
        wanted = CredentialFilter(project=project_id)
        with query_connection(pool) as connection:
            page = queries.credentials(connection, account_id, wanted, **arguments)
            return _page(connection, page, project_id, clock())

    @routes.route(f"{_ACCOUNT}/credentials/<uuid:credential_id>")
    @routes.response(200, CredentialWithUsageSchema)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY, VERSIONED, problems=["credential_not_found"])
    def get_credential(account_id: str, credential_id: UUID) -> Response:
        """Get a credential. Its ETag is the If-Match of a change."""
        with query_connection(pool) as connection:
            row = _existing(connection, account_id, credential_id)
            usage = summary.usage_summaries(connection, [credential_id])[credential_id]
        return json_response(views.credential_with_usage(row, usage), headers={"ETag": etag(row["version"])})

    @routes.route(f"{_ACCOUNT}/credentials/<uuid:credential_id>/verifications")
    @routes.arguments(PageArguments, location="query")
    @routes.response(200, VerificationPage)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY, PAGES, problems=["credential_not_found"])
    def list_verifications(arguments: Arguments, account_id: str, credential_id: UUID) -> Response:
        """List the verifications of a credential, newest first."""
        with query_connection(pool) as connection:
            _existing(connection, account_id, credential_id)
            return page_of(
                queries.verifications(connection, account_id, credential_id, **arguments),
                views.verification,
            )

    @routes.route(f"{_ACCOUNT}/credentials/<uuid:credential_id>/usages")
    @routes.arguments(PageArguments, location="query")
    @routes.response(200, UsagePage)
    @requires(TokenScope.CREDENTIALS_READ)
    @describes(QUERY, PAGES)
    def list_usages(arguments: Arguments, account_id: str, credential_id: UUID) -> Response:
        """List the workloads that a credential's secret was issued to, newest first; also of removed ones."""
        with query_connection(pool) as connection:
            return page_of(queries.usages(connection, account_id, credential_id, **arguments), views.usage)

    @routes.route("/v1/providers")
    @routes.response(200, ProviderPage)
    @requires(None)
    @describes()
    def list_providers() -> Response:
        """List the providers of registries, with what each one needs."""
        return json_response({"items": [to_public(provider) for provider in PROVIDERS], "next_cursor": None})

    return routes


def _page(connection: Connection, page: Page, project_id: str | None, at: datetime) -> Response:
    """A page of credentials, each with a summary of its usage, and whether the project may use it."""
    usages = summary.usage_summaries(connection, [row["credential_id"] for row in page.rows])
    items = []
    for row in page.rows:
        visible = {**row, "projects": _own(row["projects"])}
        item = views.credential_with_usage(visible, usages[row["credential_id"]])
        if project_id is not None:
            item["eligibility"] = views.eligibility(row, project_id, at)
        items.append(item)
    return json_response({"items": items, "next_cursor": page.next_cursor})


def _own(projects: Sequence[str]) -> list[str]:
    """The projects for which the token is valid: it does not see the ids of others."""
    return [project_id for project_id in projects if principal().may_in_project(project_id)]


def _existing(connection: Connection, account_id: str, credential_id: UUID) -> Row:
    row = queries.credential(connection, account_id, credential_id)
    if row is None:
        raise Problem(404, "credential_not_found", "no credential of this account has that id")
    return row
