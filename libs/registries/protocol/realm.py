"""Which token servers a registry may send its callers to. Pure; the address is checked when it is dialled.

A realm is chosen by the registry, and gets the user's password. So it has to be at the registry's own host,
in its own domain, where the provider is known to have it, or where the operator lists it. Clients that
trusted any realm leaked credentials (`docs/reference/registry-login.md`, "Realm").
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from registries.catalogue import PROVIDERS
from registries.dialer.addresses import HTTPS_PORT, NetworkPolicy
from registries.dialer.errors import BadChallenge, Blocked

_KNOWN_REALMS = {registry: host for entry in PROVIDERS for registry, host in entry.realms.items()}
# Domains below which everybody may have a name: a neighbour there is a stranger, at any depth. Whoever has
# registry and token server side by side below one of them asks the operator to list the latter.
SHARED_DOMAINS = frozenset(
    """
    amazonaws.com amazonaws.com.cn amazonaws.eu on.aws amazonwebservices.com.cn cloudfront.net
    azure.com azurecr.cn azurecr.io azurecr.us azurewebsites.net
    appspot.com pkg.dev run.app
    aliyuncs.com icr.io jfrog.io ocir.io ondigitalocean.app scw.cloud
    ddns.net duckdns.org dyndns.org no-ip.org
    fly.dev github.io gitlab.io herokuapp.com netlify.app onrender.com pages.dev railway.app vercel.app
    workers.dev
    ngrok.app ngrok.dev ngrok.io ngrok-free.app trycloudflare.com ts.net
    """.split()  # noqa: SIM905 a list of forty quoted words is not easier to read
)
_NO_REALM = "the registry names no token server that can be asked"
_MAX_LENGTH = 2048
# What resolvers take: labels, or an address without a zone. Nothing escaped, and no separators of URLs.
_HOST = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|[0-9a-f.]*:[0-9a-f:.]+")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# Second-level labels under which countries' registries give out names (`co.uk`, `com.au`).
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "gv", "ne", "net", "or", "org"})


@dataclass(frozen=True, slots=True)
class Realm:
    """The URL of a token server that may be asked."""

    url: str

    def with_query(self, pairs: list[tuple[str, str]]) -> str:
        """The URL with more parameters behind its own."""
        parts = urlsplit(self.url)
        query = urlencode(parse_qsl(parts.query, keep_blank_values=True) + pairs)
        return urlunsplit(parts._replace(query=query))


def check_realm(realm: str, *, registry_url: str, policy: NetworkPolicy) -> Realm:
    """The token server that a challenge of `registry_url` names.

    Raises:
        BadChallenge: it is no URL.
        Blocked: it is none that may get this registry's credentials.
    """
    parts, host, port = _parsed(realm, registry_url)
    if parts.username is not None or parts.password is not None:
        raise BadChallenge("the registry's token server has a login in its URL")
    registry = urlsplit(registry_url)
    if parts.scheme == "http" and (host, port) not in policy.http:
        raise Blocked(f"its token server at {_printable(host)} would have to be spoken to without TLS")
    if not _related(host, port, registry.hostname or "", policy):
        raise Blocked(
            f"its token server at {_printable(host)} is neither its own nor one the operator allows"
        )
    return Realm(urlunsplit(parts._replace(fragment="")))


def _parsed(realm: str, registry_url: str) -> tuple[SplitResult, str, int]:
    """The URL, and its host and port as they are compared and dialled."""
    well_formed = 0 < len(realm) <= _MAX_LENGTH and _PRINTABLE.fullmatch(realm) and "\\" not in realm
    try:
        parts = urlsplit(urljoin(registry_url, realm if well_formed else ""))
        host = (parts.hostname or "").rstrip(".")
        port = (80 if parts.scheme == "http" else HTTPS_PORT) if parts.port is None else parts.port
    except ValueError:  # brackets that hold no address, a port that is no number
        raise BadChallenge(_NO_REALM) from None
    if not well_formed or parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not port:
        raise BadChallenge(_NO_REALM)
    return parts, host, port


def _related(host: str, port: int, registry: str, policy: NetworkPolicy) -> bool:
    if host == registry or _KNOWN_REALMS.get(registry) == host:
        return True
    if host in policy.hosts or (host, port) in policy.endpoints or (host, port) in policy.http:
        return True
    domain = _domain(registry)
    return domain is not None and (host == domain or host.endswith("." + domain))


def _domain(host: str) -> str | None:
    """The domain that the host shares with its kin, `None` where there is none or it is everybody's."""
    labels = host.split(".")
    if host.replace(".", "").isdigit() or ":" in host or len(labels) < 2:  # noqa: PLR2004 an address, or one label
        return None
    domain = host if len(labels) == 2 else ".".join(labels[1:])  # noqa: PLR2004 `example.com` is its own domain
    parent = domain.split(".")
    if len(parent) < 2 or any(f".{domain}".endswith(f".{shared}") for shared in SHARED_DOMAINS):  # noqa: PLR2004
        return None
    if len(parent) == 2 and parent[0] in _SECOND_LEVEL and len(parent[1]) == 2:  # noqa: PLR2004 `co.uk`
        return None
    return domain


def _printable(host: str) -> str:
    return re.sub(r"[^A-Za-z0-9.:-]", "?", host)[:100]
