"""The description of a provider: its texts, its rules, and how its registries differ from others. Pure.

`registries/providers/` has one file for each provider. Other code uses the fields of `Provider` and does not
compare ids.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, Protocol

from contracts.credential_events import SecretKind
from contracts.verdicts import VerificationCode
from registries.dialer.response import HttpResponse
from registries.logins.cloud_keys import StoredLogin
from registries.token_service import Minted, TokenServices

RegistryUrlRule = Literal["fixed", "optional", "required"]
UsernameRuleName = Literal["required", "fixed", "default"]


@dataclass(frozen=True, slots=True)
class Location:
    """A location of a provider. `host` is the host of its registry there."""

    id: str
    name: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernameRule:
    """The rule for the username of the kind `username_password`.

    The username of a key file is always `_json_key`.

    `required`: the caller names it. `fixed`: it is `allowed[0]`, and can be omitted. `default`: it is one of
    `allowed`, and the first one if it is omitted.
    """

    rule: UsernameRuleName
    label: str
    help: str
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenMeaning:
    """The meaning of HTTP 403 at a provider, if the response contains `text` (in lower case).

    `{by}` in `detail` is replaced by the server that responded.
    """

    text: str = ""
    code: VerificationCode
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedLogin:
    """A login that a registry accepted. `realm_url` is its token server, `None` for Basic."""

    registry_host: str
    username: str
    password: str = field(repr=False)
    realm_url: str | None


@dataclass(frozen=True, slots=True)
class ExpiryRequest:
    """A GET request for the expiry of a secret. `read` finds the expiry in the response."""

    url: str
    read: Callable[[HttpResponse], datetime | None]
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def expiry(self, response: HttpResponse) -> datetime | None:
        """The expiry of the secret in the response; `None` if it has none."""
        return self.read(response) if response.status == HTTPStatus.OK else None


class Mint(Protocol):
    """Creates a login for a registry from a stored secret. Raises `NotMinted`."""

    def __call__(
        self, stored: Any, registry_host: str, /, *, calls: TokenServices, at: datetime, endpoint: str | None
    ) -> Minted:
        """`endpoint` is the operator's address of the token service, `None` for the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMinter:
    """Which stored secrets a cloud creates short-lived logins from, and how.

    `cloud` names the operator's setting of the endpoint (`REGCRED_<CLOUD>_ENDPOINT`). `secret` is the class
    of the stored secret. If there are `key_usernames`, the secret can be used as a login without minting. A
    short-lived login is then created only for these usernames, and only if the caller asks for one.
    """

    cloud: str
    secret: type[StoredLogin]
    key_usernames: frozenset[str] = frozenset()
    mint: Mint

    def accepts(self, stored: StoredLogin, *, short_lived: bool) -> bool:
        """Whether a login has to be created from this secret."""
        if not isinstance(stored, self.secret):
            return False
        return not self.key_usernames or (short_lived and stored.username in self.key_usernames)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider of registries.

    Texts for users, and rules for credentials:

    `order`: its place in lists; providers with the same number are listed by id.
    `hosts`: the hosts of its registries, the usual one first; `<...>` is a part that differs.
    `aliases`: other names of the first of `hosts`.
    `registry_url`: `fixed`, the host follows from the provider and the location; `optional`, the first host
    unless the caller names another one (self-hosted); `required`, the caller names the host.
    `host_pattern`: the form of a host that a caller names; `host_rule` is the same in words. `example_host`:
    a host for the examples in the documentation. `location_pattern`: locations that are accepted without
    being listed. Their hosts have the form of the first of `hosts`; the groups of `location_host_pattern`
    contain the location of a host. `image_path`: the form of its image references. `expiry`: whether and when
    its secrets expire. `quirks`: common difficulties, a sentence each. `advice`: what to do after a
    verification with a verdict, where it differs from the general advice.

    Differences of its registries:

    `refused_usernames`: a regular expression of its tokens, which some users enter as the username.
    `helper_usernames`: a regular expression of usernames that its credential helpers create for an hour.
    `realms`: token servers outside the registry's own domain, by the host of the registry's API.
    `needs_control_login`: its token servers may accept any login. So a second request is sent without a
    login; if the token server does not refuse it, the confidence of the verdict is weak. `forbidden`: the
    meanings of HTTP 403; the first one that matches applies. `expiry_in_response`: reads the expiry of the
    secret from a response to the login. `expiry_request`: the request for the expiry after a login; `None` if
    there is none. `minter`: creates logins from secrets that cannot be used as a login.
    """

    id: str
    order: int = 500
    name: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    location_pattern: re.Pattern[str] | None = None
    location_host_pattern: re.Pattern[str] | None = None
    registry_url: RegistryUrlRule
    host_pattern: re.Pattern[str] | None = None
    host_rule: str = ""
    example_host: str = ""
    secret_kinds: tuple[SecretKind, ...] = ("username_password", "docker_config")
    username: UsernameRule
    image_path: str
    permission: str
    expiry: str
    help: str
    quirks: tuple[str, ...] = ()
    docs_url: str
    advice: Mapping[VerificationCode, str] = field(default_factory=dict)

    refused_usernames: str = ""
    helper_usernames: str = ""
    realms: Mapping[str, str] = field(default_factory=dict)
    needs_control_login: bool = True
    forbidden: tuple[ForbiddenMeaning, ...] = ()
    expiry_in_response: Callable[[HttpResponse], datetime | None] | None = None
    expiry_request: Callable[[AcceptedLogin], ExpiryRequest | None] | None = None
    minter: TokenMinter | None = None

    def owns(self, host: str) -> bool:
        """Whether a canonical host is known to belong to this provider."""
        if self.locations:
            return self.location_of(host) is not None
        return host in self.hosts or bool(self.host_pattern and self.host_pattern.fullmatch(host))

    def host_at(self, location: str) -> str | None:
        """The host at a location; `None` if the provider has no such location."""
        listed = next((entry.host for entry in self.locations if entry.id == location), None)
        if listed is None and self.location_pattern and self.location_pattern.fullmatch(location):
            return self.hosts[0].replace("<location>", location)
        return listed

    def location_of(self, host: str) -> str | None:
        """The location of a host; `None` if the host does not belong to this provider."""
        if self.location_host_pattern is None:
            return next((entry.id for entry in self.locations if entry.host == host), None)
        found = self.location_host_pattern.fullmatch(host)
        location = next(filter(None, found.groups()), None) if found else None
        return location if location is not None and self.host_at(location) else None
