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
FirstComponentRule = Literal["name", "domain", "any"]
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
    """A provider: its texts for users, its rules for credentials, and how its registries differ."""

    id: str
    order: int = 500  # its place in lists; providers with the same number are listed by id
    name: str
    # The hosts of its registries, the usual one first. `<...>` is a part that differs; then `host_pattern` or
    # `locations` are required. `<your host>` is any host.
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()  # other names of the first of `hosts`
    locations: tuple[Location, ...] = ()
    # Locations that are accepted without being listed. Their hosts have the form of the first of `hosts`.
    location_pattern: re.Pattern[str] | None = None
    # The hosts at all locations; its groups contain the location.
    location_host_pattern: re.Pattern[str] | None = None
    # `fixed`: the host follows from the provider and the location. `optional`: the first host, unless the
    # caller names another one (self-hosted). `required`: the caller names the host.
    registry_url: RegistryUrlRule
    host_pattern: re.Pattern[str] | None = None  # the form of a host that a caller names
    host_rule: str = ""  # the same in words
    example_host: str = ""  # for the examples in the documentation
    secret_kinds: tuple[SecretKind, ...] = ("username_password", "docker_config")
    username: UsernameRule
    image_path: str  # the form of its image references
    # The first component of its repositories. `name`: it has no dot, so what has the form of a host is one.
    # `domain`: it may be the domain of an organisation. `any`: it may also be the host of another registry.
    first_component: FirstComponentRule = "any"
    permission: str
    expiry: str  # whether and when its secrets expire
    help: str
    quirks: tuple[str, ...] = ()  # common difficulties, a sentence each
    docs_url: str
    # What to do after a verification with a verdict, where it differs from the general advice.
    advice: Mapping[VerificationCode, str] = field(default_factory=dict)

    # A regular expression of its tokens, which some users enter as the username.
    refused_usernames: str = ""
    # A regular expression of usernames that its credential helpers create for an hour.
    helper_usernames: str = ""
    # Token servers outside the registry's own domain, by the host of the registry's API.
    realms: Mapping[str, str] = field(default_factory=dict)
    # Its token servers may accept any login. So a second request is sent without a login; if the token server
    # does not refuse it, the confidence of the verdict is weak.
    needs_control_login: bool = True
    forbidden: tuple[
        ForbiddenMeaning, ...
    ] = ()  # the meanings of HTTP 403; the first one that matches applies
    # Reads the expiry of the secret from a response to the login.
    expiry_in_response: Callable[[HttpResponse], datetime | None] | None = None
    # The request for the expiry after a login; `None` if there is none.
    expiry_request: Callable[[AcceptedLogin], ExpiryRequest | None] | None = None
    minter: TokenMinter | None = None  # creates logins from secrets that cannot be used as a login

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
