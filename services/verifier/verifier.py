"""One event handled: find what it asks for, log in, record how that ended, once. And the same without an
event, when the schedule says so.

The login itself is at-least-once: a crash between it and the append repeats it. The outcome of an event is
exactly-once: it is looked for before, and appended under a key that follows from the event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from chassis.observability.metrics import VERIFICATION_SECONDS, VERIFICATIONS
from chassis.observability.tracing import current_traceparent, start_span
from contracts.streams import credential_stream, verification_stream
from eventlog.events.envelope import Actor, Metadata, NewEvent, RecordedEvent, StreamId
from eventlog.storage.store import EventStore
from registries.hosts import api_host
from registries.logins.cloud_keys import StoredLogin, read_stored_login
from registries.protocol.login import Probe, Verdict
from secretstore.store import SecretDestroyed, SecretMissing, SecretPath, SecretStore
from verifier.expiry import earliest, end_of
from verifier.outcomes import events_of, worth_recording
from verifier.policy import Verification, as_it_is, verification_for
from verifier.stream_append import record_once

ACTOR = Actor(type="system", id="verifier", name="regcred verifier")
VERIFIED = "verified"


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
    """Reading of a credential's stream, which only the credentials service writes."""

    def __call__(self, stream: StreamId) -> list[RecordedEvent]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A login that was tried; `expires_at` is when its secret ends, as that itself or its provider says.
    `recorded`: in the log.
    """

    wanted: Verification
    verdict: Verdict
    checked_at: datetime
    seconds: float
    expires_at: datetime | None
    recorded: bool = True

    @property
    def outcome(self) -> str:
        """`verified`, or the verdict's code."""
        return VERIFIED if self.verdict.code is None else self.verdict.code.value


class Verifier:
    """The same event twice does no harm.

    Raises `EventStoreError` and `SecretStoreError`; then the event is to be handled again.
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

    def verify(self, wanted: Verification, cause: RecordedEvent) -> Tried | str:
        """Try what an event asks for, and record it; or why nothing was tried: `superseded`, `repeated`."""
        if self._outcome_exists(wanted):
            return "repeated"
        login = self._login(wanted, cause)
        if login is None:
            return "superseded"
        tried = self._try(wanted, login)
        self._record(tried, cause.metadata, causation_id=str(cause.event_id))
        return tried

    def verify_again(
        self, wanted: Verification, *, last_outcome: str | None, last_recorded: datetime | None
    ) -> Tried | None:
        """Try what the schedule asks for. An outcome that is as the last one is recorded once in a while.

        `None` where the credential was removed, or its secret replaced.
        """
        try:
            secret = self._secrets.get(
                SecretPath(wanted.account_id, wanted.credential_id), wanted.secret_version
            )
        except (SecretMissing, SecretDestroyed):
            return None
        tried = self._try(wanted, read_stored_login(secret))
        if not worth_recording(tried.outcome, last_outcome, last_recorded, tried.checked_at):
            return replace(tried, recorded=False)
        held = as_it_is(self._streams(credential_stream(wanted.credential_id)))
        if held is None or held.secret.version != wanted.secret_version:
            return None
        metadata = Metadata(
            account_id=wanted.account_id,
            actor=ACTOR,
            occurred_at=tried.checked_at,
            request_id=str(wanted.id),
            correlation_id=str(wanted.id),
        )
        self._record(tried, metadata, causation_id=None)
        return tried

    def _try(self, wanted: Verification, login: StoredLogin) -> Tried:
        started = self._monotonic()
        provider, host = wanted.registry.provider, wanted.registry.host
        with start_span("login", "client", attributes={"regcred.provider": provider, "server.address": host}):
            verdict = self._log_in(
                registry_host=host,
                api_host=api_host(host),
                login=login,
                provider=provider,
                probe=Probe(image=wanted.image, push=wanted.push) if wanted.image else None,
            )
        tried = Tried(
            wanted=wanted,
            verdict=verdict,
            checked_at=self._now(),
            seconds=self._monotonic() - started,
            expires_at=earliest(end_of(login), verdict.ends_at),
        )
        VERIFICATIONS.labels(provider, tried.outcome).inc()
        VERIFICATION_SECONDS.labels(provider).observe(tried.seconds)
        return tried

    def _login(self, wanted: Verification, event: RecordedEvent) -> StoredLogin | None:
        """`None` where the credential was removed, or its secret replaced, since its stream was read.

        A secret that is gone although it counts stays an error: the store may lag, or have lost it.
        """
        path = SecretPath(wanted.account_id, wanted.credential_id)
        try:
            return read_stored_login(self._secrets.get(path, wanted.secret_version))
        except (SecretMissing, SecretDestroyed):
            if verification_for(event, self._streams(event.stream)) is None:
                return None
            raise

    def _outcome_exists(self, wanted: Verification) -> bool:
        events = self._store.load(verification_stream(wanted.credential_id))
        return any(getattr(event.payload, "verification_id", None) == wanted.id for event in events)

    def _record(self, tried: Tried, cause: Metadata, *, causation_id: str | None) -> None:
        wanted = tried.wanted
        metadata = Metadata(
            account_id=wanted.account_id,
            actor=ACTOR,
            occurred_at=tried.checked_at,
            request_id=cause.request_id,
            correlation_id=cause.correlation_id,
            causation_id=causation_id,
            traceparent=current_traceparent() or cause.traceparent,
        )
        outcome_id = self._new_id()

        def events_behind(history: Sequence[RecordedEvent]) -> list[NewEvent]:
            outcome, *more = events_of(
                wanted,
                tried.verdict,
                history,
                checked_at=tried.checked_at,
                duration_ms=round(tried.seconds * 1000),
                expires_at=tried.expires_at,
            )
            events = [NewEvent(event_id=outcome_id, payload=outcome, metadata=metadata)]
            return events + [
                NewEvent(event_id=self._new_id(), payload=event, metadata=metadata) for event in more
            ]

        stream = verification_stream(wanted.credential_id)
        record_once(self._store, stream, f"verification:{wanted.id}", events_behind)
