"""Getting in: the login itself where a registry asks for Basic, a token of its token server for Bearer.

The password goes to the registry and to the token server that `check_realm` lets through, a token to the
registry that asked for it, and neither anywhere else.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from chassis.secret import Secret
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.errors import BadChallenge
from registries.dialer.response import HttpResponse
from registries.dialer.session import HttpSession
from registries.logins.registry_login import RegistryLogin
from registries.protocol.challenge import Challenge
from registries.protocol.realm import Realm, check_realm

CLIENT_ID = "regcred"
_TOKEN = re.compile(r"[\x21-\x7e]{1,32768}")


@dataclass(frozen=True, slots=True)
class TokenServer:
    """Where the registry's tokens are to be had, and under which name it is known there."""

    realm: Realm
    service: str | None

    @classmethod
    def of(cls, challenge: Challenge, *, registry_url: str, policy: NetworkPolicy) -> "TokenServer":
        """The one that a Bearer challenge names. Raises `BadChallenge` or `Blocked`."""
        parameters = challenge.parameters
        realm = check_realm(parameters.get("realm", ""), registry_url=registry_url, policy=policy)
        return cls(realm, parameters.get("service"))


@dataclass(frozen=True, slots=True)
class Authorizer:
    """One login, shown to one registry and its token server. Requests raise `LoginNotTried`."""

    session: HttpSession
    login: RegistryLogin

    def basic(self) -> dict[str, str]:
        """The header of a Basic login. An identity token has none."""
        password = self.login.password or Secret("")
        text = f"{self.login.username}:{password.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}

    def ask(self, server: TokenServer, scope: str | None) -> HttpResponse:
        """The token server's answer: GET with Basic for a password, POST for an identity token (OAuth2)."""
        parameters = _parameters(server, scope)
        if self.login.identity_token is None:
            url = server.realm.with_query([*parameters, ("account", self.login.username)])
            return self.session.request("GET", url, headers=self.basic())
        form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.login.identity_token.reveal()),
            *parameters,
        ]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.session.request("POST", server.realm.url, headers=headers, body=urlencode(form).encode())

    def ask_without_login(self, server: TokenServer, scope: str | None) -> HttpResponse:
        """What anybody is answered there."""
        return self.session.request("GET", server.realm.with_query(_parameters(server, scope)))


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


def read_token(response: HttpResponse) -> str:
    """The token of a token server's answer: printable, bounded, fit for a header. Raises `BadChallenge`."""
    try:
        document = json.loads(response.body)
        token = document.get("access_token") or document.get("token")
    except (ValueError, AttributeError, RecursionError):  # the last of lists in lists in lists
        token = None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise BadChallenge("the token server's answer holds no token")
    return token


def granted_actions(token: str, repository: str) -> frozenset[str] | None:
    """What a token allows in a repository, if it says so; `None` where it is opaque to all but its registry.

    A JWT's `access` is read (distribution, token specification); its signature is the registry's to check.
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
