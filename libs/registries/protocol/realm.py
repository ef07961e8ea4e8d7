"""Which token servers a registry may name in its challenge. Pure; the dialer checks the address.

The registry chooses the realm, and the realm receives the user's password. So it must be at the registry's
own host, in its domain, at the known host of the provider, or paired with the registry by the operator.
Otherwise a registry could send requests to every server that the operator lists, and would get the token that
the server returns. Clients that trusted any realm leaked credentials (`docs/reference/registry-login.md`,
"Realm").

A realm in the domain of the registry may be a server that has nothing to do with it. It gets no query of the
registry's choice, and no identity token, which is sent with POST.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from registries.catalogue import PROVIDERS
from registries.dialer.addresses import HTTPS_PORT, Endpoint, NetworkPolicy
from registries.dialer.errors import BadChallenge, Blocked

_KNOWN_REALMS = {registry: host for entry in PROVIDERS for registry, host in entry.realms.items()}
# Domains below which anyone can register a name, so that two hosts below them may belong to different owners.
# A token server there is allowed only if the operator lists it.
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
_NO_REALM = "the registry names no valid token server"
_PAIR = "the operator can pair it with the registry"
_MAX_LENGTH = 2048
# Hosts that resolvers accept: labels, or an address without a zone. No escapes and no separators of URLs.
_HOST = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|[0-9a-f.]*:[0-9a-f:.]+")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# Second-level labels below which countries register names (`co.uk`, `com.au`).
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "gv", "ne", "net", "or", "org"})


@dataclass(frozen=True, slots=True)
class Realm:
    """The URL of a token server that is allowed.

    `is_own`: it is at the registry's own host, at the known host of the provider, or paired by the operator.
    """

    url: str
    is_own: bool = True

    def with_query(self, pairs: list[tuple[str, str]]) -> str:
        """The URL with `pairs` appended to its query."""
        parts = urlsplit(self.url)
        query = urlencode(parse_qsl(parts.query, keep_blank_values=True) + pairs)
        return urlunsplit(parts._replace(query=query))


def check_realm(realm: str, *, registry_url: str, policy: NetworkPolicy) -> Realm:
    """The token server that a challenge of `registry_url` names.

    Raises:
        BadChallenge: the realm is not a valid URL.
        Blocked: the token server may not receive the credentials of this registry.
    """
    parts, host, port = _parsed(realm, registry_url)
    if parts.username is not None or parts.password is not None:
        raise BadChallenge("the URL of the registry's token server contains a login")
    registry = urlsplit(registry_url)
    if parts.scheme == "http" and (host, port) not in policy.http:
        raise Blocked(f"its token server at {_printable(host)} does not use TLS; the operator can allow it")
    endpoint = (registry.hostname or "", registry.port or (80 if registry.scheme == "http" else HTTPS_PORT))
    is_own = _is_own(host, port, endpoint, policy)
    if not is_own and not _in_domain(host, endpoint[0]):
        raise Blocked(f"its token server at {_printable(host)} is at another domain; {_PAIR}")
    if not is_own and parts.query:
        raise Blocked(f"the URL of its token server at {_printable(host)} has a query; {_PAIR}")
    return Realm(urlunsplit(parts._replace(fragment="")), is_own)


def _parsed(realm: str, registry_url: str) -> tuple[SplitResult, str, int]:
    """The URL, with host and port in the form in which they are compared and dialled."""
    well_formed = 0 < len(realm) <= _MAX_LENGTH and _PRINTABLE.fullmatch(realm) and "\\" not in realm
    try:
        parts = urlsplit(urljoin(registry_url, realm if well_formed else ""))
        host = (parts.hostname or "").rstrip(".")
        port = (80 if parts.scheme == "http" else HTTPS_PORT) if parts.port is None else parts.port
    except ValueError:  # no address in brackets, or a port that is not a number
        raise BadChallenge(_NO_REALM) from None
    if not well_formed or parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not port:
        raise BadChallenge(_NO_REALM)
    return parts, host, port


def _is_own(host: str, port: int, registry: Endpoint, policy: NetworkPolicy) -> bool:
    if host == registry[0] or _KNOWN_REALMS.get(registry[0]) == host:
        return True
    return policy.pairs(registry, (host, port))


def _in_domain(host: str, registry: str) -> bool:
    domain = _domain(registry)
    return domain is not None and (host == domain or host.endswith("." + domain))


def _domain(host: str) -> str | None:
    """The domain of a host; `None` if it has none, or if anyone can register names in the domain."""
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
