"""Settings of the console, from environment variables.

REGCRED_API_URL         URL of the REST API; without it: the API of the same process (one-machine mode)
REGCRED_CA_FILE         certificate authorities of the API, in addition to those of the system
REGCRED_CONSOLE_LISTEN  address of `python -m console`, 127.0.0.1:8081
REGCRED_TRUSTED_PROXIES proxies whose `X-Forwarded-For` is trusted
REGCRED_DRAIN_SECONDS   time in which a stopping console is not ready and handles requests, 0
REGCRED_CONSOLE_URL     URL in the browser; with https://, cookies are `Secure` and HSTS is sent
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chassis.settings.drain import drain
from chassis.settings.files import ca_file
from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.trusted_proxies import NAME as TRUSTED_PROXIES
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.settings.urls import http_url

DEFAULT_API = "http://127.0.0.1:8080"
DEFAULT_LISTEN = "127.0.0.1:8081"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The settings of the console.

    `api_url` has no trailing slash; `None` if it is not set. `token_hint` is the path of the file with the
    first token, which the sign-in page names; `None` if there is no such file.
    """

    api_url: str | None
    listen_host: str
    listen_port: int
    tls: bool
    proxies: TrustedProxies | None = None
    drain: timedelta = timedelta(0)
    token_hint: str | None = None
    ca_file: Path | None = None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, token_hint: str | None = None
    ) -> "ConsoleSettings":
        """Read `REGCRED_…`. Raises `InvalidSetting`."""
        host, port = _address(environment.get("REGCRED_CONSOLE_LISTEN") or DEFAULT_LISTEN)
        api_url = http_url(environment, "REGCRED_API_URL")
        console_url = http_url(environment, "REGCRED_CONSOLE_URL")
        return cls(
            api_url=api_url,
            listen_host=host,
            listen_port=port,
            tls=console_url is not None and console_url.startswith("https://"),
            proxies=TrustedProxies(environment.get(TRUSTED_PROXIES, "")),
            drain=drain(environment),
            token_hint=token_hint,
            ca_file=ca_file(environment, "REGCRED_CA_FILE"),
        )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 the range of ports
        raise InvalidSetting("REGCRED_CONSOLE_LISTEN", f"{text!r} is not host:port")
    return host.strip("[]"), int(port)
