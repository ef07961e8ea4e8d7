"""Find and destroy unreferenced secrets: versions of failed appends, replaced versions, complete paths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from secretstore.store import SecretPath, SecretStore, StoredVersion

IsReferenced = Callable[[SecretPath, int], bool]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The number of destroyed versions and of removed paths."""

    destroyed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The unreferenced secrets of one path: the complete path, some versions, or none."""

    whole_path: bool
    versions: tuple[int, ...]


def leftovers(
    versions: Sequence[StoredVersion], referenced: Callable[[int], bool], *, now: datetime, grace: timedelta
) -> Leftovers:
    """Return the versions of a path that are older than `grace` and not `referenced`."""
    if any(now - version.created_at < grace for version in versions):
        return Leftovers(whole_path=False, versions=())  # its command may still be running
    needed = {version.version for version in versions if referenced(version.version)}
    if versions and not needed:
        return Leftovers(whole_path=True, versions=())
    unneeded = (
        version.version for version in versions if version.version not in needed and not version.destroyed
    )
    return Leftovers(whole_path=False, versions=tuple(unneeded))


def sweep(store: SecretStore, is_referenced: IsReferenced, *, now: datetime, grace: timedelta) -> SweepResult:
    """Sweep every path of the store. Raises `SecretStoreError`; secrets may have been destroyed before it."""
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
