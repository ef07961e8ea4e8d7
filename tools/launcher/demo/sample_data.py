"""The sample data of the demo: credentials of two accounts with their later changes, and pulls of workloads.

The passwords are made up. They are valid only at the registry of the demo, which has no images to pull.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis.runtime.clock import rfc3339
from chassis.secret import Secret

ACCOUNTS = ("demo-acme", "demo-globex")
MARK = "(regcred demo)"  # at the end of a description; `--remove` removes the credentials with it
FIRST_PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD = (
    "demo-first-password",
    "demo-second-password",
    "demo-wrong-password",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCredential:
    """A credential, with the changes that follow after it was added.

    `registry` is `None` for the registry of the demo. `projects` is `None` if every project may use it.
    `rotated_to`, `restricted_to`, `verified_again` and `removed_because` are applied in this order, the
    removal after the pulls.
    """

    account: str
    name: str
    provider: str
    username: str
    description: str
    registry: str | None = None
    password: str = FIRST_PASSWORD
    repository_prefixes: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    push: bool = False
    expires_in: timedelta | None = None
    rotated_to: str | None = None
    restricted_to: tuple[str, ...] | None = None
    verified_again: bool = False
    removed_because: str | None = None

    def secret(self, password: str) -> dict[str, Any]:
        """The `credential` of a request, with this password."""
        return {"kind": "username_password", "username": self.username, "password": Secret(password)}

    def login(self, address: str) -> dict[str, Any]:
        """The body of a request that tests the login. `address` is that of the registry of the demo."""
        return {
            "provider": self.provider,
            "registry_url": self.registry or f"http://{address}",
            "credential": self.secret(self.password),
            "scope": {"pull": True, "push": self.push},
        }

    def body(self, address: str, at: datetime) -> dict[str, Any]:
        """The body of a request that adds the credential. Its expiry counts from `at`."""
        return {
            **self.login(address),
            "name": self.name,
            "description": f"{self.description} {MARK}",
            "repository_prefixes": list(self.repository_prefixes),
            "restrictions": restrictions(self.projects),
            "expires_at": rfc3339(at + self.expires_in) if self.expires_in else None,
        }


def restrictions(projects: tuple[str, ...] | None) -> dict[str, Any]:
    """The restrictions to these projects, or none for `None`."""
    return {"restricted": projects is not None, "projects": list(projects or ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A workload that requests an image of the registry of the demo, perhaps on behalf of a user."""

    account: str
    image: str
    project: str
    workload: tuple[str, str]
    on_behalf_of: str | None = None


_ACME, _GLOBEX = ACCOUNTS

CREDENTIALS = (
    SampleCredential(
        account=_ACME,
        name="shop-images",
        provider="custom",
        username="acme-shop",
        description="Images of the web shop",
        repository_prefixes=("acme/shop",),
        rotated_to=SECOND_PASSWORD,
    ),
    SampleCredential(
        account=_ACME,
        name="payments-harbor",
        provider="harbor",
        username="robot$acme+payments",
        description="Only for payments, as the auditors require",
        repository_prefixes=("acme/payments",),
        projects=("payments",),
        verified_again=True,
    ),
    SampleCredential(
        account=_ACME,
        name="gitlab-deploy",
        provider="gitlab",
        username="gitlab+deploy-token-7",
        description="Deploy token of the tools group; the wrong token was pasted",
        password=WRONG_PASSWORD,
        repository_prefixes=("acme/tools",),
    ),
    SampleCredential(
        account=_ACME,
        name="gitea-builds",
        provider="gitea",
        username="builder",
        description="Nightly builds; expires in three days",
        repository_prefixes=("acme/nightly",),
        expires_in=timedelta(days=3),
    ),
    SampleCredential(
        account=_ACME,
        name="quay-mirror",
        provider="quay",
        username="acme+mirror",
        description="Mirror of base images",
        repository_prefixes=("base",),
        expires_in=timedelta(days=60),
        restricted_to=("shop", "payments"),
    ),
    SampleCredential(
        account=_ACME,
        name="release-robot",
        provider="harbor",
        username="robot$acme+release",
        description="Pushes releases",
        repository_prefixes=("acme",),
        push=True,
        projects=("release",),
    ),
    SampleCredential(
        account=_ACME,
        name="old-laptop",
        provider="custom",
        username="retired",
        description="Of a colleague who has left; no project may use it",
        password=WRONG_PASSWORD,
        projects=(),
    ),
    SampleCredential(
        account=_ACME,
        name="partner-registry",
        provider="custom",
        username="acme",
        description="The partner has moved; the host name does not exist",
        registry="registry.partner.invalid",  # RFC 2606: never registered
    ),
    SampleCredential(
        account=_GLOBEX,
        name="globex-registry",
        provider="custom",
        username="globex",
        description="All repositories of Globex",
        repository_prefixes=("globex",),
        verified_again=True,
    ),
    SampleCredential(
        account=_GLOBEX,
        name="globex-gitlab",
        provider="gitlab",
        username="gitlab+deploy-token-12",
        description="The first token was wrong; a rotation fixed it",
        password=WRONG_PASSWORD,
        repository_prefixes=("globex/tools",),
        rotated_to=FIRST_PASSWORD,
    ),
    SampleCredential(
        account=_GLOBEX,
        name="night-batch",
        provider="gitea",
        username="batch",
        description="Expires tonight",
        repository_prefixes=("globex/batch",),
        projects=("reporting",),
        expires_in=timedelta(hours=12),
    ),
    SampleCredential(
        account=_GLOBEX,
        name="proof-of-concept",
        provider="custom",
        username="evaluation",
        description="Evaluated and removed",
        repository_prefixes=("globex/poc",),
        removed_because="the evaluation is over",
    ),
)
PULLS = (
    Pull(account=_ACME, image="acme/shop:1.4", project="shop", workload=("deployment", "storefront")),
    Pull(account=_ACME, image="acme/shop:1.4", project="shop", workload=("deployment", "checkout")),
    Pull(account=_ACME, image="acme/payments:2.0", project="payments", workload=("deployment", "ledger")),
    Pull(account=_ACME, image="base/python:3.12", project="shop", workload=("job", "reindex")),
    Pull(
        account=_ACME,
        image="acme/nightly:latest",
        project="shop",
        workload=("cronjob", "smoke-test"),
        on_behalf_of="octo@acme.example",
    ),
    Pull(  # refused: payments-harbor is restricted to another project
        account=_ACME,
        image="acme/payments:2.0",
        project="marketing",
        workload=("deployment", "landing-page"),
        on_behalf_of="mona@acme.example",
    ),
    Pull(account=_GLOBEX, image="globex/api:7", project="portal", workload=("deployment", "api")),
    Pull(account=_GLOBEX, image="globex/batch:7", project="reporting", workload=("cronjob", "month-end")),
)
TAGS = {
    "acme/shop": ("1.2", "1.3", "1.4", "latest"),
    "acme/payments": ("1.9", "2.0"),
    "acme/nightly": ("latest",),
    "acme/tools": ("1",),
    "base/python": ("3.11", "3.12"),
    "globex/api": ("6", "7"),
    "globex/batch": ("7",),
    "globex/tools": ("1",),
}
# The registry accepts both passwords of every username, except that of the colleague who has left.
LOGINS = frozenset(
    (credential.username, password)
    for credential in CREDENTIALS
    for password in (FIRST_PASSWORD, SECOND_PASSWORD)
    if credential.username != "retired"
)
