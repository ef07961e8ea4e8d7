"""Select the credentials of the mirrors of an image's registry. Pure.

A mirror (pull-through cache) serves the images of a registry below the same repositories, at its own host.
Clients that know the mirror look its login up by its host: containers-registries.conf(5), "mirror". So each
mirror has a selection of its own, beside that of the registry, by the same rules.
"""

from collections.abc import Iterable

from registries.image_reference import ImageReference
from registries.matching import Candidate, RequestedUse, Selection, match
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository


def mirror_selections(
    image: ImageReference | WholeRepository | WholeRegistry,
    candidates: Iterable[Candidate],
    use: RequestedUse,
) -> dict[str, Selection]:
    """Return the selection for each host that is a mirror of the image's registry, in the order of the hosts.

    A request for a whole repository or registry has none: its response is for one host.
    """
    if not isinstance(image, ImageReference):
        return {}
    mirrors = [one for one in candidates if image.registry_host in one.mirror_of]
    found: dict[str, Selection] = {}
    for host in sorted({host for one in mirrors for host in one.hosts}):
        at_mirror = WholeRepository(registry_host=host, repository=image.repository)
        if selection := match(at_mirror, mirrors, use).selection:
            found[host] = selection
    return found
