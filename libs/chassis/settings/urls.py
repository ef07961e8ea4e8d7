"""Settings that are URLs."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from chassis.settings.invalid_setting import InvalidSetting


def http_url(environment: Mapping[str, str], name: str) -> str | None:
    """Read an http or https URL, without the slash at its end. Raises `InvalidSetting`."""
    text = environment.get(name)
    if not text:
        return None
    parts = http_parts(name, text)
    if parts.query:
        raise InvalidSetting(name, "must look like http://host:port or https://host")
    return parts.geturl().rstrip("/")


def http_parts(name: str, text: str) -> SplitResult:
    """Split an http or https URL. Its scheme is in lower case.

    Raises:
        InvalidSetting: it is another kind of URL, has a username or password, or characters that other
            programs read differently. The message does not contain the URL.
    """
    if not text.isascii() or any(character <= " " or character in '\\"<>^`\x7f' for character in text):
        raise InvalidSetting(name, "is not a URL")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidSetting(name, "is not a URL") from None
    if not host or port == 0 or parts.scheme not in {"http", "https"} or parts.fragment:
        raise InvalidSetting(name, "must look like http://host:port or https://host")
    if parts.username is not None or parts.password is not None:
        raise InvalidSetting(name, "must not contain a username or password")
    return parts
