"""GitHub Container Registry.

Responses to a login have a header with the expiry of the token (`docs/reference/registry-login.md`,
"Providers"). If the header is missing, the expiry is requested from the API. A token is sent there only if
its prefix shows that GitHub created it.
"""

from datetime import UTC, datetime

from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.provider import AcceptedLogin, ExpiryRequest, ForbiddenMeaning, Provider, UsernameRule

HOST, API = "ghcr.io", "https://api.github.com/user"
_TOKEN = "ghp_"  # noqa: S105 the prefix of personal access tokens
_HEADER = "github-authentication-token-expiration"
_HEADER_FORMS = ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z")


def expiry_in_header(response: HttpResponse) -> datetime | None:
    """The expiry of the token in the header of a response; `None` if there is none."""
    text = response.header(_HEADER) or ""
    for form in _HEADER_FORMS:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 the next line adds the zone if it was a name
        except ValueError:
            continue
        try:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:
            return None
    return None


def _expiry_request(login: AcceptedLogin) -> ExpiryRequest | None:
    if login.registry_host != HOST or not login.password.startswith(_TOKEN):
        return None
    return ExpiryRequest(API, expiry_in_header, {"Authorization": f"Bearer {login.password}"})


PROVIDER = Provider(
    id="github",
    order=40,
    name="GitHub Container Registry",
    hosts=(HOST,),
    registry_url="fixed",
    username=UsernameRule(
        rule="required", label="GitHub username", help="The login of the account that owns the token."
    ),
    image_path="ghcr.io/<owner>/<image>",
    first_component="name",
    permission="read:packages",
    expiry="As chosen when the token is created; regcred asks GitHub after a login. The token of a "
    "workflow expires with its job.",
    help="Create a personal access token (classic) under Settings, Developer settings. Fine-grained "
    "tokens do not work with this registry. Where the organization uses SAML single sign-on, authorize "
    "the token for it.",
    quirks=(
        "Owner and image are in lower case.",
        "The response to a wrong or expired token is 403, also for public images.",
        "A token without read:packages can log in, but cannot pull.",
    ),
    docs_url="https://docs.github.com/en/packages/working-with-a-github-packages-registry/"
    "working-with-the-container-registry",
    advice={
        Code.BAD_CREDENTIAL: (
            "GitHub denied the login: the token is wrong, expired or revoked. Use a personal access token "
            "(classic); fine-grained tokens and the account's password do not work with ghcr.io."
        ),
        Code.MISSING_SCOPE: (
            "The token lacks read:packages. Add the scope to the personal access token (classic) under "
            "Settings, Developer settings."
        ),
        Code.FORBIDDEN: (
            "GitHub denied access. Where the organization uses SAML single sign-on, authorize the token for "
            "it (Configure SSO, next to the token)."
        ),
        Code.NO_PULL_ACCESS: (
            "The token's owner may not read that package. Give the account Read under the package's settings,"
            " and authorize the token for the organization's single sign-on."
        ),
    },
    refused_usernames=r"gh[opsur]_\w{20,}|github_pat_\w{20,}",
    needs_control_login=False,
    # GitHub responds to a wrong, expired or revoked token with 403, not with 401.
    forbidden=(
        ForbiddenMeaning(code=Code.BAD_CREDENTIAL, detail="the {by} refused username or secret (HTTP 403)"),
    ),
    expiry_in_response=expiry_in_header,
    expiry_request=_expiry_request,
)
