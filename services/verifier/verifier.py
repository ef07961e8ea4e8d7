"""One verification, requested by an event or by the schedule: read the secret, log in, record the outcome.

The login is at-least-once: a crash between login and append repeats it. The outcome of an event is recorded
exactly once: its id is derived from the verification, the verifier checks that the log does not have it, and
appends it under a key that is derived from the event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

from chassis.observability.metrics import VERIFICATION_SECONDS, VERIFICATIONS
from chassis.observability.tracing import current_traceparent, start_span
from contracts.streams import credential_stream, outcome_event_id, verification_stream
from contracts.verdicts import VerificationCode
from eventlog.events import Actor, Metadata, NewEvent, RecordedEvent, StreamId
from eventlog.storage import EventStore
from registries.catalogue import provider_at
from registries.hosts import api_host
from registries.logins.cloud_keys import StoredLogin, read_stored_login
from registries.protocol.login import Probe, Verdict
from secretstore.store import SecretMissing, SecretPath, SecretStore, StoredSecretUnreadable, read_secret
from verifier.each_host import log_in_everywhere
from verifier.expiry import earliest_expiry, token_expiry
from verifier.outcomes import events_of, rotation_tested, worth_recording
from verifier.policy import Verification, active_credential, verification_for
from verifier.stream_append import record_once

ACTOR = Actor(type="system", id="verifier", name="regcred verifier")
VERIFIED = "verified"
STORE_LAG = timedelta(minutes=1)  # a secret that is missing for longer after its event was recorded is lost
UNREADABLE = Verdict(
    code=VerificationCode.SECRET_UNREADABLE,
    detail="the stored secret cannot be read any more; no login was tried",
)


class LogIn(Protocol):
    """`verifier.logins.Logins`."""

    def __call__(
        self,
        *,
        registry_host: str,
        api_host: str,
        login: StoredLogin,
        provider: str,
        probe: Probe | None = None,
    ) -> Verdict: ...


class Streams(Protocol):
    """Reads the events that determine a credential; only the credentials service writes them."""

    def __call__(self, stream: StreamId) -> list[RecordedEvent]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """A login that was tried.

    `host` is the one that the verdict is from. `expires_at` is the expiry of its secret, as the secret or its
    provider reports it. `recorded`: the outcome is in the log.
    """

    verification: Verification
    verdict: Verdict
    host: str
    checked_at: datetime
    seconds: float
    expires_at: datetime | None
    recorded: bool = True

    @property
    def outcome(self) -> str:
        """`verified`, or the code of the verdict."""
        return VERIFIED if self.verdict.code is None else self.verdict.code.value


class Verifier:
    """Runs verifications and records their outcomes. Handling an event twice has no further effect.

    A current secret that cannot be read is an outcome (`UNREADABLE`). Raises `EventStoreError`,
    `SecretStoreUnavailable`, and `SecretMissing` within `STORE_LAG`; the caller then handles the event again.
    """

    def __init__(
        self,
        store: EventStore,
        secrets: SecretStore,
        log_in: LogIn,
        *,
        streams: Streams,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._log_in = log_in
        self._streams = streams
        self._now = now
        self._monotonic = monotonic
        self._new_id = new_id

    def verify(self, verification: Verification, cause: RecordedEvent) -> LoginAttempt | str:
        """Run the verification that an event requests, and record its outcome.

        Returns `superseded` or `repeated` if there was no login.
        """
        if self._outcome_exists(verification):
            return "repeated"
        try:
            login = self._stored_login(verification)
        except StoredSecretUnreadable as error:
            if verification_for(cause, self._streams(cause.stream)) is None:
                return "superseded"
            if isinstance(error, SecretMissing) and self._now() - cause.recorded_at < STORE_LAG:
                raise
            login = None
        attempt = self._attempt(verification, login)
        if self._has_other_hosts(verification):  # the change of the hosts requested its own verification
            return "superseded"
        self._record(attempt, cause.metadata, causation_id=str(cause.event_id))
        return attempt

    def verify_again(
        self, verification: Verification, *, last_outcome: str | None, last_recorded: datetime | None
    ) -> LoginAttempt | None:
        """Run a scheduled verification. An unchanged outcome is recorded about once a day only.

        `None` if the credential was removed or its secret was replaced.
        """
        try:
            login = self._stored_login(verification)
        except StoredSecretUnreadable:
            if not self._is_current(verification):
                return None
            login = None
        attempt = self._attempt(verification, login)
        if not worth_recording(attempt.outcome, last_outcome, last_recorded, attempt.checked_at):
            return replace(attempt, recorded=False)
        if not self._is_current(verification):
            return None
        metadata = Metadata(
            account_id=verification.account_id,
            actor=ACTOR,
            occurred_at=attempt.checked_at,
            request_id=str(verification.id),
            correlation_id=str(verification.id),
        )
        self._record(attempt, metadata, causation_id=None)
        return attempt

    def _attempt(self, verification: Verification, login: StoredLogin | None) -> LoginAttempt:
        """Log in. Without a login the verdict is `UNREADABLE`."""
        started = self._monotonic()
        provider = verification.registry.provider
        host, verdict = verification.registry.host, UNREADABLE
        if login is not None:
            host, verdict = log_in_everywhere(verification, partial(self._try, verification, login))
        attempt = LoginAttempt(
            verification=verification,
            verdict=verdict,
            host=host,
            checked_at=self._now(),
            seconds=self._monotonic() - started,
            expires_at=earliest_expiry(
                None if login is None else token_expiry(login), verdict.secret_expires_at
            ),
        )
        VERIFICATIONS.labels(provider, attempt.outcome).inc()
        VERIFICATION_SECONDS.labels(provider).observe(attempt.seconds)
        return attempt

    def _try(self, verification: Verification, login: StoredLogin, host: str) -> Verdict:
        provider, image = provider_at(verification.registry.provider, host), verification.image
        probed = image is not None and host == image.registry_host
        with start_span("login", "client", attributes={"regcred.provider": provider, "server.address": host}):
            return self._log_in(
                registry_host=host,
                api_host=api_host(host),
                login=login,
                provider=provider,
                probe=Probe(image=image, push=verification.push) if image and probed else None,
            )

    def _stored_login(self, verification: Verification) -> StoredLogin:
        path = SecretPath(verification.account_id, verification.credential_id)
        return read_secret(self._secrets, path, verification.secret_version, read_stored_login)

    def _is_current(self, verification: Verification) -> bool:
        """Whether the credential exists with this version of its secret, for these hosts."""
        credential = active_credential(self._streams(credential_stream(verification.credential_id)))
        return (
            credential is not None
            and credential.secret.version == verification.secret_version
            and credential.besides.additional_hosts == verification.additional_hosts
        )

    def _has_other_hosts(self, verification: Verification) -> bool:
        if verification.rotation_id is not None:
            return False  # other hosts discard the rotation
        credential = active_credential(self._streams(credential_stream(verification.credential_id)))
        return credential is not None and credential.besides.additional_hosts != verification.additional_hosts

    def _outcome_exists(self, verification: Verification) -> bool:
        return self._store.event(outcome_event_id(verification.id)) is not None

    def _record(self, attempt: LoginAttempt, cause: Metadata, *, causation_id: str | None) -> None:
        verification = attempt.verification
        metadata = Metadata(
            account_id=verification.account_id,
            actor=ACTOR,
            occurred_at=attempt.checked_at,
            request_id=cause.request_id,
            correlation_id=cause.correlation_id,
            causation_id=causation_id,
            traceparent=current_traceparent() or cause.traceparent,
        )
        outcome_id = outcome_event_id(verification.id)

        duration_ms = round(attempt.seconds * 1000)

        def payloads(history: Sequence[RecordedEvent]) -> list[object]:
            if verification.rotation_id is not None:
                tested = rotation_tested(
                    verification,
                    verification.rotation_id,
                    attempt.verdict,
                    registry_host=attempt.host,
                    checked_at=attempt.checked_at,
                    duration_ms=duration_ms,
                )
                return [tested]
            return events_of(
                verification,
                attempt.verdict,
                history,
                registry_host=attempt.host,
                checked_at=attempt.checked_at,
                duration_ms=duration_ms,
                expires_at=attempt.expires_at,
            )

        def new_events(history: Sequence[RecordedEvent]) -> list[NewEvent]:
            outcome, *more = payloads(history)
            events = [NewEvent(event_id=outcome_id, payload=outcome, metadata=metadata)]
            return events + [
                NewEvent(event_id=self._new_id(), payload=event, metadata=metadata) for event in more
            ]

        stream = verification_stream(verification.credential_id)
        record_once(self._store, stream, f"verification:{verification.id}", new_events)
