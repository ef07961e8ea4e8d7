"""The providers, and what a caller's choice of one means: where to log in, and with which username.

A provider is one file in `registries/providers/`. Usernames are no secrets: they stand in events, responses
and audit records. So one that is a secret by mistake is refused here, before anything is stored.

Raises `InvalidRegistry`, whose pointer names the field of the request.
"""

import pkgutil
import re
from collections.abc import Callable
from importlib import import_module

from contracts.credential_events import SecretKind
from registries import providers
from registries.errors import InvalidHost, InvalidRegistry
from registries.hosts import RegistryHost, canonical_host, parse_registry_url
from registries.provider import Provider

CUSTOM = "custom"  # the provider of every registry that belongs to no other


def _load_providers() -> tuple[Provider, ...]:
    """The `PROVIDER` of each module of `registries.providers`, by `order` and id."""
    names = [found.name for found in pkgutil.iter_modules(providers.__path__) if found.name[0] != "_"]
    entries = [import_module(f"{providers.__name__}.{name}").PROVIDER for name in names]
    return tuple(sorted(entries, key=lambda entry: (entry.order, entry.id)))


PROVIDERS = _load_providers()
_BY_ID = {entry.id: entry for entry in PROVIDERS}

KEYFILE_USERNAME = "_json_key"
IDENTITY_TOKEN_USERNAME = "<token>"  # noqa: S105 - the name that Docker's helpers give, not a secret
MAX_USERNAME = 255
CLOUD_KEYS = frozenset({"aws_keys", "service_principal"})

_KEYS = r"eyJ\S{40,}|-----BEGIN .*|\{.*"  # a JSON Web Token, a private key, a key file
_TOKEN = re.compile("|".join([_KEYS, *filter(None, (entry.refused_usernames for entry in PROVIDERS))]))
_HELPER_USERNAME = re.compile("|".join(filter(None, (entry.helper_usernames for entry in PROVIDERS))))


def provider(provider_id: str) -> Provider:
    """The provider with this id.

    Raises:
        InvalidRegistry: there is none; `unknown_provider` at `/provider`.
    """
    try:
        return _BY_ID[provider_id]
    except KeyError:
        known = ", ".join(_BY_ID)
        raise InvalidRegistry("/provider", "unknown_provider", f"one of {known}") from None


def provider_or_custom(provider_id: str) -> Provider:
    """The provider with this id, `custom` if there is none: events outlive providers."""
    return _BY_ID.get(provider_id, _BY_ID[CUSTOM])


def http_never_allowed(_host_and_port: str) -> bool:
    """No host may be spoken to without TLS."""
    return False


def registry_host_for(
    provider_id: str,
    registry_url: str | None,
    location: str | None,
    *,
    http_allowed: Callable[[str], bool] = http_never_allowed,
) -> tuple[str, str | None]:
    """The canonical host (`docker.io`, `reg.example.com:5000`) of the registry, and the location or `None`.

    Where the host follows from the provider, a `registry_url` may still name it, in any of its spellings; a
    Google host names the location too. `http_allowed` says whether a `host:port` may be spoken to by `http://`.

    Raises:
        InvalidRegistry: `unknown_provider`, `required`, `not_allowed`, `unknown_location`, `host_mismatch`,
            `http_not_allowed`, `invalid_host`, `path_not_allowed` or `pattern_not_allowed`.
    """
    chosen = provider(provider_id)
    named = None if not registry_url else _named_host(registry_url, chosen, http_allowed)
    location = location or None
    if chosen.locations:
        return _host_at_location(chosen, named, location)
    if location is not None:
        raise InvalidRegistry("/location", "not_allowed", f"{chosen.name} has no locations")
    if named is None:
        if chosen.registry_url == "required":
            raise InvalidRegistry("/registry_url", "required", "name the registry's host")
        return chosen.hosts[0], None
    _check_host(chosen, named)
    return named, None


def provider_of_host(host: RegistryHost | str) -> str:
    """The id of the provider that this host is known to belong to, `custom` where it may be anybody's.

    Raises:
        InvalidHost: it is no host.
    """
    name = canonical_host(host)
    return next((entry.id for entry in PROVIDERS if entry.owns(name)), CUSTOM)


def username_problem(text: str) -> tuple[str, str] | None:
    """A stable code and a sentence on why this cannot be the username of a login; `None` where it can.

    A colon would end it early in HTTP Basic authentication (RFC 7617, section 2).
    """
    if not text or len(text) > MAX_USERNAME:
        return "invalid_username", f"a username has 1 to {MAX_USERNAME} characters"
    if not text.isprintable() or text != text.strip():
        return (
            "invalid_username",
            "a username must not contain control characters, or begin or end with a space",
        )
    if _TOKEN.fullmatch(text):
        return "secret_in_username", "this is a token or key, but usernames are visible to others"
    if "://" in text:
        return "invalid_username", "this is a URL; enter the username of the login"
    if ":" in text:
        return "invalid_username", "a username must not contain a colon"
    if _HELPER_USERNAME.fullmatch(text):
        return "invalid_username", "this login was created by a credential helper and expires within the hour"
    return None


def username_for(
    provider_id: str, kind: SecretKind, given: str | None, *, pointer: str = "/credential/username"
) -> str:
    """The username to log in with.

    `_json_key` for a key file, the key's own id for keys of a cloud. For a `docker_config` it is what the
    file says. Else as the provider's rule is: named by the caller, or known (Amazon's `AWS`,
    `oauth2accesstoken` for Google's access tokens).

    Raises:
        InvalidRegistry: at `pointer`: `required`, `not_allowed`, `invalid_username`, `secret_in_username`;
            at `/provider`: `unknown_provider`; at `/credential/kind`: `not_allowed`.
    """
    chosen = provider(provider_id)
    if kind not in chosen.secret_kinds:
        accepted = ", ".join(chosen.secret_kinds)
        raise InvalidRegistry("/credential/kind", "not_allowed", f"{chosen.name} takes {accepted}")
    if kind == "keyfile":
        if given not in {None, "", KEYFILE_USERNAME}:
            raise InvalidRegistry(pointer, "not_allowed", "a key file must not have a username")
        return KEYFILE_USERNAME
    if kind in CLOUD_KEYS:
        if not given:
            raise InvalidRegistry(pointer, "required", "name the key by its id")
        return given
    allowed = chosen.username.allowed
    if not given:
        if kind == "username_password" and allowed:
            return allowed[0]
        raise InvalidRegistry(pointer, "required", chosen.username.help)
    if kind == "docker_config" and given == IDENTITY_TOKEN_USERNAME:
        return given
    problem = username_problem(given)
    if problem is not None:
        raise InvalidRegistry(pointer, *problem)
    if allowed and given not in allowed:
        choice = " or ".join(allowed)
        raise InvalidRegistry(pointer, "invalid_username", f"the username for {chosen.name} must be {choice}")
    return given


def _named_host(registry_url: str, chosen: Provider, http_allowed: Callable[[str], bool]) -> str:
    try:
        host, scheme = parse_registry_url(registry_url)
    except InvalidHost as refusal:
        raise InvalidRegistry("/registry_url", refusal.code, refusal.detail) from None
    if scheme == "http" and (chosen.registry_url == "fixed" or not http_allowed(host.host_and_port)):
        raise InvalidRegistry(
            "/registry_url",
            "http_not_allowed",
            "HTTPS is needed, unless an operator listed this host in REGCRED_VERIFIER_ALLOW_HTTP",
        )
    return canonical_host(host)


def _check_host(chosen: Provider, named: str) -> None:
    if chosen.registry_url == "fixed":
        if named != chosen.hosts[0]:
            raise _mismatch(f"{chosen.name} is at {chosen.hosts[0]}; leave registry_url out")
    elif chosen.host_pattern is not None:
        if not chosen.host_pattern.fullmatch(named):
            raise _mismatch(f"a host of {chosen.name} looks like {chosen.host_rule}")
    elif chosen.id != CUSTOM and (owner := provider_of_host(named)) not in {CUSTOM, chosen.id}:
        raise _mismatch(f"this host belongs to the provider {owner}")


def _host_at_location(chosen: Provider, named: str | None, location: str | None) -> tuple[str, str]:
    if named is None:
        if location is None:
            raise InvalidRegistry("/location", "required", f"choose the location of your {chosen.name}")
        return _host_of(chosen, location), location
    found = chosen.location_of(named)
    if found is None:
        raise _mismatch(f"this is no host of {chosen.name}; leave registry_url out and choose a location")
    if location not in {None, found}:
        _host_of(chosen, location or "")  # a location that does not exist is the clearer complaint
        raise _mismatch(f"this host is at the location {found}; leave one of the two out")
    return named, found


def _host_of(chosen: Provider, location: str) -> str:
    host = chosen.host_at(location)
    if host is None:
        raise InvalidRegistry("/location", "unknown_location", f"{chosen.name} has no such location")
    return host


def _mismatch(detail: str) -> InvalidRegistry:
    return InvalidRegistry("/registry_url", "host_mismatch", detail)
