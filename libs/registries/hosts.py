"""The parser of registry hosts. It gives each host one canonical spelling.

    host        := dns-name | "localhost" | ipv4 | "[" ipv6 "]"
    registry    := host [ ":" port ]        a name without a dot needs a port: else it is a Docker Hub user

The grammar is the `domain` of distribution/reference, with stricter rules for security. An address must have
its usual form (not `127.1`, `0x7f000001` or `2130706433`). Names consist of letters, digits and hyphens (RFC
1123), or follow IDNA 2008. User, path, query, escapes and white space are not allowed. Port 443 is the same
as no port.

Docker Hub has several names. `docker.io` is the canonical one, as in image references. Its API is at
`registry-1.docker.io`, and Docker's configuration calls it `https://index.docker.io/v1/`.

Functions raise `InvalidHost`, with a detail that contains nothing of the input.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from registries.errors import InvalidHost
from registries.repository_names import REPOSITORY_NAME
from registries.websites import refuse_website

DOCKER_HUB = "docker.io"
DOCKER_HUB_OLD_NAME = "index.docker.io"  # clients read it as docker.io; go-containerregistry still uses it
DOCKER_HUB_CONFIG_KEY = "https://index.docker.io/v1/"
# Without `hub.docker.com`, which is the API of the web site and not a registry.
DOCKER_HUB_ALIASES = frozenset(
    {DOCKER_HUB, DOCKER_HUB_OLD_NAME, "registry-1.docker.io", "registry.hub.docker.com"}
)

HTTP_PORT = 80
HTTPS_PORT = 443
_MAX_PORT = 65535
_MAX_NAME = 253  # RFC 1035, section 2.3.4, without the final dot
_MAX_TEXT = 512  # longer than any valid name; a longer text is refused without being parsed
_MAX_PATH = 255

_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# If the last label is a number, resolvers read the name as an address (WHATWG URL, host parsing).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_REPOSITORY_PATH = re.compile(rf"{REPOSITORY_NAME}/?")


@dataclass(frozen=True, slots=True)
class RegistryHost:
    """A host (name, IPv4 address or bracketed IPv6 address, in lower case) and a port, `None` for 443.

    `parse` creates it. `str()` returns `host[:port]`, which parses to the same value.
    """

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def host_and_port(self) -> str:
        """`host:port` with a port in all cases, the form of the operator's lists."""
        return f"{self.host}:{self.port or HTTPS_PORT}"

    @classmethod
    def parse(cls, text: str) -> "RegistryHost":
        """Read `host[:port]`.

        Raises:
            InvalidHost: the text does not have this form.
        """
        if not text or len(text) > _MAX_TEXT:
            raise InvalidHost("enter a registry host, such as registry.example.com or localhost:5000")
        if " " in text or not text.isprintable():  # other white space is not printable
            raise InvalidHost("a registry host must not contain spaces, line breaks or control characters")
        if "@" in text:
            raise InvalidHost("a registry host must not contain a username or password")
        if "*" in text:
            raise InvalidHost("patterns are not supported; enter one host", "pattern_not_allowed")
        if "/" in text:
            raise InvalidHost("enter only the host, without a path", "path_not_allowed")
        name, port = _split_port(text)
        host = _address_v6(name) if name.startswith("[") else _name_or_address_v4(name)
        if "." not in host and not host.startswith("[") and host != "localhost":
            # `myhost/app` is an image of Docker Hub. Only a port shows that `myhost` is a host.
            if port is None:
                raise InvalidHost(
                    "a host name without a domain needs a port; enter the port or the full name"
                )
            return cls(host, port)
        return cls(host, None if port == HTTPS_PORT else port)


def parse_registry_url(text: str) -> tuple[RegistryHost, str | None]:
    """Read a `registry_url`: `host[:port]`, with or without scheme and a final `/`, `/v1/` or `/v2/`.

    The scheme is `http`, `https`, or `None` if the text has none. `http://` without a port means port 80.

    Raises:
        InvalidHost: the text does not have this form; `path_not_allowed` if it has the path of a repository,
            `not_a_registry` if it is the address of a web site.
    """
    refuse_website(text)
    scheme, rest = _split_scheme(text)
    authority, slash, path = rest.partition("/")
    if slash and path.rstrip("/") not in {"", "v1", "v2"}:
        raise InvalidHost("enter only the host; a path belongs in repository_prefixes", "path_not_allowed")
    if scheme == "http" and authority and not _has_port(authority):
        authority = f"{authority}:{HTTP_PORT}"
    return RegistryHost.parse(authority), scheme


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """A key of a Docker config.json: a host, or the repositories below a path of a host."""

    host: RegistryHost
    path_prefix: str | None


def parse_config_key(text: str) -> ConfigKey:
    """Read a key under `auths` of a Docker config.json, or the server name of a credential helper.

    Scheme and API version are ignored, as Docker and Kubernetes do. Examples of keys are
    `https://index.docker.io/v1/`, `http://reg:5000`, `quay.io/v1`, `gcr.io/project` and `reg.io/ns/repo`.

    Raises:
        InvalidHost: the text does not have this form, is a pattern of Kubernetes (`*.azurecr.io`), or names a
            web site.
    """
    refuse_website(text)
    _, rest = _split_scheme(text)
    authority, _, path = rest.partition("/")
    host = RegistryHost.parse(authority)
    if path in {"v1", "v2"}:
        path = ""
    elif path.startswith(("v1/", "v2/")):
        path = path[3:]
    if not path:
        return ConfigKey(host, None)
    if len(path) > _MAX_PATH or not _REPOSITORY_PATH.fullmatch(path):
        raise InvalidHost("the path after the host is not the name of a repository", "path_not_allowed")
    return ConfigKey(host, path)


def canonical_host(host: RegistryHost | str) -> str:
    """The canonical spelling of a host, which is stored and compared.

    It is `docker.io` for all names of Docker Hub.
    """
    return _canonical(host if isinstance(host, str) else str(host))


@lru_cache(maxsize=1024)  # nearly all images come from a few hosts
def _canonical(text: str) -> str:
    host = str(RegistryHost.parse(text))
    return DOCKER_HUB if host in DOCKER_HUB_ALIASES else host


def api_host(host: RegistryHost | str) -> str:
    """The host of the registry's API: `registry-1.docker.io` for Docker Hub, otherwise the host itself."""
    text = canonical_host(host)
    return "registry-1.docker.io" if text == DOCKER_HUB else text


def config_key(host: RegistryHost | str) -> str:
    """The key under which Docker and Kubernetes look up this host in a Docker config.json."""
    text = canonical_host(host)
    return DOCKER_HUB_CONFIG_KEY if text == DOCKER_HUB else text


def _split_scheme(text: str) -> tuple[str | None, str]:
    found = _SCHEME.match(text[:_MAX_TEXT])
    if found is None:
        return None, text
    scheme = found[1].lower()
    if scheme not in {"http", "https"}:
        raise InvalidHost("the scheme must be https:// or http://; it can be omitted")
    return scheme, text[found.end() :]


def _has_port(authority: str) -> bool:
    return ":" in authority.rpartition("]")[2]


def _split_port(text: str) -> tuple[str, int | None]:
    if not _has_port(text):
        return text, None
    name, _, digits = text.rpartition(":")
    if not _PORT.fullmatch(digits) or int(digits) > _MAX_PORT:
        raise InvalidHost("the port after the colon must be a number from 1 to 65535")
    return name, int(digits)


def _address_v6(text: str) -> str:
    if not text.endswith("]") or "%" in text:
        raise InvalidHost("an IPv6 address must be in brackets, without a zone")
    try:
        address = ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise InvalidHost("the text in brackets is not an IPv6 address") from None
    if address.ipv4_mapped is not None:
        raise InvalidHost("enter the IPv4 address instead of an IPv4-mapped address")
    return f"[{address.compressed}]"


def _name_or_address_v4(text: str) -> str:
    labels = text.lower().split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise InvalidHost(
                "an IPv4 address is written as four decimal numbers, such as 192.0.2.1"
            ) from None
    name = ".".join(_label(label) for label in labels)
    if len(name) > _MAX_NAME:
        raise InvalidHost(f"a host name has at most {_MAX_NAME} characters")
    return name


def _label(label: str) -> str:
    """The label in ASCII.

    IDNA 2008 is applied without mapping, so that full-width letters and similar ones are refused.
    """
    try:
        ascii_label = label if label.isascii() else idna.encode(label).decode("ascii")
        if ascii_label.startswith("xn--"):
            idna.decode(ascii_label)
    except UnicodeError:
        raise InvalidHost("the host name is not a valid internationalised name") from None
    if not _LABEL.fullmatch(ascii_label):
        raise InvalidHost("a host name may contain letters, digits, hyphens and dots only, and no empty part")
    return ascii_label
