"""Import a Docker configuration: each entry with a login becomes a credential, in an append of its own.

An entry is a duplicate if the account has a credential for the same registry, username and repositories, also
if that has another secret: only its owner decides to replace a secret.

Each entry is imported completely or not at all. If the secret store or the database becomes unavailable
before anything was created, the request fails. Later, the remaining entries are `failed`. Either way the
import can be repeated: a credential that was created is then a duplicate, or under the same Idempotency-Key
created as before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal
from uuid import UUID

from chassis.invalid_input import InvalidInput
from chassis.runtime.unavailable import Unavailable
from contracts.credential import Active, fold
from contracts.credential_events import Details, Restrictions, Scope
from credentials.application.command_handler import CommandRequest, CommandResult
from credentials.application.credentials import Credentials
from credentials.application.store import CredentialStore
from credentials.domain.errors import NameTaken, TooManyCredentials
from credentials.domain.imported_names import names_for
from registries.input.config_entry import ConfigEntry, EntryProblem
from registries.input.new_secret import NewSecret, secret_of_entry

ImportStatus = Literal["created", "duplicate", "unsupported", "invalid", "failed"]

_OF_PROBLEM: dict[EntryProblem, ImportStatus] = {
    "unsupported": "unsupported",
    "invalid": "invalid",
    "repeated": "duplicate",
}
_UNAVAILABLE = "the secret store or the database cannot be reached now; repeat the import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """The entries to import, and the scope, restrictions and names of their credentials.

    `name_prefix` was parsed. A `dry_run` changes nothing.
    """

    entries: Sequence[ConfigEntry]
    scope: Scope
    restrictions: Restrictions
    name_prefix: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The result of an entry.

    `credential_id` and `name` belong to the credential that was created or existed before. `version` is that
    of the stream of a created one.
    """

    key: str
    registry_host: str | None
    status: ImportStatus
    credential_id: UUID | None = None
    name: str | None = None
    reason: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredLogin:
    """The login of a credential, as entries are compared with it."""

    credential_id: UUID | None
    name: str
    username: str
    repositories: frozenset[str]


class Importer:
    """Imports entries. Raises `EventStoreError` and `SecretStoreUnavailable` if nothing was created."""

    def __init__(self, credentials: Credentials, store: CredentialStore) -> None:
        self._credentials = credentials
        self._store = store

    def run(self, request: CommandRequest, wanted: Import) -> list[ImportResult]:
        """Return one result for each entry, in their order."""
        requests = [_of_entry(request, index) for index in range(len(wanted.entries))]
        # All replays are read before anything is created: under the key of another import nothing is created.
        replays = [None if wanted.dry_run else self._credentials.replay(one) for one in requests]
        run = _Run(self._credentials, self._store, wanted)
        results: list[ImportResult] = []
        unavailable = False
        for entry, one, replayed in zip(wanted.entries, requests, replays, strict=True):
            if replayed is not None:
                results.append(_created(entry, replayed))
                continue
            try:
                skipped = unavailable and entry.problem is None
                results.append(_result(entry, "failed", _UNAVAILABLE) if skipped else run.entry(one, entry))
            except TooManyCredentials as error:
                results.append(_result(entry, "failed", f"the account may have {error.limit} credentials"))
            except Unavailable:
                if not any(result.status == "created" for result in results):
                    raise
                unavailable = True
                results.append(_result(entry, "failed", _UNAVAILABLE))
        return results


class _Run:
    """One import. It caches the stored logins by credential, and the names that it has used."""

    def __init__(
        self,
        credentials: Credentials,
        store: CredentialStore,
        wanted: Import,
    ) -> None:
        self._credentials = credentials
        self._store = store
        self._wanted = wanted
        self._loaded: dict[UUID, _StoredLogin | None] = {}
        self._names: set[str] = set()

    def entry(self, request: CommandRequest, entry: ConfigEntry) -> ImportResult:
        if entry.problem is not None:
            return _result(entry, _OF_PROBLEM[entry.problem], entry.reason)
        try:
            secret = secret_of_entry(entry)
        except InvalidInput as error:
            return _result(entry, "invalid", error.problems[0].detail)
        new = _StoredLogin(
            credential_id=None,
            name="",
            username=secret.login.username,
            repositories=_repositories([secret.path_prefix or ""]),
        )
        while True:
            # The name is chosen before the stored logins are read. A concurrent import of the same login has
            # then stored it, and it is found here, or it takes the same name, and this attempt is refused.
            name = self._free_name(request.account_id, secret)
            alike = self._alike(request.account_id, secret.registry.host, new)
            if alike is not None:
                if replayed := self._credentials.replay(request):  # a concurrent repetition has stored it
                    return _created(entry, replayed)
                return _duplicate(entry, alike)
            self._names.add(name)
            if self._wanted.dry_run:
                return replace(_result(entry, "created", None), name=name)
            try:
                return _created(entry, self._add(request, secret, name))
            except NameTaken:
                continue  # another request has just taken the name

    def _alike(self, account_id: str, host: str, new: _StoredLogin) -> _StoredLogin | None:
        """Return a credential for the same username and repositories.

        Secrets are not compared: a caller could otherwise guess the secret of a stored credential.
        """
        return next(
            (
                stored
                for stored in self._stored_logins(account_id, host)
                if (stored.username, stored.repositories) == (new.username, new.repositories)
            ),
            None,
        )

    def _stored_logins(self, account_id: str, host: str) -> Iterator[_StoredLogin]:
        """Yield the logins that the account has now. Each credential is loaded once in an import."""
        for candidate in self._store.candidates(account_id, [host]):
            credential_id = candidate.credential_id
            if credential_id not in self._loaded:
                self._loaded[credential_id] = self._load(credential_id)
            if stored := self._loaded[credential_id]:
                yield stored

    def _load(self, credential_id: UUID) -> _StoredLogin | None:
        state = fold(event.payload for event in self._store.load(credential_id))
        if not isinstance(state, Active):
            return None
        return _StoredLogin(
            credential_id=credential_id,
            name=state.details.name,
            username=state.username,
            repositories=_repositories(state.details.repository_prefixes),
        )

    def _add(self, request: CommandRequest, secret: NewSecret, name: str) -> CommandResult:
        details = Details(
            name=name,
            description="",
            scope=self._wanted.scope,
            repository_prefixes=(secret.path_prefix,) if secret.path_prefix else (),
            expires_at=None,
        )
        return self._credentials.add(request, secret, details, self._wanted.restrictions)

    def _free_name(self, account_id: str, secret: NewSecret) -> str:
        """Return a name that neither a credential nor another entry of this import has."""
        for name in names_for(secret.registry.host, self._wanted.name_prefix):
            if name not in self._names and not self._store.name_taken(account_id, name):
                return name
        raise AssertionError("names_for is infinite")


def _of_entry(request: CommandRequest, index: int) -> CommandRequest:
    """Return the request for one entry. The import's key is hashed: it may have 255 characters."""
    if request.key is None:
        return request
    key = f"import:{sha256(request.key.key.encode()).hexdigest()}:{index}"
    return replace(request, key=replace(request.key, key=key))


def _repositories(prefixes: Sequence[str]) -> frozenset[str]:
    return frozenset(prefix.rstrip("/") for prefix in prefixes if prefix)


def _result(entry: ConfigEntry, status: ImportStatus, reason: str | None) -> ImportResult:
    return ImportResult(key=entry.key, registry_host=entry.host, status=status, reason=reason)


def _created(entry: ConfigEntry, result: CommandResult) -> ImportResult:
    return replace(
        _result(entry, "created", None),
        credential_id=result.credential_id,
        name=result.body["name"],
        version=result.stream_version,
    )


def _duplicate(entry: ConfigEntry, stored: _StoredLogin) -> ImportResult:
    reason = f"{stored.name} is for the same username; rotate it to replace its secret"
    return replace(_result(entry, "duplicate", reason), credential_id=stored.credential_id, name=stored.name)
