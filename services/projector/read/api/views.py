"""Convert rows of the read models to JSON objects of the API."""

from datetime import datetime
from typing import Any

from contracts.credential import credential_json
from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import Operation
from contracts.verdicts import known_code
from contracts.verification import probe_json, verification_json
from contracts.verification_events import ImageProbe
from projector.read.selection import Row
from projector.read.summary import SOON, Summary, UsageSummary
from registries.matching import RequestedUse, ineligible_reason
from registries.verification_help import help_for, help_for_image


def credential_with_usage(row: Row, usage: UsageSummary) -> dict[str, Any]:
    """A credential with a summary of its usage, and the number of its dead letters."""
    return {
        **credential_json(row),
        "last_used_at": usage.last_used_at,
        "used_by": usage.workloads,
        "dead_letters": usage.dead_letters,
    }


def eligibility(row: Row, project_id: str, at: datetime) -> dict[str, Any]:
    """Whether a project may use a credential at a time, for each operation."""
    scope = Scope(pull=row["pull"], push=row["push"])
    restrictions = Restrictions(restricted=row["restricted"], projects=tuple(row["projects"]))
    operations: tuple[Operation, ...] = ("pull", "push")
    reasons = {
        operation: ineligible_reason(
            scope,
            restrictions,
            row["expires_at"],
            RequestedUse(project_id=project_id, operation=operation, at=at),
            frozen=bool(row.get("frozen")),
        )
        for operation in operations
    }
    return {name: {"eligible": reason is None, "reason": reason} for name, reason in reasons.items()}


def summary(found: Summary) -> dict[str, Any]:
    return {
        "total": found.total,
        "by_status": found.by_status,
        "by_provider": found.by_provider,
        "expired": found.expired,
        "expiring_soon": found.expiring_soon,
        "soon_days": SOON.days,
        "next_to_expire": [
            {"id": row["credential_id"], **_same(row, "name provider registry_host expires_at")}
            for row in found.next_to_expire
        ],
    }


def usage(row: Row) -> dict[str, Any]:
    return {
        "project_id": row["project_id"],
        "workload": {"kind": row["workload_kind"], "name": row["workload_name"]},
        **_same(row, "images secret_version first_used_at last_used_at"),
        "released_at": row.get("released_at"),  # a generation of 0.9.0 has no such column
    }


def verification(row: Row) -> dict[str, Any]:
    code, provider = row["code"], row["provider"]
    known = known_code(code) if code else None
    return verification_json(
        verification_id=row["verification_id"],
        trigger=row["trigger"],
        secret_version=row["secret_version"],
        status=row["status"],
        code=code,
        detail=row["detail"],
        advice=help_for(provider, known) if known else None,
        checked_at=row["checked_at"],
        duration_ms=row["duration_ms"],
        probe=_probe(row["probe"], provider),
    )


def _probe(probe: dict[str, Any] | None, provider: str) -> dict[str, Any] | None:
    if probe is None:
        return None
    code = probe["code"]
    return probe_json(ImageProbe(**probe), help_for_image(provider, known_code(code) if code else None))


_WITH_SECRETS = frozenset({"credential.added", "credential.secret_rotated"})
_FINGERPRINT = "secret_fingerprint"
# The fields of an audit event before and after its actor.
_FIRST = ("position", "time", "action", "outcome", "reason")
_LAST = tuple(
    """
    on_behalf_of source_ip account_id credential_id credential_name project_id registry_host image
    secret_version before after request_id correlation_id causation_id
    """.split()  # noqa: SIM905 names read better in lines than in a column of quotes
)


def audit_event(row: Row) -> dict[str, Any]:
    event = {"id": row["event_id"]}
    for column in _FIRST:
        event[column] = row[column]
    event["actor"] = {"type": row["actor_type"], "id": row["actor_id"], "name": row["actor_name"]}
    for column in _LAST:  # loops are faster here than merged dictionaries: an export has a million events
        event[column] = row[column]
    event["images"] = _images(row)
    if row["action"] in _WITH_SECRETS:
        _hide_fingerprints(event)
    return event


def _hide_fingerprints(event: dict[str, Any]) -> None:
    """Remove the fingerprints of secrets (ADR 11). A rotation shows whether the secret stayed the same."""
    before, after = (dict(event[side] or {}) for side in ("before", "after"))
    old, new = before.pop(_FINGERPRINT, None), after.pop(_FINGERPRINT, None)
    if old is not None and old == new:
        after["same_secret"] = True
    event["before"] = None if event["before"] is None else before
    event["after"] = None if event["after"] is None else after


def _images(row: Row) -> list[str]:
    """Each image of a row. Its column `image` joins several images with commas."""
    images: list[str] | None = (row["after"] or {}).get("images")
    if images is not None:
        return images
    return [row["image"]] if row["image"] else []


def _same(row: Row, columns: str) -> dict[str, Any]:
    return {column: row[column] for column in columns.split()}
