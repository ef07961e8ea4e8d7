"""What a provider of registries is: its texts, its rules, and how its registries differ from others. Pure.

`registries/providers/` has one file for each. The rest of the code asks the `Provider` and compares no ids.
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
    """A place that a provider serves from; `host` is the registry's host there."""

    id: str
    name: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernameRule:
    """What goes with the kind `username_password`; a key file's username is always `_json_key`.

    `required`: the caller names it. `fixed`: it is `allowed[0]`, and may be left out. `default`: it is one of
    `allowed`, the first where it is left out.
    """

    rule: UsernameRuleName
    label: str
    help: str
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenMeaning:
    """What HTTP 403 means at a provider, if the response contains `text` (in lower case).

    In `detail`, `{by}` stands for the server that responded.
    """

    text: str = ""
    code: VerificationCode
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedLogin:
    """A login that a registry accepted. `realm_url` is the token server that did, `None` for Basic."""

    registry_host: str
    username: str
    password: str = field(repr=False)
    realm_url: str | None


@dataclass(frozen=True, slots=True)
class ExpiryRequest:
    """A GET request that tells when a secret expires, and how to read the response."""

    url: str
    read: Callable[[HttpResponse], datetime | None]
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def expiry(self, response: HttpResponse) -> datetime | None:
        """When the secret expires, according to the response."""
        return self.read(response) if response.status == HTTPStatus.OK else None


class Mint(Protocol):
    """Creates a login for a registry from a stored secret. Raises `NotMinted`."""

    def __call__(
        self, stored: Any, registry_host: str, /, *, calls: TokenServices, at: datetime, endpoint: str | None
    ) -> Minted:
        """`endpoint`: the operator's own address of the token service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMinter:
    """Which stored secrets a cloud creates short-lived logins from, and how.

    `cloud` names the operator's setting of the endpoint (`REGCRED_<CLOUD>_ENDPOINT`). `secret` is the
    class of the stored secret. `key_usernames`: such a secret is a login in itself, and is minted only with
    one of these usernames and only for a caller that wants a short-lived login.
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

    What users read of it, and what a credential for it needs:

    `order`: its place in lists; providers with the same number are listed by id.
    `hosts`: where its registries are, the usual one first; `<...>` stands for a part that differs.
    `aliases`: hosts that are taken for the first of `hosts`.
    `registry_url`: `fixed`, the host follows from the provider and the location; `optional`, the first host
    unless another is named (self-hosted); `required`.
    `host_pattern`: what a named host has to look like, `host_rule` says it in words. `example_host`: one
    for the examples of the documentation.
    `location_pattern`: locations that are accepted without being listed. The first of `hosts` is the form of
    their hosts; the groups of `location_host_pattern` have the location of a host.
    `image_path`: the form of its images' references. `expiry`: whether and when its secrets expire.
    `quirks`: what users stumble over, a sentence each. `advice`: what to do after a verification with that
    verdict, where it differs from the general advice.

    How its registries differ from others:

    `refused_usernames`: a regular expression of its tokens, which some users enter as the username.
    `helper_usernames`: one of the usernames of logins that its credential helpers create for an hour.
    `realms`: token servers outside the registry's own domain, by the host of the registry's API.
    `needs_control_login`: its token servers may accept any login. So the token server is also asked without a
    login; unless it refuses that, the confidence of the verdict is weak.
    `forbidden`: what HTTP 403 means; the first that fits counts.
    `expiry_in_response`: reads the secret's expiry from a response to the login itself.
    `expiry_question`: where to ask for the expiry after a login; `None` if nothing can be asked.
    `minter`: creates logins from secrets that are none by themselves.
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
        """Whether a canonical host is known to be one of this provider's."""
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
        """The location of a host; `None` if the host is not one of this provider's."""
        if self.location_host_pattern is None:
            return next((entry.id for entry in self.locations if entry.host == host), None)
        found = self.location_host_pattern.fullmatch(host)
        location = next(filter(None, found.groups()), None) if found else None
        return location if location is not None and self.host_at(location) else None
