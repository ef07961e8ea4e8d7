"""The formats of a pull secret: Docker configuration, Kubernetes Secret, username and password. Pure.

The keys under `auths` are those that clients look for. If one credential of a host is issued, its key is the
host (`https://index.docker.io/v1/` for Docker Hub), which every client finds. If several credentials of a
host are issued for different repositories, the keys are the repositories (`ghcr.io/acme/shop`), so that each
image matches its own key first. Kubernetes, which compares keys as plain text, and Podman, Buildah and Skopeo
(containers-auth.json(5)) use the longest match. The Docker CLI knows only hosts and cannot use such a file.
Sources: `docs/reference/docker-config.md`, "Keys"; `docs/reference/image-references.md`, "Matching".
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.issuance_events import Workload
from credentials.domain.issuance import Grant
from registries.hosts import config_key
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


def auth_keys(grants: Sequence[Grant]) -> dict[UUID, tuple[str, ...]]:
    """Return the keys of each credential in a Docker configuration."""
    per_host = Counter(grant.candidate.registry_host for grant in grants)
    return {
        grant.candidate.credential_id: _keys(grant, only_of_host=per_host[grant.candidate.registry_host] == 1)
        for grant in grants
    }


def _keys(grant: Grant, *, only_of_host: bool) -> tuple[str, ...]:
    host = grant.candidate.registry_host
    if only_of_host:
        return (config_key(host),)
    return tuple(dict.fromkeys(f"{host}/{image.repository}" for image in grant.images))


def docker_config(issued: Sequence[Issued]) -> dict[str, Any]:
    """Return a Docker `config.json`. It contains the secrets in plain text: do not store it."""
    keys = auth_keys([one.grant for one in issued])
    return {
        "auths": {key: _entry(one.login) for one in issued for key in keys[one.grant.candidate.credential_id]}
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
