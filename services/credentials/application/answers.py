"""A credential as it is answered: never a secret, never where one is stored (`docs/http.md`, "Secrets")."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from credentials.application.store import Outcome
from credentials.domain.credential import Active
from shared.contracts.verdicts import VerificationStatus
from shared.contracts.verification_events import VerificationSucceeded, verdict_of
from shared.registries.catalogue import help_for, help_for_image
from shared.runtime.clock import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is answered beside the state of the aggregate."""

    account_id: str
    version: int
    created_at: datetime
    updated_at: datetime
    outcomes: Sequence[Outcome]


def credential_answer(credential: Active, history: History) -> dict[str, Any]:
    """JSON of the `credential` of the contract."""
    details, restrictions = credential.details, credential.restrictions
    return {
        "id": str(credential.credential_id),
        "account_id": history.account_id,
        "name": details.name,
        "provider": credential.registry.provider,
        "registry_host": credential.registry.host,
        "location": credential.registry.location,
        "username": credential.username,
        "repository_prefixes": list(details.repository_prefixes),
        "description": details.description,
        "scope": {"pull": details.scope.pull, "push": details.scope.push},
        "restrictions": {
            "restricted": restrictions.restricted,
            "projects": list(restrictions.projects),
        },
        "secret_version": credential.secret.version,
        "expires_at": _iso(details.expires_at),
        "verification": _verification(credential, history.outcomes),
        "version": history.version,
        "created_at": _iso(history.created_at),
        "updated_at": _iso(history.updated_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def _verification(credential: Active, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The newest outcome that is about the secret as it is now; an older secret's says nothing about it."""
    for outcome in reversed(outcomes):
        if outcome.secret_version != credential.secret.version:
            continue
        status, code = verdict_of(outcome)
        return {
            "status": status,
            "code": code,
            "detail": outcome.detail,
            "checked_at": _iso(outcome.checked_at),
        }
    return {"status": VerificationStatus.PENDING, "code": None, "detail": None, "checked_at": None}


def pending_verification(verification_id: UUID, trigger: str, secret_version: int) -> dict[str, Any]:
    """JSON of a verification that was asked for and has no outcome yet."""
    return {
        "id": str(verification_id),
        "status": VerificationStatus.PENDING,
        "code": None,
        "detail": None,
        "help": None,
        "trigger": trigger,
        "secret_version": secret_version,
        "checked_at": None,
        "duration_ms": None,
        "probe": None,
    }


def verification_answer(outcome: Outcome) -> dict[str, Any]:
    """JSON of a verification that has ended."""
    status, code = verdict_of(outcome)
    return {
        "id": str(outcome.verification_id),
        "status": status,
        "code": code,
        "detail": outcome.detail,
        "help": help_for(outcome.provider, code) if code else None,
        "trigger": outcome.trigger,
        "secret_version": outcome.secret_version,
        "checked_at": _iso(outcome.checked_at),
        "duration_ms": outcome.duration_ms,
        "probe": _probe(outcome),
    }


def _probe(outcome: Outcome) -> dict[str, Any] | None:
    probe = outcome.probe if isinstance(outcome, VerificationSucceeded) else None
    if probe is None:
        return None
    return {
        "image": probe.image,
        "code": probe.code,
        "detail": probe.detail,
        "help": help_for_image(outcome.provider, probe.code),
    }
