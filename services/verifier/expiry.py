"""When a secret ends, and when that is told: 30, 7 and 1 days before, and then. Pure."""

from datetime import UTC, datetime, timedelta

import jwt

from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin

NOTICE_DAYS = (30, 7, 1, 0)  # 0: it is past
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def token_expiry(login: StoredLogin) -> datetime | None:
    """When a secret says by itself that it ends: the `exp` of a JSON Web Token (RFC 7519, section 4.1.4).

    Nobody has checked its signature: it is good enough for a warning, and for nothing else.
    """
    if not isinstance(login, RegistryLogin):
        return None
    secret = login.password or login.identity_token
    text = secret.reveal() if secret is not None else ""
    if not (text.startswith("eyJ") and text.count(".") == 2):  # noqa: PLR2004 header, claims, signature
        return None
    try:
        claims = jwt.decode(text, options={"verify_signature": False})
        end = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None
    return end if _EARLIEST < end < _LATEST else None


def earliest_expiry(*ends: datetime | None) -> datetime | None:
    """The first of those that are known, and likely."""
    return min((end for end in ends if end is not None and _EARLIEST < end < _LATEST), default=None)


def notice_due(expires_at: datetime, now: datetime) -> int | None:
    """The closest of `NOTICE_DAYS` that has come; `None` where the end is further off than all."""
    return min((days for days in NOTICE_DAYS if _moment(expires_at, days) <= now), default=None)


def next_notice(expires_at: datetime, now: datetime) -> datetime | None:
    """When the next one comes; `None` where all have."""
    return min((at for days in NOTICE_DAYS if (at := _moment(expires_at, days)) > now), default=None)


def _moment(expires_at: datetime, days: int) -> datetime:
    return expires_at - timedelta(days=days)
