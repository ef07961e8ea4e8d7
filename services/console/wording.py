"""Texts for the codes of the API, and filters that format values in templates."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask import Flask, g
from markupsafe import Markup, escape

SOON = timedelta(days=30)
_YEAR = 365.25 * 86400  # seconds


class Shown(NamedTuple):
    """How a state is shown: its tone (`good`, `bad`, `warn`, `busy`, `plain`), its icon, and its text."""

    tone: str
    icon: str
    text: str


STATUS = {
    "verified": Shown("good", "check", "Verified"),
    "failed": Shown("bad", "cross", "Failed"),
    "unreachable": Shown("warn", "warn", "Unreachable"),
    "unverifiable": Shown("warn", "question", "Cannot be verified"),
    "pending": Shown("busy", "clock", "Verifying"),
}
OUTCOME = {
    "success": Shown("good", "check", "Success"),
    "failure": Shown("bad", "cross", "Failure"),
    "denied": Shown("warn", "warn", "Denied"),
}
EXPOSURE = {
    "current": Shown("bad", "cross", "To be replaced"),
    "rotated": Shown("good", "check", "Rotated"),
    "removed": Shown("good", "check", "Removed"),
}
MEANING = {
    "bad_credential": "The registry refused the username or the secret",
    "missing_scope": "The login was accepted, but the token lacks a permission",
    "forbidden": "The registry forbids this login",
    "expired": "The secret has expired",
    "rate_limited": "The registry limits the number of requests",
    "unreachable": "The registry did not respond",
    "tls_error": "The registry's certificate is not trusted",
    "blocked_host": "The operator does not allow this address",
    "not_a_registry": "The host is not a registry",
    "bad_challenge": "The registry does not describe how to log in",
    "unverifiable": "The registry accepts every login, so it cannot be verified",
    "no_pull_access": "The login was accepted, but is not allowed to pull",
    "no_push_access": "The login was accepted and can pull, but is not allowed to push",
    "secret_unreadable": "The stored secret cannot be read any more, so it was not verified",
}
ACTION = {
    "credential.added": "Added",
    "credential.details_changed": "Details changed",
    "credential.secret_rotated": "Secret rotated",
    "credential.rotation_requested": "Rotation requested",
    "credential.rotation_discarded": "Rotation discarded",
    "credential.secret_rolled_back": "Rotation rolled back",
    "credential.restrictions_changed": "Restriction changed",
    "credential.hosts_changed": "Hosts changed",
    "credential.access_withdrawn": "Access withdrawn",
    "credential.frozen": "Frozen",
    "credential.thawed": "Thawed",
    "credential.removed": "Removed",
    "verification.requested": "Verification requested",
    "verification.succeeded": "Verified",
    "verification.failed": "Verification failed",
    "verification.rotation_tested": "New secret tested",
    "verification.recovered": "Recovered",
    "verification.expiry_discovered": "Expiry found",
    "verification.expiry_approached": "Expiry is near",
    "verification.expiry_passed": "Secret has expired",
    "secret.issued": "Secret issued",
    "secret.refused": "Secret refused",
    "workload.released": "Workload gone",
    "account.erased": "Account's personal data erased",
    "audit.read": "Audit log read",
    "audit.sealed": "Audit log archived",
    "access.denied": "Access denied",
    "service_token.created": "Service token created",
    "service_token.revoked": "Service token revoked",
}
TRIGGER = {
    "added": "after it was added",
    "rotated": "after the rotation",
    "requested": "on request",
    "scheduled": "scheduled",
}
DISCARDED = {
    "not_verified": "the registry did not accept it",
    "not_in_time": "no login was possible in time",
    "superseded": "another secret or other hosts were set meanwhile",
    "refused": "the credential was changed meanwhile, and the rotation is not possible any more",
}
CANDIDATE = {
    "selected": "This credential is used.",
    "less_specific": "Eligible, but its repository prefix is less specific.",
    "not_verified": "Eligible, but another credential is verified.",
    "verification_failed": "Eligible, but its last verification failed.",
    "older": "Eligible, but another credential was added later.",
    "higher_id": "Eligible and equal in every respect, but another credential has a lower id.",
    "not_chosen": "Another credential was chosen.",
    "other_repository": "It is for other repositories of this registry.",
    "restricted": "It is restricted to other projects.",
    "no_pull_scope": "It is not set up for pulling images.",
    "no_push_scope": "It is not set up for pushing images.",
    "frozen": "It is frozen.",
    "expired": "It has expired.",
}
SELECTED = {
    "chosen": "It was chosen.",
    "only_eligible": "It is the only eligible credential.",
    "most_specific": "It has the most specific repository prefix for this image.",
    "best_verified": "It has the best verification result of the eligible credentials.",
    "newest": "It was added last of otherwise equal credentials.",
    "lowest_id": "It has the lowest id of otherwise equal credentials.",
}


def install(app: Flask) -> None:
    """Define the texts and filters for templates."""
    app.jinja_env.globals.update(
        STATUS=STATUS,
        OUTCOME=OUTCOME,
        EXPOSURE=EXPOSURE,
        MEANING=MEANING,
        ACTION=ACTION,
        TRIGGER=TRIGGER,
        DISCARDED=DISCARDED,
        CANDIDATE=CANDIDATE,
        SELECTED=SELECTED,
    )
    app.jinja_env.filters.update(
        exact=exact,
        date=date,
        ago=lambda text: ago(text, g.now),
        expiry=lambda text: expiry(text, g.now),
        brief=brief,
        codes=codes,
        monogram=monogram,
    )
    app.jinja_env.globals["changes"] = changes


def moment(text: str) -> datetime:
    """A time of the API (RFC 3339), in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def exact(text: str) -> str:
    return f"{moment(text):%-d %b %Y, %H:%M:%S} UTC"


def date(text: str) -> str:
    return f"{moment(text):%Y-%m-%d}"


def ago(text: str, now: datetime) -> str:
    """The distance of a time from now, in its largest unit."""
    seconds = (now - moment(text)).total_seconds()
    distance = abs(seconds)
    if distance >= 2 * _YEAR:
        words = f"{int(distance // _YEAR)} years"
        return f"{words} ago" if seconds > 0 else f"in {words}"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if distance >= size:
            count = int(distance // size)
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in a moment"


def expiry(text: str | None, now: datetime) -> Shown:
    """How the expiry of a secret is shown. The tone is `warn` within `SOON` and `bad` after it."""
    if text is None:
        return Shown("plain", "", "No expiry set")
    left = moment(text) - now
    if left <= timedelta(0):
        return Shown("bad", "cross", f"Expired {ago(text, now)}")
    return Shown(
        "warn" if left <= SOON else "plain", "clock" if left <= SOON else "", _capital(ago(text, now))
    )


def leaves(document: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a nested document, each with its dotted path.

    Restrictions are one value, because their empty list of projects means every project or none.
    """
    if "restricted" in document:
        yield f"{path}projects", document["projects"] if document["restricted"] else "every project"
        return
    for name, inner in document.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, f"{path}{name}.")
        else:
            yield path + name, inner


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[tuple[str, Any, Any]]:
    """The differences of two documents: dotted path, value before, and value after."""
    old, new = dict(leaves(before or {})), dict(leaves(after or {}))
    return [(path, old.get(path), new.get(path)) for path in {**old, **new} if old.get(path) != new.get(path)]


def codes(text: str) -> Markup:
    """A text of the catalogue as HTML, with the parts in backticks as code."""
    parts = re.split(r"`([^`]*)`", text)
    marked = (
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )
    return Markup("").join(marked)


def brief(value: object) -> str:
    """A value of a document as one line of text."""
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(brief, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {brief(inner)}" for name, inner in value.items())
    return str(value)


def monogram(name: str) -> str:
    """Two letters for the name of a provider: its first two capital letters, or the beginning of the name."""
    capitals = [letter for letter in name if letter.isupper()]
    return "".join(capitals[:2]) if len(capitals) > 1 else name[:2]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
