"""The catalogue of providers: the host and username of a login that follow from the choice of a provider.

A provider is one file in `registries/providers/`. Usernames are not secret: events, responses and audit
records contain them. So a username that is a token or key by mistake is refused here, before anything is
stored.

Functions raise `InvalidRegistry`, whose pointer names the field of the request.
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

CUSTOM = "custom"  # the provider of all registries that belong to no other provider


def _load_providers() -> tuple[Provider, ...]:
    """The `PROVIDER` of each module in `registries.providers`, sorted by `order` and id."""
    names = [found.name for found in pkgutil.iter_modules(providers.__path__) if found.name[0] != "_"]
    entries = [import_module(f"{providers.__name__}.{name}").PROVIDER for name in names]
    return tuple(sorted(entries, key=lambda entry: (entry.order, entry.id)))


PROVIDERS = _load_providers()
_BY_ID = {entry.id: entry for entry in PROVIDERS}

KEYFILE_USERNAME = "_json_key"
IDENTITY_TOKEN_USERNAME = "<token>"  # noqa: S105 - the username that Docker's credential helpers use, not a secret
MAX_USERNAME = 255
CLOUD_KEYS = frozenset({"aws_keys", "service_principal"})

_KEYS = r"eyJ\S{40,}|-----BEGIN .*|\{.*"  # a JSON Web Token, a private key, a key file
_TOKEN = re.compile("|".join([_KEYS, *filter(None, (entry.refused_usernames for entry in PROVIDERS))]))
_HELPER_USERNAME = re.compile("|".join(filter(None, (entry.helper_usernames for entry in PROVIDERS))))


def provider(provider_id: str) -> Provider:
    """The provider with this id.

    Raises:
        InvalidRegistry: `unknown_provider` at `/provider`.
    """
    try:
        return _BY_ID[provider_id]
    except KeyError:
        known = ", ".join(_BY_ID)
        raise InvalidRegistry("/provider", "unknown_provider", f"must be one of {known}") from None


def provider_or_custom(provider_id: str) -> Provider:
    """The provider with this id; `custom` if there is none, because events outlive providers."""
    return _BY_ID.get(provider_id, _BY_ID[CUSTOM])


def http_never_allowed(_host_and_port: str) -> bool:
    """Allow no host without TLS."""
    return False


def registry_host_for(
    provider_id: str,
    registry_url: str | None,
    location: str | None,
    *,
    http_allowed: Callable[[str], bool] = http_never_allowed,
) -> tuple[str, str | None]:
    """The canonical host (`docker.io`, `reg.example.com:5000`) of the registry, and the location or `None`.

    If the host follows from the provider, `registry_url` may still name it, in any of its spellings. A host
    of Google also names the location. `http_allowed` says whether `http://` is allowed for a `host:port`.

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
            raise InvalidRegistry("/registry_url", "required", "enter the host of the registry")
        return chosen.hosts[0], None
    _check_host(chosen, named)
    return named, None


def provider_of_host(host: RegistryHost | str) -> str:
    """The id of the provider that the host belongs to; `custom` if it belongs to no known provider.

    Raises:
        InvalidHost: the text is not a host.
    """
    name = canonical_host(host)
    return next((entry.id for entry in PROVIDERS if entry.owns(name)), CUSTOM)


def provider_at(provider_id: str, host: str) -> str:
    """The id of the provider whose rules apply at an additional host of a credential of this provider.

    A host that belongs to a known provider is one of that. Another one is a host of the same provider, if
    that has hosts of any name, and otherwise `custom`.
    """
    owner, named = provider_of_host(host), provider_or_custom(provider_id)
    if owner != CUSTOM:
        return owner
    has_any_host = named.registry_url != "fixed" and named.host_pattern is None and not named.locations
    return provider_id if has_any_host else CUSTOM


def username_problem(text: str) -> tuple[str, str] | None:
    """An error code and a sentence that say why the text cannot be a username; `None` if it can.

    A colon would end the username in HTTP Basic authentication (RFC 7617, section 2).
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
    """The username of a login.

    It is `_json_key` for a key file, the id of the key for a cloud key, and the username in the file for a
    `docker_config`. For a password it follows from the rule of the provider: the caller names it, or it is
    known (`AWS` for Amazon, `oauth2accesstoken` for access tokens of Google).

    Raises:
        InvalidRegistry: at `pointer`: `required`, `not_allowed`, `invalid_username`, `secret_in_username`;
            at `/provider`: `unknown_provider`; at `/credential/kind`: `not_allowed`.
    """
    chosen = provider(provider_id)
    if kind not in chosen.secret_kinds:
        accepted = ", ".join(chosen.secret_kinds)
        raise InvalidRegistry("/credential/kind", "not_allowed", f"{chosen.name} accepts {accepted}")
    if kind == "keyfile":
        if given not in {None, "", KEYFILE_USERNAME}:
            raise InvalidRegistry(pointer, "not_allowed", "a key file must not have a username")
        return KEYFILE_USERNAME
    if kind in CLOUD_KEYS:
        if not given:
            raise InvalidRegistry(pointer, "required", "enter the id of the key")
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
            "HTTPS is required, unless the operator lists this host in REGCRED_VERIFIER_ALLOW_HTTP",
        )
    return canonical_host(host)


def _check_host(chosen: Provider, named: str) -> None:
    if chosen.registry_url == "fixed":
        if named != chosen.hosts[0]:
            raise _mismatch(f"the host of {chosen.name} is {chosen.hosts[0]}; omit registry_url")
    elif chosen.host_pattern is not None:
        if not chosen.host_pattern.fullmatch(named):
            raise _mismatch(f"a host of {chosen.name} has the form {chosen.host_rule}")
    elif chosen.id != CUSTOM and (owner := provider_of_host(named)) not in {CUSTOM, chosen.id}:
        raise _mismatch(f"this host belongs to the provider {owner}")


def _host_at_location(chosen: Provider, named: str | None, location: str | None) -> tuple[str, str]:
    if named is None:
        if location is None:
            raise InvalidRegistry("/location", "required", f"choose the location of your {chosen.name}")
        return _host_of(chosen, location), location
    found = chosen.location_of(named)
    if found is None:
        raise _mismatch(f"this is not a host of {chosen.name}; omit registry_url and choose a location")
    if location not in {None, found}:
        _host_of(chosen, location or "")  # raises unknown_location, which is the more helpful error
        raise _mismatch(f"this host is at the location {found}; omit registry_url or location")
    return named, found


def _host_of(chosen: Provider, location: str) -> str:
    host = chosen.host_at(location)
    if host is None:
        raise InvalidRegistry("/location", "unknown_location", f"{chosen.name} does not have this location")
    return host


def _mismatch(detail: str) -> InvalidRegistry:
    return InvalidRegistry("/registry_url", "host_mismatch", detail)
