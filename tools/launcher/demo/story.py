"""What the demo's installation holds: who keeps which credentials, and what has happened to them. Data alone.

The passwords are made up and open nothing but the demo's own registry, which holds nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

ACCOUNTS = ("demo-acme", "demo-globex")
MARK = "(regcred demo)"  # at the end of a description: `--remove` takes away what has it
_GOOD, _NEWER, _WRONG = "demo-first-password", "demo-second-password", "demo-wrong-password"
Login = Literal["good", "newer", "wrong"]
PASSWORDS: dict[Login, str] = {"good": _GOOD, "newer": _NEWER, "wrong": _WRONG}
LOCAL = "the demo's registry"  # in place of its address, which has the port that was chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """A credential; `login` says which password it is kept with. `projects` is `None` where every project may
    use it; `registry` a host, or `LOCAL`.
    """

    account: str
    name: str
    provider: str
    username: str
    description: str
    registry: str = LOCAL
    login: Login = "good"
    prefixes: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    push: bool = False
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A workload asks for an image of the demo's registry, for somebody of the platform."""

    account: str
    image: str
    project: str
    workload: tuple[str, str]
    on_behalf_of: str | None = None


_ACME, _GLOBEX = ACCOUNTS

CREDENTIALS = (
    StoredCredential(
        account=_ACME,
        name="shop-images",
        provider="custom",
        username="acme-shop",
        description="Images of the web shop",
        prefixes=("acme/shop",),
    ),
    StoredCredential(
        account=_ACME,
        name="payments-harbor",
        provider="harbor",
        username="robot$acme+payments",
        description="For payments alone, as the auditors want it",
        prefixes=("acme/payments",),
        projects=("payments",),
    ),
    StoredCredential(
        account=_ACME,
        name="gitlab-deploy",
        provider="gitlab",
        username="gitlab+deploy-token-7",
        description="Deploy token of the tools group; somebody has pasted the wrong one",
        login="wrong",
        prefixes=("acme/tools",),
    ),
    StoredCredential(
        account=_ACME,
        name="gitea-builds",
        provider="gitea",
        username="builder",
        description="Nightly builds; ends in three days",
        prefixes=("acme/nightly",),
        expires_in=timedelta(days=3),
    ),
    StoredCredential(
        account=_ACME,
        name="quay-mirror",
        provider="quay",
        username="acme+mirror",
        description="Mirror of base images",
        prefixes=("base",),
        expires_in=timedelta(days=60),
    ),
    StoredCredential(
        account=_ACME,
        name="release-robot",
        provider="harbor",
        username="robot$acme+release",
        description="Pushes releases",
        prefixes=("acme",),
        push=True,
        projects=("release",),
    ),
    StoredCredential(
        account=_ACME,
        name="old-laptop",
        provider="custom",
        username="retired",
        description="Of a colleague who has left; nobody may use it any more",
        login="wrong",
        projects=(),
    ),
    StoredCredential(
        account=_ACME,
        name="partner-registry",
        provider="custom",
        username="acme",
        description="The partner has moved: the name leads nowhere",
        registry="registry.partner.invalid",  # RFC 2606: nobody's, ever
    ),
    StoredCredential(
        account=_GLOBEX,
        name="globex-registry",
        provider="custom",
        username="globex",
        description="Everything of Globex",
        prefixes=("globex",),
    ),
    StoredCredential(
        account=_GLOBEX,
        name="globex-gitlab",
        provider="gitlab",
        username="gitlab+deploy-token-12",
        description="Was wrong at first, and mended by a rotation",
        login="wrong",
        prefixes=("globex/tools",),
    ),
    StoredCredential(
        account=_GLOBEX,
        name="night-batch",
        provider="gitea",
        username="batch",
        description="Ends tonight",
        prefixes=("globex/batch",),
        projects=("reporting",),
        expires_in=timedelta(hours=12),
    ),
    StoredCredential(
        account=_GLOBEX,
        name="proof-of-concept",
        provider="custom",
        username="trial",
        description="Was tried and removed again",
        prefixes=("globex/poc",),
    ),
)
ROTATED: tuple[tuple[str, str, Login], ...] = (
    (_ACME, "shop-images", "newer"),
    (_GLOBEX, "globex-gitlab", "good"),
)
RESTRICTED = ((_ACME, "quay-mirror", ("shop", "payments")),)
VERIFIED_AGAIN = ((_ACME, "payments-harbor"), (_GLOBEX, "globex-registry"))
REMOVED = ((_GLOBEX, "proof-of-concept", "the trial is over"),)
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
    Pull(  # refused: payments-harbor is not for this project
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
LOGINS = frozenset(
    (kept.username, password)
    for kept in CREDENTIALS
    for password in (_GOOD, _NEWER)
    if kept.username != "retired"
)
