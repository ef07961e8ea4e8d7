"""Release the usages of a workload or project that is gone, so that it prevents no change of a credential."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.issuance_events import Workload
from contracts.release_events import WorkloadReleased
from credentials.application.command_handler import ATTEMPTS, CommandRequest, retried
from credentials.application.issuance import StillChanging
from credentials.application.store import CredentialStore, CredentialUsage, DecidedOnOldVersion

MAX_RELEASED = 500  # usages that one request releases; each is an event


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A workload of a project that is gone; without `workload`, all workloads of the project."""

    project_id: str
    workload: Workload | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The usages that were released, or would be in a dry run.

    `release_id` and `version` are those of the stream; `None` and 0 if there was nothing to release.
    `more`: there are further usages, which another request releases.
    """

    release_id: UUID | None
    version: int
    body: Mapping[str, Any]
    replayed: bool = False


ToBody = Callable[[tuple[CredentialUsage, ...], bool], dict[str, Any]]


class Releases:
    """Releases usages. Raises `StillChanging`, and the errors of `EventStore.append`."""

    def __init__(self, store: CredentialStore, *, new_id: Callable[[], UUID]) -> None:
        self._store = store
        self._new_id = new_id

    def release(self, request: CommandRequest, gone: Gone, to_body: ToBody) -> Release:
        """Release the usages of what is gone.

        `to_body` returns the response for the usages, and whether there are more. A repetition of the request
        under its Idempotency-Key gets it again.
        """
        if request.key is not None and not request.dry_run:
            known = self._store.replay(request.account_id, request.key.key, request.key.fingerprint)
            if known is not None and known.response is not None:
                return _stored(known.response, known.version)
        try:
            return retried(
                lambda: self._once(request, gone, to_body), on=(DecidedOnOldVersion,), attempts=ATTEMPTS
            )
        except DecidedOnOldVersion:
            raise StillChanging from None

    def _once(self, request: CommandRequest, gone: Gone, to_body: ToBody) -> Release:
        found = self._store.usages_of(
            request.account_id, gone.project_id, gone.workload, most=MAX_RELEASED + 1
        )
        released = found[:MAX_RELEASED]
        body = to_body(released, len(found) > MAX_RELEASED)
        if not released or request.dry_run:
            return Release(release_id=None, version=0, body=body)
        release_id = self._new_id()
        payloads = [_event(release_id, one, gone.reason) for one in released]
        response = {"release_id": str(release_id), "body": body}
        appended = self._store.release(
            release_id,
            request.events(payloads, self._new_id),
            request=request.idempotent_request(response),
        )
        if appended.replayed and appended.response is not None:
            return _stored(appended.response, appended.version)
        return Release(release_id=release_id, version=appended.version, body=body)


def _event(release_id: UUID, released: CredentialUsage, reason: str | None) -> WorkloadReleased:
    return WorkloadReleased(
        release_id=release_id,
        credential_id=released.credential_id,
        project_id=released.usage.project_id,
        workload=released.usage.workload,
        reason=reason,
    )


def _stored(response: Mapping[str, Any], version: int) -> Release:
    return Release(
        release_id=UUID(response["release_id"]), version=version, body=response["body"], replayed=True
    )
