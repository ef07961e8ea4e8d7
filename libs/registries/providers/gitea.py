"""Gitea or Forgejo."""

from contracts.verdicts import VerificationCode as Code
from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="gitea",
    order=100,
    name="Gitea or Forgejo",
    hosts=("<your host>",),
    registry_url="required",
    username=UsernameRule(
        rule="required", label="Username", help="The login of the account that owns the token."
    ),
    image_path="<host>/<owner>/<image>",
    permission="read:package",
    expiry="Tokens do not expire, unless the version supports a date.",
    help="Create an access token under Settings, Applications, and enter it as the password.",
    quirks=(
        "Every caller gets a token; only an image shows whether the login can pull.",
        "A token without read:package can log in, but cannot pull.",
    ),
    docs_url="https://docs.gitea.com/usage/packages/container",
    advice={
        Code.BAD_CREDENTIAL: (
            "The login was refused. With two-factor authentication an access token is needed in place of the "
            "password. Check that the token still exists."
        ),
        Code.MISSING_SCOPE: "The token lacks read:package. Create a new one under Settings, Applications.",
        Code.NO_PULL_ACCESS: "The token needs read:package and its owner read access to the package's owner.",
    },
    needs_control_login=False,
)
