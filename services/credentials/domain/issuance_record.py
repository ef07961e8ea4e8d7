"""The events that record a decided request for a pull secret. Pure."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from contracts.issuance_events import (
    MAX_REFUSED_CANDIDATES,
    RefusalReason,
    RefusedCandidate,
    SecretIssued,
    SecretIssuedV2,
    SecretRefusedV2,
)
from credentials.domain.issuance import Grant, IssuancePlan, PullSecretRequest, Refusal


def events_of(
    plan: IssuancePlan, wanted: PullSecretRequest, issuance_id: UUID
) -> list[SecretIssued | SecretIssuedV2 | SecretRefusedV2]:
    """Return the events of an issuance. There is at least one: each image is in one."""
    return [
        *(_issued(grant, wanted, issuance_id) for grant in plan.grants),
        *refused_events(plan.anonymous, wanted, issuance_id, anonymous=True),
        *refused_events(plan.refusals, wanted, issuance_id, anonymous=False),
    ]


def _issued(grant: Grant, wanted: PullSecretRequest, issuance_id: UUID) -> SecretIssued | SecretIssuedV2:
    values: dict[str, Any] = {
        "issuance_id": issuance_id,
        "project_id": wanted.project_id,
        "workload": wanted.workload,
        "registry_host": grant.registry_host,
        "images": tuple(str(image) for image in grant.images),
        "credential_id": grant.candidate.credential_id,
        "credential_name": grant.candidate.name,
        "secret_version": grant.candidate.secret_version,
        "format": wanted.format,
    }
    if wanted.operation == "pull":
        return SecretIssued(**values)
    return SecretIssuedV2(**values, operation=wanted.operation)


def refused_events(
    refusals: Iterable[Refusal], wanted: PullSecretRequest, issuance_id: UUID, *, anonymous: bool
) -> list[SecretRefusedV2]:
    """Return one event for all images of a registry that are refused for the same reason."""
    grouped: dict[tuple[str, RefusalReason], list[Refusal]] = {}
    for refusal in refusals:
        grouped.setdefault((refusal.image.registry_host, refusal.reason), []).append(refusal)
    return [
        SecretRefusedV2(
            issuance_id=issuance_id,
            project_id=wanted.project_id,
            workload=wanted.workload,
            registry_host=registry_host,
            images=tuple(str(refusal.image) for refusal in alike),
            reason=reason,
            anonymous=anonymous,
            candidates=_refused_candidates(alike),
            operation=wanted.operation,
        )
        for (registry_host, reason), alike in grouped.items()
    ]


def _refused_candidates(refusals: Iterable[Refusal]) -> tuple[RefusedCandidate, ...]:
    found = dict.fromkeys(
        RefusedCandidate(credential_id=judged.candidate.credential_id, reason=judged.reason)
        for refusal in refusals
        for judged in refusal.candidates[:MAX_REFUSED_CANDIDATES]
    )
    return tuple(found)[:MAX_REFUSED_CANDIDATES]
