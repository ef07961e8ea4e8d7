"""Address of the API and token of the client.

The token comes from a file, never from an argument or a variable, because other users can see both (`ps`,
`/proc`, shell histories, CI logs).
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
    """How to reach the API.

    `address` has no trailing slash. `loopback`: the API is on this machine. `on_behalf_of`: the user that a
    service acts for; recorded in the audit trail. `ca_file`: certificate authorities that are trusted in
    addition to those of the system.
    """

    address: str
    token: Secret
    loopback: bool
    on_behalf_of: str | None = None
    ca_file: Path | None = None


def connection(
    address: str,
    environment: Mapping[str, str],
    *,
    allow_http: bool,
    token_file: Path | None = None,
    on_behalf_of: str | None = None,
    ca_file: Path | None = None,
) -> Connection:
    """Check the settings and read the token. The environment takes precedence over `token_file` of a profile.

    Raises:
        ConfigurationError: the address is invalid, the token would be sent in plain text, there is no token,
            or `on_behalf_of` is not valid in a header.
    """
    wrong = ConfigurationError("the address must look like http://host:port or https://host")
    if any(character <= " " or character == "\\" for character in address):
        raise wrong  # other programs remove these characters, or read another host
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise wrong
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "the address must not contain a username or password; use REGCRED_TOKEN_FILE for the token"
        )
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback and not allow_http:
        raise ConfigurationError(
            f"the token and your secrets would be sent to {host} in plain text: use https, "
            "or --allow-http if you trust the network"
        )
    if on_behalf_of and not (on_behalf_of.isascii() and on_behalf_of.isprintable()):
        raise ConfigurationError("--on-behalf-of allows only printable ASCII characters")
    return Connection(
        address=parts.geturl().rstrip("/"),  # with the scheme in lower case
        token=_token(token_path(environment, token_file)),
        loopback=loopback,
        on_behalf_of=on_behalf_of or None,
        ca_file=ca_file,
    )


def token_path(environment: Mapping[str, str], of_profile: Path | None = None) -> Path:
    """The file of the token.

    It is `REGCRED_TOKEN_FILE`, otherwise the file of the profile, otherwise the admin token of the
    one-machine mode.
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
            f"no token: {path}: {error.strerror}. Set {TOKEN_FILE} to the file of a token; "
            "`make up` creates .regcred/admin.token in its folder"
        ) from None
    # RFC 6750 section 2.1: b64token. Other characters are not valid in a header.
    if not text or len(text) > _MAX_TOKEN or not all(0x21 <= byte <= 0x7E for byte in text):  # noqa: PLR2004 ASCII
        raise ConfigurationError(f"{path} does not contain a token")
    return Secret(text.decode("ascii"))


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
