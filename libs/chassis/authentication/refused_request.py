"""A request that an authenticated caller has no right to."""

from dataclasses import dataclass
from datetime import datetime

from chassis.authentication.tokens import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request that was refused with `reason`, the code of the problem.

    `account_id` and `project_id` are those that it asked for. `omitted` counts further refusals of the
    principal that are not recorded.
    """

    principal: Principal
    reason: str
    method: str
    route: str
    account_id: str | None
    project_id: str | None
    request_id: str
    source_ip: str | None
    traceparent: str | None
    at: datetime
    omitted: int = 0
