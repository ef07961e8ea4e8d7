"""Reads a repository prefix of a credential, which may begin with the host of its registry."""

import re

from registries.catalogue import CUSTOM, provider_of_host, provider_or_custom
from registries.errors import InvalidHost, InvalidPrefix
from registries.hosts import canonical_host
from registries.repository_names import REPOSITORY_NAME
from registries.websites import registry_of_website

_PREFIX = re.compile(rf"{REPOSITORY_NAME}/?")
MAX_PREFIX = 255
_MAX_TEXT = 1024
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_FORM = "lower-case path components of an image's repository, such as acme/ or acme/shop"


def read_prefix(text: str, registry_host: str | None) -> str:
    """The prefix without the registry's own host: `acme/` for `ghcr.io/acme/` or `https://GHCR.io:443/acme/`.

    `registry_host` is the canonical host of the credential. It is `None` if the request names no valid one:
    then a host in the prefix is only removed.

    A first component with a dot can be a part of the repository: registries that mirror others have
    repositories such as `docker.io/library/nginx`. It is refused as a host where the provider cannot have
    such a repository, and if it is the own name with another port.

    Raises:
        InvalidPrefix: `other_registry`, `whole_registry` or `invalid_prefix`. The detail contains nothing of
            the text.
    """
    if len(text) > _MAX_TEXT:
        raise InvalidPrefix("invalid_prefix", _FORM)
    first, slash, path = _SCHEME.sub("", text, count=1).partition("/")
    named = _host(first)
    if named is not None and named == registry_host and not path:
        detail = "this is the registry itself; without prefixes the credential is for all its repositories"
        raise InvalidPrefix("whole_registry", detail)
    if named is not None and named == registry_host:
        prefix = path
    elif named is not None and registry_host is not None and _is_other_registry(first, named, registry_host):
        detail = f"the credential is for {registry_host}, and this names another host; enter only the path"
        raise InvalidPrefix("other_registry", detail)
    elif named is not None and registry_host is None and slash:
        prefix = path
    else:
        prefix = text
    if len(prefix) > MAX_PREFIX or not _PREFIX.fullmatch(prefix):
        raise InvalidPrefix("invalid_prefix", _FORM)
    return prefix


def _host(first_component: str) -> str | None:
    """The canonical host, if the component has the form of one."""
    if not ("." in first_component or ":" in first_component or first_component.lower() == "localhost"):
        return None
    try:
        return canonical_host(first_component)
    except InvalidHost:
        return None


def _is_other_registry(first_component: str, named: str, registry_host: str) -> bool:
    if ":" in first_component or named == registry_host.partition(":")[0]:
        return True
    match provider_or_custom(provider_of_host(registry_host)).first_component:
        case "name":
            return True
        case "domain":
            return provider_of_host(named) != CUSTOM or registry_of_website(named) is not None
        case "any":
            return False
