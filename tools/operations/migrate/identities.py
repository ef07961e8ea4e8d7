"""Who is who in a deployment: the database logins, the broker's users and the Unix users, as one table."""

from collections.abc import Mapping
from dataclasses import dataclass

from operations.migrate.owned_files import Owner

DATABASE_OWNER = "regcred-owner"  # owns the schema; no superuser

OURS = Owner(10001, 10001)  # of every image of ours (Dockerfile)


@dataclass(frozen=True, slots=True)
class Identity:
    """A service: its database login with the group role it is a member of, and its broker user."""

    login: str
    role: str | None
    broker_user: str | None
    vault: bool


# By the name of the service in docker-compose.yml; `verifier` and `registries` are one image and identity.
IDENTITIES: Mapping[str, Identity] = {
    "migrate": Identity(DATABASE_OWNER, None, "regcred-deploy", vault=False),
    "credentials": Identity("regcred-credentials", "regcred_credentials", None, vault=True),
    "relay": Identity("regcred-relay", "regcred_relay", "regcred-relay", vault=True),
    "verifier": Identity("regcred-verifier", "regcred_verifier", "regcred-verifier", vault=True),
    "projector": Identity("regcred-projector", "regcred_projector", "regcred-projector", vault=False),
    "queries": Identity("regcred-query", "regcred_query", None, vault=False),
}
GROUP_ROLES = tuple(identity.role for identity in IDENTITIES.values() if identity.role)
