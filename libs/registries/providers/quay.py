"""Quay."""

from contracts.verdicts import VerificationCode as Code
from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="quay",
    order=80,
    name="Quay",
    hosts=("quay.io",),
    registry_url="optional",
    username=UsernameRule(
        rule="required",
        label="User or robot account",
        help="The full name of the robot account, such as acme+deploy, or your username.",
    ),
    image_path="quay.io/<namespace>/<repository>",
    permission="Read on the repositories.",
    expiry="Tokens of robot accounts do not expire.",
    help="Create a robot account in the organization, give it Read on the repositories, and enter its "
    "token. For a self-hosted Quay, name its host.",
    quirks=("The username of a robot account contains a plus sign; that of a token is $oauthtoken or $app.",),
    docs_url="https://docs.quay.io/glossary/robot-accounts.html",
    advice={
        Code.BAD_CREDENTIAL: (
            "Quay refused the login. Use the robot account's full name, such as acme+deploy, with its token;"
            " for a user the encrypted password of the account settings."
        ),
        Code.NO_PULL_ACCESS: "Give the robot account Read on that repository.",
    },
    needs_control_login=False,
)
