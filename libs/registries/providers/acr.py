"""Azure Container Registry.

A refresh token, valid for some hours, is created from a service principal's secret.

    client id + secret ─Microsoft Entra ID─▶ token for registries ─registry's /oauth2/exchange─▶ refresh token

The token is the password of an all-zero username (Azure, "Authenticate with an Azure container registry").
The error codes of Entra (`AADSTS…`) are from its reference.
"""

import re
from datetime import UTC, datetime, timedelta

import jwt

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.logins.cloud_keys import ServicePrincipal
from registries.logins.registry_login import RegistryLogin
from registries.provider import Provider, TokenMinter, UsernameRule
from registries.token_service import Minted, NotMinted, TokenServices, document_of, not_understood

LOGIN = "Microsoft's login"
EXCHANGE = "the registry's token exchange"
USERNAME = "00000000-0000-0000-0000-000000000000"
_SCOPE = "https://containerregistry.azure.net/.default"
_LOGIN_HOSTS = {
    "azurecr.io": "login.microsoftonline.com",
    "azurecr.cn": "login.chinacloudapi.cn",
    "azurecr.us": "login.microsoftonline.us",
}
_SHORTEST_LIFETIME = timedelta(hours=1)  # if the token has no expiry; Azure documents three hours
_MAX_TOKEN = 16 * 1024
_OK = 200
_UNAUTHORIZED = 401
_NOT_FOUND = 404

_EXPIRED = frozenset({7000222})
_WRONG = frozenset({7000215, 700016, 90002, 900023, 7000218, 50034})  # wrong secret, application or tenant
_BLOCKED = frozenset({7000112, 53003, 50057, 700027, 530035})  # disabled, or conditional access


def login_url(registry_host: str, tenant: str, override: str | None = None) -> str:
    """The login URL for applications of the tenant, in the cloud of the registry."""
    domain = ".".join(registry_host.split(".")[-2:])
    base = override or f"https://{_LOGIN_HOSTS.get(domain, _LOGIN_HOSTS['azurecr.io'])}"
    return f"{base.rstrip('/')}/{tenant}/oauth2/v2.0/token"


def mint(
    stored: ServicePrincipal, registry_host: str, *, calls: TokenServices, at: datetime, endpoint: str | None
) -> Minted:
    """Create a refresh token for the registry.

    Raises:
        NotMinted: Microsoft or the registry created no token.
    """
    form = [
        ("grant_type", "client_credentials"),
        ("client_id", stored.client_id),
        ("client_secret", stored.client_secret.reveal()),
        ("scope", _SCOPE),
    ]
    response = calls.post_form(login_url(registry_host, stored.tenant, endpoint), form, service=LOGIN)
    if response.status != _OK:
        raise _login_refused(response)
    form = [
        ("grant_type", "access_token"),
        ("service", registry_host),
        ("tenant", stored.tenant),
        ("access_token", _token(response, "access_token", LOGIN)),
    ]
    url = f"{calls.scheme_for(registry_host)}://{registry_host}/oauth2/exchange"
    response = calls.post_form(url, form, service=EXCHANGE)
    if response.status != _OK:
        raise _exchange_refused(response)
    token = _token(response, "refresh_token", EXCHANGE)
    return Minted(
        login=RegistryLogin(username=USERNAME, password=Secret(token)), expires_at=_expiry_of(token, at)
    )


def _token(response: HttpResponse, name: str, service: str) -> str:
    token = document_of(response).get(name)
    if isinstance(token, str) and token.isascii() and token.isprintable() and 0 < len(token) <= _MAX_TOKEN:
        return token
    raise not_understood(service)


def _expiry_of(token: str, at: datetime) -> datetime:
    """The expiry in the token. Its signature is not checked here, but by the registry."""
    try:
        return datetime.fromtimestamp(jwt.decode(token, options={"verify_signature": False})["exp"], UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return at + _SHORTEST_LIFETIME


def _login_refused(response: HttpResponse) -> NotMinted:
    document = document_of(response)
    error_codes = document.get("error_codes")
    codes = (
        {code for code in error_codes if isinstance(code, int)} if isinstance(error_codes, list) else set()
    )
    if document.get("error") == "temporarily_unavailable":
        return NotMinted(Code.UNREACHABLE, f"{LOGIN} is not available for now")
    if codes & _EXPIRED:
        return NotMinted(Code.EXPIRED, f"{LOGIN} reports that the client secret has expired")
    if codes & _BLOCKED:
        return NotMinted(Code.FORBIDDEN, f"{LOGIN} blocks this application, or its use from this network")
    if codes & _WRONG or response.status == _UNAUTHORIZED:
        return NotMinted(Code.BAD_CREDENTIAL, f"{LOGIN} refused tenant, client id or client secret")
    return NotMinted(Code.FORBIDDEN, f"{LOGIN} refused the service principal (HTTP {response.status})")


def _exchange_refused(response: HttpResponse) -> NotMinted:
    if response.status == _NOT_FOUND:
        return NotMinted(Code.NOT_A_REGISTRY, "the host is not an Azure registry")
    detail = "the registry refused the service principal: it is of another tenant, or blocked by a firewall"
    return NotMinted(Code.FORBIDDEN, f"{detail} (HTTP {response.status})")


PROVIDER = Provider(
    id="acr",
    order=70,
    name="Azure Container Registry",
    hosts=("<name>.azurecr.io",),
    registry_url="required",
    host_pattern=re.compile(r"[a-z0-9]{5,50}(-[a-z0-9]+)?(\.[a-z0-9-]+\.geo)?\.azurecr\.(io|cn|us)"),
    example_host="acme.azurecr.io",
    host_rule="<name>.azurecr.io",
    secret_kinds=("username_password", "service_principal", "docker_config"),
    username=UsernameRule(
        rule="required",
        label="Client id or token name",
        help="The application (client) id of a service principal, the name of a repository-scoped "
        "token, or the registry's name for its admin user.",
    ),
    image_path="<name>.azurecr.io/<repository>",
    permission="AcrPull; Container Registry Repository Reader where the registry uses repository "
    "permissions (ABAC); content/read for a token's scope map.",
    expiry="Client secrets at the date chosen when they are created, a year by default; passwords of "
    "tokens and of the admin user only if a date was set.",
    help="Create a service principal with the role on the registry and enter its client secret. "
    "As service_principal, with its tenant, deployments get tokens that are valid for some hours in its "
    "place. Or create a token under Repository permissions and enter its password.",
    quirks=(
        "In a registry with repository permissions (ABAC) AcrPull has no effect.",
        "Listing tags also needs metadata/read.",
    ),
    docs_url="https://learn.microsoft.com/en-us/azure/container-registry/container-registry-authentication",
    advice={
        Code.BAD_CREDENTIAL: (
            "Azure refused the login. Check that the client secret or token password has not expired, that "
            "the username is the client id (not the object id), and that the admin user is switched on if "
            "you use it."
        ),
        Code.FORBIDDEN: (
            "Azure blocks the login, most often by the registry's firewall. Allow this service's address "
            "under Networking."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the principal AcrPull; in a registry with repository permissions (ABAC) Container Registry "
            "Repository Reader; for a token, add the repository to its scope map."
        ),
    },
    needs_control_login=False,
    minter=TokenMinter(cloud="azure", secret=ServicePrincipal, mint=mint),
)
