"""When a secret expires, and when notices of it are due: 30, 7 and 1 days before, and at the expiry. Pure."""

from datetime import UTC, datetime, timedelta

import jwt

from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin

NOTICE_DAYS = (30, 7, 1, 0)  # 0: the secret has expired
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def token_expiry(login: StoredLogin) -> datetime | None:
    """The `exp` of a secret that is a JSON Web Token (RFC 7519, section 4.1.4); `None` for other secrets.

    The signature is not checked, so the value is suitable for notices only.
    """
    if not isinstance(login, RegistryLogin):
        return None
    secret = login.password or login.identity_token
    text = secret.reveal() if secret is not None else ""
    if not (text.startswith("eyJ") and text.count(".") == 2):  # noqa: PLR2004 header, claims, signature
        return None
    try:
        claims = jwt.decode(text, options={"verify_signature": False})
        expiry = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None
    return expiry if _EARLIEST < expiry < _LATEST else None


def earliest_expiry(*known: datetime | None) -> datetime | None:
    """The earliest of the times that are known and plausible."""
    return min((time for time in known if time is not None and _EARLIEST < time < _LATEST), default=None)


def notice_due(expires_at: datetime, now: datetime) -> int | None:
    """The last of `NOTICE_DAYS` that has been reached; `None` if none has."""
    return min((days for days in NOTICE_DAYS if _moment(expires_at, days) <= now), default=None)


def next_notice(expires_at: datetime, now: datetime) -> datetime | None:
    """When the next notice is due; `None` after the last one."""
    return min((at for days in NOTICE_DAYS if (at := _moment(expires_at, days)) > now), default=None)


def _moment(expires_at: datetime, days: int) -> datetime:
    return expires_at - timedelta(days=days)
