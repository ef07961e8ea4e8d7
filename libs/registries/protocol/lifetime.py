"""When a secret ends, as its provider says of it after a good login: a hint for a warning, and nothing more.

    GitHub   header `GitHub-Authentication-Token-Expiration` of the registry's answers, or of api.github.com
    GitLab   `GET /api/v4/personal_access_tokens/self` at the GitLab whose token server took the login
    Google   the public certificate of the key, which the key file names (`client_x509_cert_url`)

A token is shown to nobody new: only to the host that has just taken it, and, where its form says that GitHub
made it, to GitHub's API. Google is shown none.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from cryptography import x509

from registries.dialing.session import Answer
from registries.logins.registry_login import RegistryLogin

GITHUB_HOST, GITHUB_API = "ghcr.io", "https://api.github.com/user"
_HEADER = "github-authentication-token-expiration"
_HEADER_FORMS = ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z")
_GITHUB_TOKEN, _GITLAB_TOKEN = "ghp_", "glpat-"  # how personal access tokens begin
_GITLAB_REALM = "/jwt/auth"
_GOOGLE_CERTIFICATES = "/robot/v1/metadata/x509/"
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # Google's "never" is in the year 9999


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, and how the answer says when the secret ends."""

    url: str
    read: Callable[[Answer], datetime | None]
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def expiry_in_header(answer: Answer) -> datetime | None:
    """What GitHub says of the token that the answered request showed."""
    text = answer.header(_HEADER) or ""
    for form in _HEADER_FORMS:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 the zone is added where it was a name
        except ValueError:
            continue
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def question(
    provider: str, registry_host: str, login: RegistryLogin, *, realm_url: str | None
) -> Question | None:
    """Where the end of this secret can be asked for; `None` where nobody would say, or it may not be asked.

    `realm_url` is the token server that took the login.
    """
    text = login.password.reveal() if login.password is not None else ""
    if provider == "github" and registry_host == GITHUB_HOST and text.startswith(_GITHUB_TOKEN):
        return Question(GITHUB_API, expiry_in_header, {"Authorization": f"Bearer {text}"})
    if provider == "gitlab" and text.startswith(_GITLAB_TOKEN) and realm_url is not None:
        parts = urlsplit(realm_url)
        if parts.path.endswith(_GITLAB_REALM) and text.isascii() and text.isprintable():
            path = parts.path.removesuffix(_GITLAB_REALM) + "/api/v4/personal_access_tokens/self"
            url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
            return Question(url, _told_by_gitlab, {"PRIVATE-TOKEN": text})
    if provider in ("gcr", "gar"):
        return _about_key(login.username, text)
    return None


def _told_by_gitlab(answer: Answer) -> datetime | None:
    """A day; the token ends as it begins (GitLab, "Personal access tokens")."""
    try:
        day = date.fromisoformat(json.loads(answer.body)["expires_at"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return datetime.combine(day, time(), UTC)


def _about_key(username: str, text: str) -> Question | None:
    try:
        if username == "_json_key_base64":
            text = base64.b64decode(text).decode()
        document = json.loads(text)
        key_id, url = document["private_key_id"], str(document["client_x509_cert_url"])
        parts = urlsplit(url)
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if (parts.scheme, parts.netloc) != ("https", "www.googleapis.com"):
        return None
    if not parts.path.startswith(_GOOGLE_CERTIFICATES) or not url.isascii() or not url.isprintable():
        return None

    def read(answer: Answer) -> datetime | None:
        try:
            certificate = x509.load_pem_x509_certificate(json.loads(answer.body)[key_id].encode())
            end = certificate.not_valid_after_utc
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return None
        return end if end < _LATEST else None

    return Question(url, read)


def read_end(asked: Question, answer: Answer) -> datetime | None:
    """When the secret ends, as an answer to the question says."""
    return asked.read(answer) if answer.status == HTTPStatus.OK else None
