"""A request that an authenticated caller has no right to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.authentication.tokens import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request that was refused with `reason`, the code of the problem.

    `account_id`, `project_id`, `credential_id` and `images` are those that it asked for. `omitted` counts
    further refusals of the principal that are not recorded.
    """

    principal: Principal
    reason: str
    method: str
    route: str
    account_id: str | None
    project_id: str | None
    credential_id: UUID | None = None
    images: tuple[str, ...] = ()
    request_id: str
    source_ip: str | None
    traceparent: str | None
    at: datetime
    omitted: int = 0
