"""Authorization at a registry: the login itself for Basic, a token from its token server for Bearer.

The password is sent only to the registry and to a token server that `check_realm` allows. A token is sent
only to the registry that it was requested for.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from chassis.secret import Secret
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.errors import BadChallenge, Blocked, LoginTooLarge
from registries.dialer.response import HttpResponse
from registries.dialer.session import HttpSession
from registries.logins.registry_login import RegistryLogin
from registries.protocol.challenge import Challenge
from registries.protocol.realm import Realm, check_realm

CLIENT_ID = "regcred"
MAX_LOGIN = 8 * 1024  # bytes of username and password; the largest are key files with 2.3 KiB
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")


@dataclass(frozen=True, slots=True)
class TokenServer:
    """The token server of a registry. `service` is the name of the registry there."""

    realm: Realm
    service: str | None

    @classmethod
    def of(cls, challenge: Challenge, *, registry_url: str, policy: NetworkPolicy) -> "TokenServer":
        """The token server that a Bearer challenge names. Raises `BadChallenge` or `Blocked`."""
        parameters = challenge.parameters
        realm = check_realm(parameters.get("realm", ""), registry_url=registry_url, policy=policy)
        return cls(realm, parameters.get("service"))


@dataclass(frozen=True, slots=True)
class Authorizer:
    """One login, used at one registry and its token server. Requests raise `LoginNotTried`."""

    session: HttpSession
    login: RegistryLogin

    def basic(self) -> dict[str, str]:
        """The header of a Basic login. An identity token cannot be used for Basic.

        Raises `LoginTooLarge`: servers drop requests with long headers, which would look like an outage.
        """
        password = self.login.password or Secret("")
        text = f"{self.login.username}:{password.reveal()}".encode()
        if len(text) > MAX_LOGIN:
            raise LoginTooLarge("the secret is too large for a login, and was not sent")
        return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}

    def ask(self, server: TokenServer, scope: str | None) -> HttpResponse:
        """Request a token: GET with Basic for a password, POST for an identity token (OAuth2).

        An identity token is sent only to a token server of the registry, and not to others in its domain.
        """
        parameters = _parameters(server, scope)
        if self.login.identity_token is None:
            url = server.realm.with_query([*parameters, ("account", self.login.username)])
            return self.session.request("GET", url, headers=self.basic())
        if not server.realm.is_own:
            raise Blocked(
                "its token server is at another host, and gets no identity token; "
                "the operator can pair it with the registry"
            )
        form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.login.identity_token.reveal()),
            *parameters,
        ]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.session.request("POST", server.realm.url, headers=headers, body=urlencode(form).encode())

    def ask_without_login(self, server: TokenServer, scope: str | None) -> HttpResponse:
        """Request a token without a login."""
        return self.session.request("GET", server.realm.with_query(_parameters(server, scope)))


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def read_token(response: HttpResponse) -> str:
    """The token in the response of a token server.

    It is printable and of limited length, so that it can be sent in a header. Raises `BadChallenge`.
    """
    try:
        document = json.loads(response.body)
        token = document.get("access_token") or document.get("token")
    except (ValueError, AttributeError, RecursionError):  # the last for deeply nested lists
        token = None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise BadChallenge("the response of the token server contains no token")
    return token


def granted_actions(token: str, repository: str) -> frozenset[str] | None:
    """The actions that a token allows in a repository; `None` if only the registry can read the token.

    They are in the claim `access` of a JWT (distribution, token specification). The registry checks the
    signature.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        access = claims["access"] or ()
        return frozenset(
            action
            for entry in access
            if (entry["type"], entry["name"]) == ("repository", repository)
            for action in entry["actions"] or ()
            if isinstance(action, str)
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _parameters(server: TokenServer, scope: str | None) -> list[tuple[str, str]]:
    pairs: Mapping[str, str | None] = {"service": server.service, "scope": scope, "client_id": CLIENT_ID}
    return [(name, value) for name, value in pairs.items() if value]
