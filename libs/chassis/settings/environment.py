"""The settings of a process (`README.md`, "With RabbitMQ and Vault"), read once at its start.

An invalid value is an error. An unknown variable `REGCRED_…` is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from chassis.settings.consumers import ConsumerSettings
from chassis.settings.drain import drain
from chassis.settings.files import ca_file, secret_file, text_of
from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.limits import LimitSettings
from chassis.settings.logins import LoginSettings
from chassis.settings.quantities import duration
from chassis.settings.trusted_proxies import NAME as TRUSTED_PROXIES
from chassis.settings.trusted_proxies import TrustedProxies
from chassis.settings.urls import http_url

_MAX_DAYS = 36_500

__all__ = ["InvalidSetting", "Settings", "VaultAccess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAccess:
    """The address of Vault, and the login of the service: an AppRole, or a token in a file."""

    address: str
    role_id: str | None
    secret_id_file: Path | None
    token_file: Path | None
    ca_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the environment.

    `database_url` is `None` for the embedded PostgreSQL, `broker_url` for an installation without a broker,
    `vault` for the encrypted store. `metrics_listen` is the address of the metrics of a service without HTTP;
    `None` if they are not served. A credential is in use if its secret was issued within `use_window`. The
    X-Forwarded-For of `proxies` is trusted. A token lives for `token_max_life` at most; `None` does not
    limit it. An API that stops drains for `drain`.
    """

    home: Path
    listen_host: str
    listen_port: int
    database_url: str | None
    broker_url: str | None
    vault: VaultAccess | None
    key_file: Path
    verifier_allow: str
    verifier_allow_http: str
    verifier_ca_file: Path | None
    logins: LoginSettings
    limits: LimitSettings
    use_window: timedelta
    consumers: ConsumerSettings
    metrics_listen: tuple[str, int] | None
    proxies: TrustedProxies
    token_issuers: str
    token_max_life: timedelta | None
    drain: timedelta

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables `REGCRED_…`. Raises `InvalidSetting`."""
        home = Path(environment.get("REGCRED_HOME") or ".regcred").absolute()
        host, port = _address("REGCRED_LISTEN", environment.get("REGCRED_LISTEN") or "127.0.0.1:8080")
        # Read by the services that log in to registries: the others do not have the file.
        verifier_ca_file = environment.get("REGCRED_VERIFIER_CA_FILE")
        metrics = environment.get("REGCRED_METRICS_LISTEN")
        return cls(
            home=home,
            listen_host=host,
            listen_port=port,
            database_url=_database(environment.get("REGCRED_DATABASE_URL")),
            broker_url=_broker(_text(environment, "REGCRED_BROKER_URL")),
            vault=_vault(environment),
            key_file=Path(environment.get("REGCRED_KEY_FILE") or home / "keys.json"),
            verifier_allow=environment.get("REGCRED_VERIFIER_ALLOW", ""),
            verifier_allow_http=environment.get("REGCRED_VERIFIER_ALLOW_HTTP", ""),
            verifier_ca_file=Path(verifier_ca_file) if verifier_ca_file else None,
            logins=LoginSettings.from_environment(environment),
            limits=LimitSettings.from_environment(environment),
            use_window=_duration(environment, "REGCRED_USE_WINDOW", "30d"),
            consumers=ConsumerSettings.from_environment(environment),
            metrics_listen=_address("REGCRED_METRICS_LISTEN", metrics) if metrics else None,
            proxies=TrustedProxies(environment.get(TRUSTED_PROXIES, "")),
            token_issuers=environment.get("REGCRED_TOKEN_ISSUERS", ""),
            token_max_life=_days(environment, "REGCRED_TOKEN_MAX_DAYS"),
            drain=drain(environment),
        )

    def allows_http(self, host: str) -> bool:
        """Whether the operator allows connections to `host[:port]` without TLS."""
        return host.lower() in {entry.strip().lower() for entry in self.verifier_allow_http.split(",")}

    def required_database_url(self) -> str:
        """The URL of the database. Raises `InvalidSetting` if there is none; only `regcred up` embeds one."""
        if self.database_url is None:
            raise InvalidSetting("REGCRED_DATABASE_URL", "is not set; only `regcred up` works without it")
        return self.database_url


def _address(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 the range of ports
        raise InvalidSetting(name, f"{text!r} is not host:port")
    return host.strip("[]"), int(port)


def _duration(environment: Mapping[str, str], name: str, default: str) -> timedelta:
    found = duration(environment.get(name) or default)
    if found is None:
        raise InvalidSetting(name, "must be a duration, such as 24h or 30d")
    return found


def _days(environment: Mapping[str, str], name: str) -> timedelta | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= _MAX_DAYS:
        raise InvalidSetting(name, f"must be a number of days, from 1 to {_MAX_DAYS}")
    return timedelta(days=int(text))


def _database(url: str | None) -> str | None:
    try:
        conninfo_to_dict(url or "")
    except ProgrammingError:  # its message can contain a part of the password
        raise InvalidSetting(
            "REGCRED_DATABASE_URL", "must be a URL such as postgresql://user@host/name"
        ) from None
    return url or None


def _broker(url: str | None) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"amqp", "amqps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message can contain a part of the password
        usable = False
    if not usable:
        raise InvalidSetting("REGCRED_BROKER_URL", "must look like amqp://host:port or amqps://host:port")
    return url


def _text(environment: Mapping[str, str], name: str) -> str | None:
    """The value of the variable, or the contents of the file that the variable `…_FILE` names.

    Passwords should not be in the environment.
    """
    path = environment.get(f"{name}_FILE")
    if environment.get(name) or not path:
        return environment.get(name) or None
    text = text_of(f"{name}_FILE", Path(path))
    if not text:
        raise InvalidSetting(f"{name}_FILE", f"{path} is empty")
    return text


def _vault(environment: Mapping[str, str]) -> VaultAccess | None:
    address = http_url(environment, "REGCRED_VAULT_ADDR")
    if address is None:
        for name in ("REGCRED_VAULT_SECRET_ID_FILE", "REGCRED_VAULT_TOKEN_FILE"):
            if environment.get(name):  # without an address, the secrets would be stored in PostgreSQL
                raise InvalidSetting("REGCRED_VAULT_ADDR", f"is missing, but {name} is set")
        return None
    access = VaultAccess(
        address=address,
        role_id=_text(environment, "REGCRED_VAULT_ROLE_ID"),
        secret_id_file=secret_file(environment, "REGCRED_VAULT_SECRET_ID_FILE"),
        token_file=secret_file(environment, "REGCRED_VAULT_TOKEN_FILE"),
        ca_file=ca_file(environment, "REGCRED_VAULT_CA_FILE"),
    )
    if access.token_file is None and (access.role_id is None or access.secret_id_file is None):
        raise InvalidSetting(
            "REGCRED_VAULT_ADDR",
            "needs REGCRED_VAULT_ROLE_ID with REGCRED_VAULT_SECRET_ID_FILE, or REGCRED_VAULT_TOKEN_FILE",
        )
    return access
