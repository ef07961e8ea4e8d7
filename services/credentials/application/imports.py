"""A Docker configuration taken over: each entry that holds a login becomes a credential, by its own append.

An entry is a duplicate where the account keeps a credential for the same registry, username and
repositories. If that one has another secret, nothing is done either: to replace a secret is for its owner to
decide.

Each entry is done whole or not at all. If secret store or database go away before anything was created, the
request fails; later, the entries that are left are `failed`. Either way the import can be repeated: what was
created is found as a duplicate, or under the same Idempotency-Key answered as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal
from uuid import UUID

from chassis.invalid_input import InvalidInput
from chassis.runtime.unavailable import Unavailable
from chassis.secret import Secret
from contracts.credential import Active, fold
from contracts.credential_events import Details, Restrictions, Scope
from credentials.application.command_handler import CommandRequest, CommandResult
from credentials.application.credentials import Credentials
from credentials.application.store import CredentialStore
from credentials.domain.errors import NameTaken
from credentials.domain.imported_names import names_for
from registries.input.docker_config import ConfigEntry, EntryProblem
from registries.input.new_secret import NewSecret, secret_of_entry

ImportStatus = Literal["created", "duplicate", "unsupported", "invalid", "failed"]

_OF_PROBLEM: dict[EntryProblem, ImportStatus] = {
    "unsupported": "unsupported",
    "invalid": "invalid",
    "repeated": "duplicate",
}
_AWAY = "secret store or database cannot be reached now; repeat the import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is to be imported; `name_prefix` has been parsed. A `dry_run` changes nothing."""

    entries: Sequence[ConfigEntry]
    scope: Scope
    restrictions: Restrictions
    name_prefix: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What became of an entry. `credential_id` and `name` are those of the credential that was created, or is
    kept already; `version` is the former's.
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
    """A credential of the account, as an entry is compared with it."""

    credential_id: UUID | None
    name: str
    username: str
    repositories: frozenset[str]
    fingerprint: str


class Importer:
    """Raises `EventStoreError` and `SecretStoreUnavailable` where nothing was created."""

    def __init__(
        self, credentials: Credentials, store: CredentialStore, *, fingerprint: Callable[[Secret], str]
    ) -> None:
        self._credentials = credentials
        self._store = store
        self._fingerprint = fingerprint

    def run(self, request: CommandRequest, wanted: Import) -> list[ImportResult]:
        """One result for each entry, in their order."""
        requests = [_of_entry(request, place) for place in range(len(wanted.entries))]
        # All of them are asked before anything is created: under the key of another import, nothing is.
        answers = [None if wanted.dry_run else self._credentials.replay(one) for one in requests]
        run = _Run(self._credentials, self._store, self._fingerprint, wanted)
        results: list[ImportResult] = []
        away = False
        for entry, one, answer in zip(wanted.entries, requests, answers, strict=True):
            if answer is not None:
                results.append(_created(entry, answer))
                continue
            try:
                lost = away and entry.problem is None
                results.append(_result(entry, "failed", _AWAY) if lost else run.entry(one, entry))
            except Unavailable:
                if not any(result.status == "created" for result in results):
                    raise
                away = True
                results.append(_result(entry, "failed", _AWAY))
        return results


class _Run:
    """One import under way: it remembers what is kept, and which names it has given."""

    def __init__(
        self,
        credentials: Credentials,
        store: CredentialStore,
        fingerprint: Callable[[Secret], str],
        wanted: Import,
    ) -> None:
        self._credentials = credentials
        self._store = store
        self._fingerprint = fingerprint
        self._wanted = wanted
        self._kept: dict[str, list[_StoredLogin]] = {}
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
            fingerprint=self._fingerprint(secret.login.to_secret()),
        )
        alike = self._alike(request.account_id, secret.registry.host, new)
        if alike is not None:
            return _duplicate(entry, alike, same=alike.fingerprint == new.fingerprint)
        if self._wanted.dry_run:
            name = self._free_name(request.account_id, secret)
            return replace(_result(entry, "created", None), name=name)
        return _created(entry, self._add(request, secret))

    def _alike(self, account_id: str, host: str, new: _StoredLogin) -> _StoredLogin | None:
        """The credential for the same user and repositories; one with the same secret rather than another."""
        if host not in self._kept:
            self._kept[host] = self._load(account_id, host)
        alike = [
            kept
            for kept in self._kept[host]
            if (kept.username, kept.repositories) == (new.username, new.repositories)
        ]
        same = [kept for kept in alike if kept.fingerprint == new.fingerprint]
        return next(iter(same or alike), None)

    def _load(self, account_id: str, host: str) -> list[_StoredLogin]:
        loaded = []
        for candidate in self._store.candidates(account_id, [host]):
            state = fold(event.payload for event in self._store.load(candidate.credential_id))
            if isinstance(state, Active):
                kept = _StoredLogin(
                    credential_id=candidate.credential_id,
                    name=state.details.name,
                    username=state.username,
                    repositories=_repositories(state.details.repository_prefixes),
                    fingerprint=state.secret.fingerprint,
                )
                loaded.append(kept)
        return loaded

    def _add(self, request: CommandRequest, secret: NewSecret) -> CommandResult:
        while True:
            details = Details(
                name=self._free_name(request.account_id, secret),
                description="",
                scope=self._wanted.scope,
                repository_prefixes=(secret.path_prefix,) if secret.path_prefix else (),
                expires_at=None,
            )
            try:
                return self._credentials.add(request, secret, details, self._wanted.restrictions)
            except NameTaken:
                continue  # by somebody else, a moment ago; the next one is tried

    def _free_name(self, account_id: str, secret: NewSecret) -> str:
        """A name that no credential has, and that this import gives to no other."""
        for name in names_for(secret.registry.host, self._wanted.name_prefix):
            if name not in self._names:
                self._names.add(name)
                if not self._store.name_taken(account_id, name):
                    return name
        raise AssertionError("names have no end")


def _of_entry(request: CommandRequest, place: int) -> CommandRequest:
    """The request for one entry: its key follows from the import's, which may be 255 long already."""
    if request.key is None:
        return request
    key = f"import:{sha256(request.key.key.encode()).hexdigest()}:{place}"
    return replace(request, key=replace(request.key, key=key))


def _repositories(prefixes: Sequence[str]) -> frozenset[str]:
    return frozenset(prefix.rstrip("/") for prefix in prefixes if prefix)


def _result(entry: ConfigEntry, status: ImportStatus, reason: str | None) -> ImportResult:
    return ImportResult(key=entry.key, registry_host=entry.host, status=status, reason=reason)


def _created(entry: ConfigEntry, answer: CommandResult) -> ImportResult:
    return replace(
        _result(entry, "created", None),
        credential_id=answer.credential_id,
        name=answer.body["name"],
        version=answer.version,
    )


def _duplicate(entry: ConfigEntry, kept: _StoredLogin, *, same: bool) -> ImportResult:
    if same:
        reason = f"{kept.name} is the same login"
    else:
        reason = f"{kept.name} is for the same user, with another secret: rotate it to replace that"
    return replace(_result(entry, "duplicate", reason), credential_id=kept.credential_id, name=kept.name)
