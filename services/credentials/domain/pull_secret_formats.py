"""The formats of a pull secret: Docker configuration, Kubernetes Secret, username and password. Pure.

The keys under `auths` are those that clients look up. If one credential of a host is issued, its key is the
host (`https://index.docker.io/v1/` for Docker Hub), which every client finds. If several credentials of one
host are issued:

- The credential without repository prefixes has the key of the host. Clients that look up hosts only, such as
  Docker, always find this one.
- Each other credential has the repositories of its images as keys (`ghcr.io/acme/shop`). Clients that look up
  repositories try them before the host. Kubernetes compares keys as plain text, so an image of the first
  credential also has a key of its own if its name begins with one of these keys.

Docker Hub has several names. `https://index.docker.io/v1/` is its key for hosts. Podman and the kubelet look
repositories up as `docker.io/acme/shop`, go-containerregistry as `index.docker.io/acme/shop`.

A client looks up an image as its user writes it. If the request writes a host in another spelling
(`reg.io:443`, `registry.hub.docker.com`), the same keys are added in that spelling.
Sources: `docs/reference/docker-config.md`, "Keys"; `docs/integrations.md`, "Pull secrets".
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.issuance_events import Workload
from credentials.domain.issuance import Grant, host_grants
from registries.hosts import DOCKER_HUB, DOCKER_HUB_OLD_NAME, config_key
from registries.logins.registry_login import RegistryLogin

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_MAX_SLUG = 40
_HASH_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An issued credential with its login. `expires_at` is that of a login that a cloud created."""

    grant: Grant
    login: RegistryLogin
    expires_at: datetime | None = None


def auth_keys(grants: Sequence[Grant]) -> list[tuple[str, ...]]:
    """Return the keys of each grant in a Docker configuration, in their order."""
    of_host = host_grants(grants)
    of_repositories = [grant for grant in grants if of_host[grant.registry_host] is not grant]
    repositories = tuple(name for grant in of_repositories for name in _names(grant))
    keys = []
    for grant in grants:
        found = _names(grant)
        if grant not in of_repositories:
            hidden = (name for name in found if name.startswith(repositories))
            found = (*_hosts(grant.registry_host, grants), *hidden)
        keys.append(tuple(dict.fromkeys(found)))
    return keys


def _hosts(host: str, grants: Sequence[Grant]) -> tuple[str, ...]:
    """Return the keys of a whole host, in every spelling of the request."""
    of_host = [grant for grant in grants if grant.registry_host == host]
    # Beside repositories, docker-py takes the first key of the file for Docker Hub, unless this one exists.
    hub = (DOCKER_HUB,) if host == DOCKER_HUB and len(of_host) > 1 else ()
    as_written = (name.partition("/")[0] for grant in of_host for name in grant.as_written)
    return (config_key(host), *hub, *as_written)


def _names(grant: Grant) -> tuple[str, ...]:
    """Return the repositories of the images, under every name by which clients look them up."""
    host = grant.registry_host
    hosts = (DOCKER_HUB, DOCKER_HUB_OLD_NAME) if host == DOCKER_HUB else (host,)
    canonical = (f"{name}/{image.repository}" for image in grant.images for name in hosts)
    return (*canonical, *grant.as_written)


def docker_config(issued: Sequence[Issued]) -> dict[str, Any]:
    """Return a Docker `config.json`. It contains the secrets in plain text: do not store it."""
    keys = auth_keys([one.grant for one in issued])
    return {
        "auths": {
            key: _entry(one.login) for one, of_grant in zip(issued, keys, strict=True) for key in of_grant
        }
    }


def kubernetes_secret(
    issued: Sequence[Issued], *, account_id: str, project_id: str, workload: Workload
) -> dict[str, Any]:
    """Return a Secret to apply unchanged.

    Its name is derived from the account, project and workload, so that the next one replaces it. Kubernetes
    ignores identity tokens; tools that read the Secret as a file use them.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {
            "name": _secret_name(account_id, project_id, workload),
            "labels": {
                "app.kubernetes.io/managed-by": "regcred",
                "regcred/account": _label(account_id),
                "regcred/project": _label(project_id),
            },
            "annotations": {"regcred/workload": f"{workload.kind}/{workload.name}"},
        },
        "data": {".dockerconfigjson": _base64(json.dumps(docker_config(issued), separators=(",", ":")))},
    }


def basic(login: RegistryLogin) -> dict[str, str]:
    """Return username and password.

    Raises:
        ValueError: the login is an identity token and has no password.
    """
    if login.password is None:
        raise ValueError("an identity token has no password")
    return {"username": login.username, "password": login.password.reveal()}


def _entry(login: RegistryLogin) -> Mapping[str, str]:
    """Return both forms: some clients read only one of them (`docs/reference/docker-config.md`, "Fields")."""
    if login.identity_token is not None:
        # containers/image accepts an identity token only together with a valid `auth`.
        return {"auth": _base64(f"{login.username}:"), "identitytoken": login.identity_token.reveal()}
    plain = basic(login)
    return {**plain, "auth": _base64(f"{plain['username']}:{plain['password']}")}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _secret_name(account_id: str, project_id: str, workload: Workload) -> str:
    """Return a DNS label: the name of the workload for readers, and a hash for uniqueness."""
    identity = json.dumps([account_id, project_id, workload.kind, workload.name]).encode()
    digits = hashlib.sha256(identity).hexdigest()[:_HASH_DIGITS]
    slug = _NOT_IN_NAMES.sub("-", workload.name.lower())[:_MAX_SLUG].strip("-")
    return "-".join(part for part in ("regcred", slug, digits) if part)


def _label(platform_id: str) -> str:
    return platform_id.rstrip("-")  # a label's value ends in a letter or digit
