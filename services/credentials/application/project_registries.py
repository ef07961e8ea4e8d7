"""The registries for which a project gets a login, as clients that know hosts only request it.

The result is the decision of a pull secret for a whole registry, made for each registry. Nothing is issued.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.credential import Active, fold
from credentials.application.store import CredentialStore
from registries.matching import RequestedUse, Selection, match
from registries.whole_registry import WholeRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRegistry:
    """A registry, and the credential that is issued for it. `username` is that of its owner's input."""

    registry_host: str
    selection: Selection
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPage:
    """Registries in the order of their hosts. `next_host`: more may follow this host; `None`: no more do."""

    registries: tuple[ProjectRegistry, ...]
    next_host: str | None


def project_registries(
    store: CredentialStore, account_id: str, use: RequestedUse, *, after: str, limit: int
) -> RegistryPage:
    """Decide for the next `limit` registries after the host `after`. Raises `StateDamaged`."""
    hosts = store.registry_hosts(account_id, after=after, limit=limit + 1)
    wanted, more = hosts[:limit], len(hosts) > limit
    found = tuple(_decided(store, account_id, wanted, use))
    return RegistryPage(registries=found, next_host=wanted[-1] if more else None)


def _decided(
    store: CredentialStore, account_id: str, hosts: list[str], use: RequestedUse
) -> Iterator[ProjectRegistry]:
    candidates = store.candidates(account_id, hosts)
    for host in hosts:
        selection = match(WholeRegistry(registry_host=host), candidates, use).selection
        if selection is None:
            continue
        current = fold(event.payload for event in store.load(selection.candidate.credential_id))
        if isinstance(current, Active):  # otherwise it was removed since the decision
            yield ProjectRegistry(registry_host=host, selection=selection, username=current.username)
