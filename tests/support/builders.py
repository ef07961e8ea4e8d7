"""Details, events and metadata for most tests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.credential_events import (
    CredentialAdded,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
)
from eventlog.events import Actor, Metadata

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
ID = UUID("5a8f6f0e-0d55-4d3c-9a55-0c2f6c1f7a10")
GITHUB = Registry(provider="github", host="ghcr.io", location=None)
EVERYBODY = Restrictions(restricted=False, projects=())
PULL = Scope(pull=True, push=False)


def details(name: str = "team", **changes: Any) -> Details:
    """Details of a credential that can pull everything and does not expire."""
    usual = Details(name=name, description="", scope=PULL, repository_prefixes=(), expires_at=None)
    return replace(usual, **changes)


def secret_reference(version: int = 1) -> SecretReference:
    """A secret of a username and a password."""
    return SecretReference(version=version, kind="username_password", fingerprint="ab" * 16)


def added(credential_id: UUID = ID, **changes: Any) -> CredentialAdded:
    """A login at GitHub's registry for all projects of the account."""
    usual = CredentialAdded(
        credential_id=credential_id,
        registry=GITHUB,
        username="octo",
        secret=secret_reference(),
        details=details(),
        restrictions=EVERYBODY,
    )
    return replace(usual, **changes)


def metadata(**changes: Any) -> Metadata:
    """Metadata of a command of a user of the account `acme`."""
    usual = Metadata(
        account_id="acme",
        actor=Actor(type="user", id="ada", name="Ada"),
        occurred_at=MOMENT,
        request_id="r-1",
        correlation_id="c-1",
    )
    return replace(usual, **changes)
