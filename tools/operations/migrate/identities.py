"""The identities of the services in a deployment: database logins, broker users and Unix users."""

from collections.abc import Mapping
from dataclasses import dataclass

from operations.migrate.owned_files import Owner

DATABASE_OWNER = "regcred-owner"  # owns the schema; not a superuser

OURS = Owner(10001, 10001)  # the user of every regcred image (Dockerfile)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a service: its database login with the role of that login, and its broker user."""

    login: str
    role: str | None
    broker_user: str | None
    vault: bool


# Keys are the names of the services in docker-compose.yml. `verifier` and `registries` share one identity.
IDENTITIES: Mapping[str, Identity] = {
    "migrate": Identity(DATABASE_OWNER, None, "regcred-deploy", vault=False),
    "credentials": Identity("regcred-credentials", "regcred_credentials", None, vault=True),
    "relay": Identity("regcred-relay", "regcred_relay", "regcred-relay", vault=True),
    "verifier": Identity("regcred-verifier", "regcred_verifier", "regcred-verifier", vault=True),
    "projector": Identity("regcred-projector", "regcred_projector", "regcred-projector", vault=False),
    "queries": Identity("regcred-query", "regcred_query", None, vault=False),
}
GROUP_ROLES = tuple(identity.role for identity in IDENTITIES.values() if identity.role)
