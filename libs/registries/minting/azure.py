"""Azure Container Registry: a service principal's secret becomes a refresh token of some hours.

    client id + secret ─Microsoft Entra ID─▶ token for registries ─registry's /oauth2/exchange─▶ refresh token

It logs in as the password of an all-zero username (Azure, "Authenticate with an Azure container registry").
The codes of Entra (`AADSTS…`) are those of its reference of error codes.
"""

from datetime import UTC, datetime, timedelta

import jwt

from chassis.secret import Secret
from contracts.verdicts import VerificationCode
from registries.dialing.session import Answer
from registries.logins.cloud_keys import ServicePrincipal
from registries.logins.registry_login import RegistryLogin
from registries.minting.errors import NotMinted
from registries.minting.minted import Minted
from registries.minting.token_calls import TokenCalls, document_of, not_understood

LOGIN = "Microsoft's login"
EXCHANGE = "the registry's token exchange"
USERNAME = "00000000-0000-0000-0000-000000000000"
_SCOPE = "https://containerregistry.azure.net/.default"
_LOGIN_HOSTS = {
    "azurecr.io": "login.microsoftonline.com",
    "azurecr.cn": "login.chinacloudapi.cn",
    "azurecr.us": "login.microsoftonline.us",
}
_SHORTEST_LIFE = timedelta(hours=1)  # where the token does not say; Azure documents three
_MAX_TOKEN = 16 * 1024
_OK = 200
_UNAUTHORIZED = 401
_NOT_FOUND = 404

_EXPIRED = frozenset({7000222})
_WRONG = frozenset({7000215, 700016, 90002, 900023, 7000218, 50034})  # secret, application, tenant
_BARRED = frozenset({7000112, 53003, 50057, 700027, 530035})  # switched off, or conditional access


def login_url(registry_host: str, tenant: str, override: str | None = None) -> str:
    """Where the tenant's applications log in, for the cloud that the registry is in."""
    domain = ".".join(registry_host.split(".")[-2:])
    base = override or f"https://{_LOGIN_HOSTS.get(domain, _LOGIN_HOSTS['azurecr.io'])}"
    return f"{base.rstrip('/')}/{tenant}/oauth2/v2.0/token"


def mint(
    principal: ServicePrincipal,
    registry_host: str,
    *,
    calls: TokenCalls,
    at: datetime,
    override: str | None = None,
) -> Minted:
    """The refresh token of this moment.

    Raises:
        NotMinted
    """
    form = [
        ("grant_type", "client_credentials"),
        ("client_id", principal.client_id),
        ("client_secret", principal.client_secret.reveal()),
        ("scope", _SCOPE),
    ]
    answer = calls.post_form(login_url(registry_host, principal.tenant, override), form, service=LOGIN)
    if answer.status != _OK:
        raise _login_refused(answer)
    form = [
        ("grant_type", "access_token"),
        ("service", registry_host),
        ("tenant", principal.tenant),
        ("access_token", _token(answer, "access_token", LOGIN)),
    ]
    url = f"{calls.scheme_for(registry_host)}://{registry_host}/oauth2/exchange"
    answer = calls.post_form(url, form, service=EXCHANGE)
    if answer.status != _OK:
        raise _exchange_refused(answer)
    token = _token(answer, "refresh_token", EXCHANGE)
    return Minted(
        login=RegistryLogin(username=USERNAME, password=Secret(token)), expires_at=_end_of(token, at)
    )


def _token(answer: Answer, name: str, service: str) -> str:
    token = document_of(answer).get(name)
    if isinstance(token, str) and token.isascii() and token.isprintable() and 0 < len(token) <= _MAX_TOKEN:
        return token
    raise not_understood(service)


def _end_of(token: str, at: datetime) -> datetime:
    """As the token says. Whoever checks its signature is the registry; for us it is a hint."""
    try:
        return datetime.fromtimestamp(jwt.decode(token, options={"verify_signature": False})["exp"], UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return at + _SHORTEST_LIFE


def _login_refused(answer: Answer) -> NotMinted:
    document = document_of(answer)
    told = document.get("error_codes")
    codes = {code for code in told if isinstance(code, int)} if isinstance(told, list) else set()
    if document.get("error") == "temporarily_unavailable":
        return NotMinted(VerificationCode.UNREACHABLE, f"{LOGIN} is not available for now")
    if codes & _EXPIRED:
        return NotMinted(VerificationCode.EXPIRED, f"{LOGIN} says that the client secret has expired")
    if codes & _BARRED:
        return NotMinted(
            VerificationCode.FORBIDDEN, f"{LOGIN} bars this application, or this network from it"
        )
    if codes & _WRONG or answer.status == _UNAUTHORIZED:
        return NotMinted(
            VerificationCode.BAD_CREDENTIAL, f"{LOGIN} refused tenant, client id or client secret"
        )
    return NotMinted(
        VerificationCode.FORBIDDEN, f"{LOGIN} refused the service principal (HTTP {answer.status})"
    )


def _exchange_refused(answer: Answer) -> NotMinted:
    if answer.status == _NOT_FOUND:
        return NotMinted(VerificationCode.NOT_A_REGISTRY, "no Azure registry answers there")
    detail = "the registry does not take the service principal: another tenant's, or its firewall bars us"
    return NotMinted(VerificationCode.FORBIDDEN, f"{detail} (HTTP {answer.status})")
