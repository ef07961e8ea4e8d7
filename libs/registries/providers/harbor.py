"""Harbor."""

from contracts.verdicts import VerificationCode as Code
from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="harbor",
    order=90,
    name="Harbor",
    hosts=("<your host>",),
    registry_url="required",
    username=UsernameRule(
        rule="required",
        label="User or robot account",
        help="The full name of the robot account with its prefix, such as robot$acme+deploy, or your "
        "username.",
    ),
    image_path="<host>/<project>/<repository>",
    permission="Pull repository on the project.",
    expiry="Robot accounts after the chosen number of days, or never.",
    help="Create a robot account in the project and enter its secret. Users who log in by OIDC enter "
    "the CLI secret of their profile.",
    quirks=(
        "The prefix robot$ can be configured; Harbor shows the full name next to the secret.",
        "Logins go to the host of Harbor's external_url.",
        (
            "If the token server has another domain, the operator pairs it with the registry in "
            "REGCRED_VERIFIER_ALLOW: registry.example.com=harbor.example.org."
        ),
        "regcred must trust a private certificate authority (REGCRED_VERIFIER_CA_FILE).",
    ),
    docs_url="https://goharbor.io/docs/latest/working-with-projects/project-configuration/"
    "create-robot-accounts/",
    advice={
        Code.BAD_CREDENTIAL: (
            "Harbor refused the login. Use the robot account's full name with its prefix and project, such "
            "as robot$acme+deploy, and check that it is neither expired nor disabled. OIDC users use their "
            "CLI secret."
        ),
        Code.NO_PULL_ACCESS: "Give the robot account Pull repository on that project.",
    },
    needs_control_login=False,
)
