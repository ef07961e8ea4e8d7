"""Settings that are URLs."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from chassis.settings.invalid_setting import InvalidSetting


def http_url(environment: Mapping[str, str], name: str) -> str | None:
    """Read an http or https URL, without the slash at its end. Raises `InvalidSetting`."""
    text = environment.get(name)
    if not text:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidSetting(name, "is not a URL") from None
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise InvalidSetting(name, "must look like http://host:port or https://host")
    if parts.username is not None or parts.password is not None:
        raise InvalidSetting(name, "must not contain a username or password")
    return text.rstrip("/")
