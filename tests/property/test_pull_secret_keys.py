"""Clients that look up an image in an issued configuration find its own credential first.

Kubernetes: `pkg/credentialprovider` tries every key whose host is equal and whose path is a plain prefix, in reverse
order of the keys; Docker Hub's key is the last resort. containers-auth.json(5): the repository, then one segment less
at a time, then the host. Both: `docs/reference/image-references.md`, "Matching".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chassis.secret import Secret
from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import Workload
from contracts.verdicts import VerificationStatus
from credentials.domain.issuance import PullSecretRequest, plan
from credentials.domain.pull_secret_formats import Issued, auth_keys, docker_config
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.matching import Candidate, RequestedUse

NOW = datetime(2026, 1, 2, tzinfo=UTC)
USE = RequestedUse(project_id="shop", operation="pull", at=NOW)
HUB = "https://index.docker.io/v1/"
HOSTS = st.sampled_from(["docker.io", "reg.io", "reg.io:5000"])
PATHS = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3).map("/".join)
IMAGES = st.builds(lambda host, path: ImageReference.parse(f"{host}/{path}"), HOSTS, PATHS)


def candidate(number: int, host: str, prefixes: list[str]) -> Candidate:
    return Candidate(
        credential_id=UUID(int=number),
        version=1,
        name=f"c-{number}",
        registry_host=host,
        repository_prefixes=tuple(prefixes),
        scope=Scope(pull=True, push=False),
        restrictions=Restrictions(restricted=False, projects=()),
        secret_version=1,
        expires_at=None,
        verification=VerificationStatus.VERIFIED,
        added_at=NOW,
    )


CANDIDATES = st.lists(st.tuples(HOSTS, st.lists(PATHS, max_size=2)), max_size=6).map(
    lambda rows: [candidate(number, host, prefixes) for number, (host, prefixes) in enumerate(rows)]
)


def tried_by_kubernetes(auths: Mapping[str, Any], image: ImageReference) -> list[str]:
    found = []
    for key in sorted(auths, reverse=True):
        host, _, path = key.removeprefix("https://").partition("/")
        path = path.removeprefix("v1/")
        if host == image.registry_host and image.repository.startswith(path):
            found.append(key)
    if not found and image.registry_host == "docker.io" and HUB in auths:
        found.append(HUB)
    return [auths[key]["username"] for key in found]


def found_by_containers_auth(auths: Mapping[str, Any], image: ImageReference) -> str | None:
    segments = f"{image.registry_host}/{image.repository}".split("/")
    for length in range(len(segments), 0, -1):
        entry = auths.get("/".join(segments[:length]))
        if entry:
            return str(entry["username"])
    return str(auths[HUB]["username"]) if image.registry_host == "docker.io" and HUB in auths else None


@given(st.lists(IMAGES, min_size=1, max_size=5), CANDIDATES)
def test_clients_find_the_credential_of_each_image_first(
    images: list[ImageReference], candidates: list[Candidate]
) -> None:
    wanted = PullSecretRequest(
        images=tuple(images),
        project_id="shop",
        workload=Workload(kind="job", name="x"),
        format="docker_config",
        allow_anonymous=True,
    )
    found = plan(wanted, candidates, USE)
    issued = [
        Issued(grant=grant, login=RegistryLogin(username=grant.candidate.name, password=Secret("a-password")))
        for grant in found.grants
    ]
    auths = docker_config(issued)["auths"]
    assert sum(len(keys) for keys in auth_keys(found.grants)) == len(auths)
    for grant in found.grants:
        for image in grant.images:
            assert isinstance(image, ImageReference)
            assert tried_by_kubernetes(auths, image)[:1] == [grant.candidate.name]
            assert found_by_containers_auth(auths, image) == grant.candidate.name
    for refusal in found.anonymous:
        assert isinstance(refusal.image, ImageReference)
        assert tried_by_kubernetes(auths, refusal.image) == []
        assert found_by_containers_auth(auths, refusal.image) is None
