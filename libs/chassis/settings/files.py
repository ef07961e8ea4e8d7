"""Settings that name a file, which must be readable when the process starts."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from chassis.settings.invalid_setting import InvalidSetting


def text_of(name: str, path: Path) -> str:
    """The contents of the file that the variable `name` names. Raises `InvalidSetting`."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSetting(name, f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSetting(name, f"{path} is not text in UTF-8") from None


def secret_file(environment: Mapping[str, str], name: str) -> Path | None:
    """The file with a secret, which is read again later: it may be replaced. Raises `InvalidSetting`."""
    path = _path(environment, name)
    if path is not None and not text_of(name, path):
        raise InvalidSetting(name, f"{path} is empty")
    return path


def ca_file(environment: Mapping[str, str], name: str) -> Path | None:
    """The file with certificate authorities. Raises `InvalidSetting`."""
    path = _path(environment, name)
    if path is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError:
            raise InvalidSetting(name, f"{path} does not contain certificates in PEM") from None
        except OSError as error:
            raise InvalidSetting(name, f"{path} cannot be read: {error.strerror}") from None
    return path


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value) if value else None
