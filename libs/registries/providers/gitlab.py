"""GitLab, as a service and self-hosted.

The expiry of an access token is requested from the GitLab whose token server accepted it (GitLab, "Personal
access tokens API", `GET /personal_access_tokens/self`). The token is sent to no other host.
"""

import json
from datetime import UTC, date, datetime, time
from urllib.parse import urlsplit, urlunsplit

from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.provider import AcceptedLogin, ExpiryRequest, ForbiddenMeaning, Provider, UsernameRule

_TOKEN = "glpat-"  # noqa: S105 the prefix of personal access tokens
_REALM_PATH = "/jwt/auth"


def _expiry_request(login: AcceptedLogin) -> ExpiryRequest | None:
    token = login.password
    if not token.startswith(_TOKEN) or login.realm_url is None:
        return None
    parts = urlsplit(login.realm_url)
    if not (parts.path.endswith(_REALM_PATH) and token.isascii() and token.isprintable()):
        return None
    path = parts.path.removesuffix(_REALM_PATH) + "/api/v4/personal_access_tokens/self"
    url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return ExpiryRequest(url, _expiry, {"PRIVATE-TOKEN": token})


def _expiry(response: HttpResponse) -> datetime | None:
    """The beginning of the day in the response; `None` if there is none.

    The format is from GitLab, "Personal access tokens".
    """
    try:
        day = date.fromisoformat(json.loads(response.body)["expires_at"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return datetime.combine(day, time(), UTC)


PROVIDER = Provider(
    id="gitlab",
    order=50,
    name="GitLab",
    hosts=("registry.gitlab.com",),
    registry_url="optional",
    username=UsernameRule(
        rule="required",
        label="Username",
        help="Your GitLab username, or the username of the deploy token (gitlab+deploy-token-...).",
    ),
    image_path="<host>/<group>/<project>[/<image>]",
    permission="read_registry",
    expiry="Access tokens within a year; regcred asks GitLab after a login. Deploy tokens never, unless "
    "they have a date.",
    help="Create a deploy token of the project or group, or an access token, and enter it as the "
    "password. For a self-hosted GitLab, name the host of its registry, such as registry.example.com "
    "or gitlab.example.com:5050.",
    quirks=(
        "The registry's host is not that of the web site.",
        (
            "If the token server has another domain, the operator pairs it with the registry in "
            "REGCRED_VERIFIER_ALLOW: registry.example.com=gitlab.example.org."
        ),
        "Any username is accepted with an access token.",
        "Many failed logins from one address block it for an hour, if the administrator enabled this.",
    ),
    docs_url="https://docs.gitlab.com/user/packages/container_registry/authenticate_with_container_registry/",
    advice={
        Code.BAD_CREDENTIAL: (
            "GitLab refused the login. With two-factor authentication a token is needed in place of the "
            "password. Check that the token has not expired or been revoked, and that the host is that of the"
            " GitLab it comes from."
        ),
        Code.MISSING_SCOPE: "The token lacks read_registry. Create a token that has that scope.",
        Code.FORBIDDEN: (
            "GitLab refused this address or account, for example for an hour after too many failed logins. "
            "Wait, and check that the user is not blocked."
        ),
        Code.NOT_A_REGISTRY: (
            "Use the registry's host, which differs from the web site's, such as registry.example.com or "
            "gitlab.example.com:5050, and check that the container registry is switched on."
        ),
        Code.NO_PULL_ACCESS: (
            "The token may not read that project's registry. Use a token of that project or its group, or "
            "give the user the role Reporter."
        ),
    },
    refused_usernames=r"gl[a-z]{2,6}-\S{20,}",
    realms={"registry.gitlab.com": "gitlab.com"},
    needs_control_login=False,
    forbidden=(
        ForbiddenMeaning(
            text="access forbidden",
            code=Code.MISSING_SCOPE,
            detail="the token is valid, but lacks the permission to read the registry",
        ),
    ),
    expiry_request=_expiry_request,
)
