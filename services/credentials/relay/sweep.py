"""Find and destroy what nothing refers to: versions of failed appends, replaced versions, whole paths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from secretstore.store import SecretPath, SecretStore, StoredVersion

IsReferenced = Callable[[SecretPath, int], bool]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How many versions were destroyed, and how many paths removed."""

    destroyed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is to go of one path: everything, or some versions, or nothing."""

    whole_path: bool
    versions: tuple[int, ...]


def leftovers(
    versions: Sequence[StoredVersion], referenced: Callable[[int], bool], *, now: datetime, grace: timedelta
) -> Leftovers:
    """What of a path is older than `grace` and nothing refers to, as `referenced` says."""
    if any(now - version.created_at < grace for version in versions):
        return Leftovers(whole_path=False, versions=())  # its command may still be running
    kept = {version.version for version in versions if referenced(version.version)}
    if versions and not kept:
        return Leftovers(whole_path=True, versions=())
    gone = (version.version for version in versions if version.version not in kept and not version.destroyed)
    return Leftovers(whole_path=False, versions=tuple(gone))


def sweep(store: SecretStore, is_referenced: IsReferenced, *, now: datetime, grace: timedelta) -> SweepResult:
    """Go through every path of the store. Raises `SecretStoreError`; what was destroyed till then is."""
    destroyed = removed = 0
    for path in store.paths():

        def referenced(version: int, path: SecretPath = path) -> bool:
            return is_referenced(path, version)

        found = leftovers(store.versions(path), referenced, now=now, grace=grace)
        if found.whole_path:
            store.remove(path)
            removed += 1
        elif found.versions:
            store.destroy(path, found.versions)
            destroyed += len(found.versions)
    return SweepResult(destroyed, removed)
