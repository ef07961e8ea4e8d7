"""The connection and the page of a query route."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from flask import Response, request

from chassis.database import Connection, Pool
from chassis.web.responses import json_response
from eventlog.storage import store_errors
from projector.read.api.wait_for import wait_for
from projector.read.selection import Page, Row
from projector.write.generations import has_event, is_recorded


@contextmanager
def query_connection(pool: Pool) -> Iterator[Connection]:
    """A connection for the query, after the read models have the event that `Regcred-Wait-For` names.

    Raises:
        Problem: as `wait_for`.
        EventStoreError: the database failed.
    """
    with store_errors(), pool.connection() as connection:
        token = request.headers.get("Regcred-Wait-For")
        if token:
            account_id = (request.view_args or {}).get("account_id")
            wait_for(
                token,
                connection,
                account_id,
                has_event=has_event,
                is_recorded=is_recorded,
                monotonic=monotonic,
                sleep=sleep,
            )
        yield connection


def page_of(page: Page, view: Callable[[Row], dict[str, Any]]) -> Response:
    """The response with a page, whose items `view` creates from the rows."""
    return json_response({"items": [view(row) for row in page.rows], "next_cursor": page.next_cursor})
