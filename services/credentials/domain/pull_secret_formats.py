"""How a pull secret is written down: as a Docker configuration, as a Kubernetes Secret, or plainly. Pure.

The keys under `auths` are those that clients look for. Where one credential of a host is given out, its key
is the host (`https://index.docker.io/v1/` for Docker Hub), which every client finds. Where several of one
host are given out, for different repositories, the keys are the repositories (`ghcr.io/acme/shop`), so that
each image finds its own first: Kubernetes, which compares keys as plain text, and Podman, Buildah and Skopeo
(containers-auth.json(5)) look for the longest. The Docker CLI knows hosts only, and cannot use such a file.
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
    """A credential that is given out, with its secret; `expires_at` of a login that was made for it."""

    grant: Grant
    login: RegistryLogin
    expires_at: datetime | None = None


def auth_keys(grants: Sequence[Grant]) -> dict[UUID, tuple[str, ...]]:
    """Under which keys each credential stands in a Docker configuration."""
    per_host = Counter(grant.candidate.registry_host for grant in grants)
    return {
        grant.candidate.credential_id: _keys(grant, alone=per_host[grant.candidate.registry_host] == 1)
        for grant in grants
    }


def _keys(grant: Grant, *, alone: bool) -> tuple[str, ...]:
    host = grant.candidate.registry_host
    if alone:
        return (config_key(host),)
    return tuple(dict.fromkeys(f"{host}/{image.repository}" for image in grant.images))


def docker_config(issued: Sequence[Issued]) -> dict[str, Any]:
    """A Docker `config.json`. It holds the secrets in clear: pass it straight on."""
    keys = auth_keys([one.grant for one in issued])
    return {
        "auths": {key: _entry(one.login) for one in issued for key in keys[one.grant.candidate.credential_id]}
    }


def kubernetes_secret(
    issued: Sequence[Issued], *, account_id: str, project_id: str, workload: Workload
) -> dict[str, Any]:
    """A Secret to be applied as it is. Its name follows from whom it is for: the next one replaces it.

    Kubernetes itself passes over identity tokens; tools that read the Secret as a file do not.
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
    """Username and password.

    Raises:
        ValueError: the login is an identity token, which is no password.
    """
    if login.password is None:
        raise ValueError("an identity token is no password")
    return {"username": login.username, "password": login.password.reveal()}


def _entry(login: RegistryLogin) -> Mapping[str, str]:
    """Both forms, since some clients read only one of them (`docs/reference/docker-config.md`, "Fields")."""
    if login.identity_token is not None:
        # containers/image takes an identity token only beside an `auth` that it can read.
        return {"auth": _base64(f"{login.username}:"), "identitytoken": login.identity_token.reveal()}
    plain = basic(login)
    return {**plain, "auth": _base64(f"{plain['username']}:{plain['password']}")}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _secret_name(account_id: str, project_id: str, workload: Workload) -> str:
    """A DNS label: for people the workload's name, and for uniqueness a hash of all that it is for."""
    whole = json.dumps([account_id, project_id, workload.kind, workload.name]).encode()
    digits = hashlib.sha256(whole).hexdigest()[:_HASH_DIGITS]
    slug = _NOT_IN_NAMES.sub("-", workload.name.lower())[:_MAX_SLUG].strip("-")
    return "-".join(part for part in ("regcred", slug, digits) if part)


def _label(platform_id: str) -> str:
    return platform_id.rstrip("-")  # a label's value ends in a letter or digit
