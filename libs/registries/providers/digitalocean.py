"""DigitalOcean Container Registry."""

from contracts.verdicts import VerificationCode as Code
from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="digitalocean",
    order=110,
    name="DigitalOcean Container Registry",
    hosts=("registry.digitalocean.com",),
    registry_url="fixed",
    username=UsernameRule(
        rule="required",
        label="Account email",
        help="The email address of the account. Not the token: usernames are visible to others.",
    ),
    image_path="registry.digitalocean.com/<registry>/<repository>",
    first_component="name",
    permission="registry:read",
    expiry="As chosen when the token is created.",
    help="Create an API token in the control panel under API with the scope registry:read, and enter it "
    "as the password.",
    quirks=("DigitalOcean accepts the token as username too. regcred does not: usernames are visible.",),
    docs_url="https://docs.digitalocean.com/products/container-registry/how-to/"
    "use-registry-docker-kubernetes/",
    advice={
        Code.BAD_CREDENTIAL: (
            "DigitalOcean refused the login. Use the account's email address and an API token that has not "
            "expired."
        ),
        Code.MISSING_SCOPE: "The API token lacks registry:read. Create one with that scope.",
        Code.NO_PULL_ACCESS: "The API token needs registry:read, in the team that the registry belongs to.",
    },
    refused_usernames=r"do[opr]_v1_[0-9a-f]{32,}",
    realms={"registry.digitalocean.com": "api.digitalocean.com"},
)
