"""One event of every name and version, from the life of one credential."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from contracts.access_events import AccessDenied
from contracts.account_events import AccountErased
from contracts.audit_events import AuditFilters, AuditRead, AuditSealed
from contracts.credential_events import (
    NO_OTHER_HOSTS,
    CredentialAccessWithdrawn,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    CredentialThawed,
    Details,
    Hosts,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
    VerificationRequested,
)
from contracts.expiry_events import (
    ExpiryApproached,
    ExpiryDiscovered,
    ExpiryPassed,
    VerificationRecovered,
)
from contracts.issuance_events import (
    RefusedCandidate,
    SecretIssued,
    SecretIssuedV2,
    SecretRefused,
    SecretRefusedV2,
    Workload,
)
from contracts.release_events import WorkloadReleased
from contracts.service_token_events import ServiceTokenCreated, ServiceTokenRevoked
from contracts.streams import (
    account_stream,
    audit_stream,
    credential_stream,
    issuance_stream,
    refusal_stream,
    release_stream,
    service_token_stream,
    verification_stream,
)
from contracts.verdicts import VerificationCode
from contracts.verification_events import (
    ImageProbe,
    RotationTested,
    VerificationFailed,
    VerificationSucceeded,
)
from eventlog.events import Actor, Metadata, StreamId

CREDENTIAL = UUID("0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e01")
ROTATION = UUID("0199d3c2-7b1f-7d21-a0b1-c2d3e4f50617")
ISSUANCE = UUID("0199d3c2-a1b2-7d4e-8f60-91a2b3c4d5e6")
AUDIT_READ = UUID("0199d3c2-c3d4-7e5f-a012-b3c4d5e6f708")
ERASURE = UUID("0199d3c2-d4e5-7f60-8123-c4d5e6f70819")
METADATA = Metadata(
    account_id="acme",
    actor=Actor(type="user", id="u-17", name="Ada"),
    occurred_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    request_id="0199d3c2-7a0e-7b11-8a51-0c6f7d2e4b90",
    correlation_id="0199d3c2-7a0e-7b11-8a51-0c6f7d2e4b90",
    causation_id="0199d3c2-79ff-7e02-b1c3-5a4e8d7f6c21",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)

_REGISTRY = Registry(provider="github", host="ghcr.io", location=None)
_SECRET = SecretReference(version=1, kind="username_password", fingerprint="9f86d081884c7d659a2feaa0c55ad015")
_NEXT_SECRET = SecretReference(
    version=2, kind="username_password", fingerprint="60303ae22b998861bce3b28f33eec1be"
)
_DETAILS = Details(
    name="team-ghcr",
    description="",
    scope=Scope(pull=True, push=False),
    repository_prefixes=("acme/",),
    expires_at=None,
)
_EVERYBODY = Restrictions(restricted=False, projects=())

_IN_CREDENTIAL_STREAM: tuple[object, ...] = (
    CredentialAdded(
        credential_id=CREDENTIAL,
        registry=_REGISTRY,
        username="octo",
        secret=_SECRET,
        details=_DETAILS,
        restrictions=_EVERYBODY,
    ),
    CredentialDetailsChanged(
        credential_id=CREDENTIAL,
        details=Details(
            name="team-ghcr",
            description="images of the shop",
            scope=Scope(pull=True, push=False),
            repository_prefixes=("acme/shop/",),
            expires_at=datetime(2026, 9, 1, tzinfo=UTC),
        ),
        previous=_DETAILS,
    ),
    CredentialSecretRotated(
        credential_id=CREDENTIAL,
        registry=_REGISTRY,
        username="octo",
        secret=_NEXT_SECRET,
        expires_at=None,
        previous_registry=_REGISTRY,
        previous_username="octo",
        previous_secret=_SECRET,
        previous_expires_at=datetime(2026, 9, 1, tzinfo=UTC),
        previous_valid_until=datetime(2026, 3, 2, 9, 45, tzinfo=UTC),
    ),
    CredentialSecretRolledBack(credential_id=CREDENTIAL, restored_version=1),
    CredentialRotationRequested(
        credential_id=CREDENTIAL,
        rotation_id=ROTATION,
        registry=_REGISTRY,
        username="octo",
        secret=SecretReference(version=3, kind="username_password", fingerprint="0" * 32),
        expires_at=None,
        grace_seconds=900,
        deadline=datetime(2026, 3, 2, 9, 45, tzinfo=UTC),
        force_reason=None,
    ),
    CredentialRotationDiscarded(
        credential_id=CREDENTIAL,
        rotation_id=ROTATION,
        secret_version=3,
        reason="not_verified",
        code=VerificationCode.BAD_CREDENTIAL,
        detail="the token server refused the login",
    ),
    CredentialRestrictionsChanged(
        credential_id=CREDENTIAL,
        restrictions=Restrictions(restricted=True, projects=("shop",)),
        previous=_EVERYBODY,
    ),
    VerificationRequested(
        credential_id=CREDENTIAL, secret_version=2, trigger="requested", image="ghcr.io/acme/shop:1.4"
    ),
    CredentialAccessWithdrawn(credential_id=CREDENTIAL, reason="the shop has moved", workloads=2),
    CredentialHostsChanged(
        credential_id=CREDENTIAL,
        hosts=Hosts(additional_hosts=("docker.acme.com",), mirror_of=("docker.io",)),
        previous=NO_OTHER_HOSTS,
    ),
    CredentialFrozen(credential_id=CREDENTIAL, reason="the token is in a public log"),
    CredentialThawed(credential_id=CREDENTIAL, reason="the token was replaced"),
    CredentialRemoved(credential_id=CREDENTIAL, reason="the team is gone", forced=False),
)
_IN_VERIFICATION_STREAM: tuple[object, ...] = (
    RotationTested(
        rotation_id=ROTATION,
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=3,
        code=VerificationCode.BAD_CREDENTIAL,
        detail="the token server refused the login",
        confidence="strong",
        checked_at=datetime(2026, 3, 2, 9, 30, 1, tzinfo=UTC),
        duration_ms=214,
    ),
    VerificationSucceeded(
        verification_id=UUID("0199d3c2-7b44-7a05-8c12-6e5d4c3b2a10"),
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=1,
        trigger="requested",
        detail="the token server accepted the login, the registry its token; the login can pull acme/shop",
        confidence="strong",
        checked_at=datetime(2026, 3, 2, 9, 30, 1, tzinfo=UTC),
        duration_ms=412,
        probe=ImageProbe(image="ghcr.io/acme/shop:1.4", code=None, detail="the login can pull acme/shop"),
    ),
    VerificationFailed(
        verification_id=UUID("0199d3c2-9c01-7f3a-b0d7-1a2b3c4d5e6f"),
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=2,
        trigger="rotated",
        code=VerificationCode.BAD_CREDENTIAL,
        detail="the token server refused username or secret (HTTP 403)",
        retry_after=None,
        checked_at=datetime(2026, 3, 2, 9, 45, 1, tzinfo=UTC),
        duration_ms=380,
    ),
    VerificationRecovered(
        verification_id=UUID("0199d3c2-b5c6-7a1e-9b0c-2d3e4f5a6b7c"),
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=3,
        previous_code=VerificationCode.BAD_CREDENTIAL,
        failing_since=datetime(2026, 3, 2, 9, 45, 1, tzinfo=UTC),
    ),
    ExpiryDiscovered(
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=3,
        expires_at=datetime(2026, 4, 1, tzinfo=UTC),
        source="token",
    ),
    ExpiryApproached(
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=3,
        expires_at=datetime(2026, 4, 1, tzinfo=UTC),
        days=7,
    ),
    ExpiryPassed(
        credential_id=CREDENTIAL,
        registry_host="ghcr.io",
        provider="github",
        secret_version=3,
        expires_at=datetime(2026, 4, 1, tzinfo=UTC),
    ),
)
_WORKLOAD = Workload(kind="deployment", name="storefront")
_IN_ISSUANCE_STREAM: tuple[object, ...] = (
    SecretIssued(
        issuance_id=ISSUANCE,
        project_id="shop",
        workload=_WORKLOAD,
        registry_host="ghcr.io",
        images=("ghcr.io/acme/shop/storefront:1.4.2",),
        credential_id=CREDENTIAL,
        credential_name="team-ghcr",
        secret_version=2,
        format="kubernetes_secret",
    ),
    SecretIssuedV2(
        issuance_id=ISSUANCE,
        project_id="shop",
        workload=Workload(kind="build", name="storefront"),
        registry_host="ghcr.io",
        images=("ghcr.io/acme/shop/storefront:1.5.0",),
        credential_id=CREDENTIAL,
        credential_name="team-ghcr",
        secret_version=2,
        format="docker_config",
        operation="push",
    ),
    SecretRefused(
        issuance_id=ISSUANCE,
        project_id="blog",
        workload=_WORKLOAD,
        registry_host="ghcr.io",
        image="ghcr.io/acme/shop/storefront:1.4.2",
        reason="no_eligible_credential",
        anonymous=False,
        candidates=(RefusedCandidate(credential_id=CREDENTIAL, reason="restricted"),),
    ),
    SecretRefusedV2(
        issuance_id=ISSUANCE,
        project_id="blog",
        workload=_WORKLOAD,
        registry_host="ghcr.io",
        images=("ghcr.io/acme/shop/storefront:1.4.2", "ghcr.io/acme/shop/worker:1.4.2"),
        reason="no_eligible_credential",
        anonymous=False,
        candidates=(RefusedCandidate(credential_id=CREDENTIAL, reason="restricted"),),
    ),
)

RELEASE = UUID("0199d3c2-b2c3-7e4f-9081-a2b3c4d5e6f7")
_IN_RELEASE_STREAM: tuple[object, ...] = (
    WorkloadReleased(
        release_id=RELEASE,
        credential_id=CREDENTIAL,
        project_id="shop",
        workload=_WORKLOAD,
        reason="the shop was deleted",
    ),
)

_IN_AUDIT_STREAM: tuple[object, ...] = (
    AuditRead(
        read_id=AUDIT_READ,
        form="ndjson",
        filters=AuditFilters(since=datetime(2026, 3, 1, tzinfo=UTC), project_id="shop"),
        events=1312,
        first_position=4,
        last_position=90_210,
    ),
    AuditSealed(
        seal_id=AUDIT_READ,
        segment="000000000001-000000048213",
        first_position=1,
        last_position=48_213,
        events=1312,
        file_hash="5b0e" * 16,
        manifest_hash="c7a4" * 16,
    ),
)

_IN_ACCOUNT_STREAM: tuple[object, ...] = (AccountErased(erasure_id=ERASURE, reason="the account has left"),)

TOKEN = "000aZ4kQ9"  # noqa: S105 the id of a token
_IN_SERVICE_TOKEN_STREAM: tuple[object, ...] = (
    ServiceTokenCreated(
        token_id=TOKEN,
        name="deploy platform",
        scopes=("credentials:read", "secrets:issue"),
        accounts=("acme",),
        projects=None,
        expires_at=datetime(2026, 9, 1, tzinfo=UTC),
    ),
    ServiceTokenRevoked(token_id=TOKEN, name="deploy platform"),
)

REFUSAL = UUID("0199d3c2-e5f6-4071-9234-e5f607182930")
_IN_REFUSAL_STREAM: tuple[object, ...] = (
    AccessDenied(
        refusal_id=REFUSAL,
        method="POST",
        route="/v1/accounts/<account_id>/pull-secrets",
        reason="project_forbidden",
        requested_account="acme",
        project_id="blog",
        credential_id=None,
        images=("ghcr.io/acme/shop:1.4",),
        further_images=0,
        omitted=0,
    ),
)

# Class of the payload to an example and the stream that it stands in.
EXAMPLES: Mapping[type, tuple[object, StreamId]] = {
    **{type(payload): (payload, credential_stream(CREDENTIAL)) for payload in _IN_CREDENTIAL_STREAM},
    **{type(payload): (payload, verification_stream(CREDENTIAL)) for payload in _IN_VERIFICATION_STREAM},
    **{type(payload): (payload, issuance_stream(ISSUANCE)) for payload in _IN_ISSUANCE_STREAM},
    **{type(payload): (payload, release_stream(RELEASE)) for payload in _IN_RELEASE_STREAM},
    **{type(payload): (payload, audit_stream(AUDIT_READ)) for payload in _IN_AUDIT_STREAM},
    **{type(payload): (payload, account_stream(ERASURE)) for payload in _IN_ACCOUNT_STREAM},
    **{type(payload): (payload, refusal_stream(REFUSAL)) for payload in _IN_REFUSAL_STREAM},
    **{type(payload): (payload, service_token_stream(TOKEN)) for payload in _IN_SERVICE_TOKEN_STREAM},
}
