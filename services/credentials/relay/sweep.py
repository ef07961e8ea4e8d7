"""What the sweep does with a version of a secret, given what the log and earlier sweeps know of it. Pure.

A version that was replaced, and whose grace is over, is destroyed at once. A version of which the log knows
nothing may be left from a failed command. After a restore, the log may also be older than the secret store.
Such a version is therefore deleted only after a day of sightings, and destroyed a week after that. Until then
an operator can undo the deletion in Vault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from secretstore.store import StoredVersion

UNREFERENCED_FOR = timedelta(days=1)  # the time between two sightings before a deletion
SIGHTINGS_EXPIRE = timedelta(hours=6)  # without a sweep for this time, the day begins again
DELETED_FOR = timedelta(days=7)  # before it is destroyed


class Reference(Enum):
    """What the log says of a version."""

    NEEDED = auto()
    REPLACED = auto()  # and its grace is over
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Earlier sweeps that found the version unknown. `discarded_at`: when it was decided to delete it."""

    first_seen: datetime
    last_seen: datetime
    discarded_at: datetime | None


class Action(Enum):
    """What to do with a version."""

    KEEP = auto()
    CLEAR = auto()  # keep it, and delete its sighting
    SEE_FIRST = auto()  # the day begins
    SEE = auto()
    DELETE = auto()
    DESTROY = auto()


def action(
    version: StoredVersion, reference: Reference, sighting: Sighting | None, *, now: datetime
) -> Action:
    """Decide for one version. `now` and the times of the sighting are of the clock of the database."""
    if version.destroyed or reference is Reference.NEEDED:
        return Action.KEEP if sighting is None else Action.CLEAR
    if reference is Reference.REPLACED:
        return Action.DESTROY
    if sighting is None:
        return Action.SEE_FIRST
    if sighting.discarded_at is not None:
        return Action.DESTROY if now - sighting.discarded_at >= DELETED_FOR else Action.DELETE
    if now - sighting.last_seen > SIGHTINGS_EXPIRE:
        return Action.SEE_FIRST
    return Action.DELETE if now - sighting.first_seen >= UNREFERENCED_FOR else Action.SEE


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The versions of a path that the secret store deletes or destroys."""

    delete: tuple[int, ...] = ()
    destroy: tuple[int, ...] = ()


def leftovers(decided: Sequence[tuple[StoredVersion, Action]]) -> Leftovers:
    """Return what follows from the actions. A version that is deleted already is not deleted again."""
    return Leftovers(
        delete=tuple(
            version.version for version, what in decided if what is Action.DELETE and not version.deleted
        ),
        destroy=tuple(version.version for version, what in decided if what is Action.DESTROY),
    )
