"""Where the client finds the API, and what it shows at the door.

The token comes from a file, never from an argument or a variable: both are seen by others (`ps`, `/proc`,
shell histories, CI logs).
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from regcred.apiclient.errors import ConfigurationError
from regcred.apiclient.secret import Secret

DEFAULT_ADDRESS = "http://127.0.0.1:8080"
TOKEN_FILE = "REGCRED_TOKEN_FILE"  # noqa: S105 the name of a variable
_MAX_TOKEN = 16 * 1024  # bytes; a JWT of a trusted issuer may be long


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`address` has no trailing slash. `loopback`: the API is on this very machine. `on_behalf_of`: for whom
    a service speaks, as the audit trail will say.
    """

    address: str
    token: Secret
    loopback: bool
    on_behalf_of: str | None = None


def connection(
    address: str,
    environment: Mapping[str, str],
    *,
    allow_http: bool,
    token_file: Path | None = None,
    on_behalf_of: str | None = None,
) -> Connection:
    """How to reach the API. `token_file` is that of a profile; the environment's wins over it.

    Raises:
        ConfigurationError: the address is none, the token would travel in clear text, there is no token, or
            `on_behalf_of` cannot stand in a header.
    """
    parts = urlsplit(address)
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ConfigurationError("the address must look like http://host:port or https://host")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "the address must not contain a username or password; use REGCRED_TOKEN_FILE for the token"
        )
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback and not allow_http:
        raise ConfigurationError(
            f"the token and your secrets would travel to {host} in clear text: use https, "
            "or say --allow-http where the network is your own"
        )
    if on_behalf_of and not (on_behalf_of.isascii() and on_behalf_of.isprintable()):
        raise ConfigurationError("--on-behalf-of takes printable ASCII characters")
    return Connection(
        address=address.rstrip("/"),
        token=_token(token_path(environment, token_file)),
        loopback=loopback,
        on_behalf_of=on_behalf_of or None,
    )


def token_path(environment: Mapping[str, str], of_profile: Path | None = None) -> Path:
    """The file that holds the token: `REGCRED_TOKEN_FILE`, else that of the profile, else the one-machine
    mode's admin token.
    """
    named = environment.get(TOKEN_FILE)
    if named:
        return Path(named)
    return of_profile or Path(environment.get("REGCRED_HOME") or ".regcred") / "admin.token"


def _token(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_TOKEN + 1).strip()
    except OSError as error:
        raise ConfigurationError(
            f"no token: {path}: {error.strerror}. {TOKEN_FILE} names the file of one; "
            "`make up` makes .regcred/admin.token where it runs"
        ) from None
    # RFC 6750 section 2.1: b64token; anything else could not even stand in a header.
    if not text or len(text) > _MAX_TOKEN or not all(0x21 <= byte <= 0x7E for byte in text):  # noqa: PLR2004 ASCII
        raise ConfigurationError(f"{path} does not hold a token")
    return Secret(text.decode("ascii"))


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
