"""Formats the objects of the API for the command line."""

import re
from collections.abc import Iterator
from typing import Any

from regcred.apiclient.transport import Json

_SHOWN_IMAGES = 3
CREDENTIAL_HEADERS = ("NAME", "REGISTRY", "PROVIDER", "USER", "VERIFICATION", "PROJECTS", "EXPIRES", "ID")
_FRACTION = re.compile(r"\.\d+")


def credential_row(credential: Json) -> tuple[object, ...]:
    return (
        credential["name"],
        credential["registry_host"],
        credential["provider"],
        credential["username"],
        verdict(credential["verification"]),
        projects(credential["restrictions"]),
        moment(credential["expires_at"]),
        credential["id"],
    )


def credential_fields(credential: Json) -> list[tuple[str, object]]:
    """All fields except the verification."""
    provider = credential["provider"]
    where = f"{provider}, {credential['location']}" if credential["location"] else provider
    scope = [name for name in ("pull", "push") if credential["scope"][name]]
    return [
        ("id", credential["id"]),
        ("name", credential["name"]),
        ("registry", f"{credential['registry_host']} ({where})"),
        ("also hosts", credential.get("additional_hosts") or "none"),
        ("mirror of", credential.get("mirror_of") or "none"),
        ("username", credential["username"]),
        ("secret version", credential["secret_version"]),
        ("scope", scope),
        ("projects", projects(credential["restrictions"])),
        ("repositories", credential["repository_prefixes"] or "all"),
        ("description", credential["description"]),
        ("expires", moment(credential["expires_at"])),
        ("frozen", "yes, its secret is issued to nobody" if credential.get("frozen") else "no"),
        *_rotation(credential.get("rotation")),
        ("created", moment(credential["created_at"])),
        ("changed", moment(credential["updated_at"])),
    ]


def _rotation(rotation: Json | None) -> Iterator[tuple[str, object]]:
    """A rotation that waits for a login, or was discarded last."""
    if rotation is None:
        return
    if rotation["status"] == "pending":
        yield "new secret", f"waits for an accepted login until {moment(rotation['deadline'])}"
    else:
        yield "new secret", f"discarded: {rotation['code'] or rotation['reason']}"
        if rotation["detail"]:
            yield "why", rotation["detail"]


def verification_fields(state: Json, advice: object) -> Iterator[tuple[str, object]]:
    """The result of a verification, its meaning and the advice for the user."""
    yield "verification", verdict(state)
    if state["checked_at"]:
        yield "checked", moment(state["checked_at"])
    if state["detail"]:
        yield "meaning", state["detail"]
    if advice:
        yield "what to do", advice
    if probe := state.get("probe"):
        yield "image access", f"{probe['image']}: {probe['code'] or probe['detail']}"
        if probe["help"]:
            yield "what to do", probe["help"]


def verdict(state: Json) -> str:
    """Status and code, such as `verified` or `failed: bad_credential`."""
    status, code = str(state["status"]), state["code"]
    return f"{status}: {code}" if code and code != status else status


def projects(restrictions: Json) -> object:
    if not restrictions["restricted"]:
        return "all"
    return restrictions["projects"] or "none"


def moment(text: str | None) -> str | None:
    """The time without fractions of a second, which is still RFC 3339."""
    return _FRACTION.sub("", text) if text else None


def actor(event: Json) -> str:
    """The actor of an event, with the user that a service acted for."""
    name = event["actor"]["name"] or event["actor"]["id"]
    return f"{name} for {event['on_behalf_of']}" if event["on_behalf_of"] else str(name)


def event_details(event: Json) -> str:
    """The details of an audit event that have no column: reason, images and workload, or changed fields."""
    before, after = event["before"], event["after"]
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = dict(_leaves(before)), dict(_leaves(after))
        changed = (name for name in {**old, **new} if old.get(name) != new.get(name))
        return "; ".join(f"{name}: {_brief(old.get(name))} → {_brief(new.get(name))}" for name in changed)
    if event.get("action") == "audit.sealed" and isinstance(after, dict):
        return f"{after['events']} events into {after['segment']}"
    given = after if isinstance(after, dict) else {}
    used = " for ".join(filter(None, (_images(event), _workload(given.get("workload")))))
    return ": ".join(str(part) for part in (event["reason"], given.get("detail") or used) if part)


def _images(event: Json) -> str:
    images = event.get("images") or []
    more = f" and {len(images) - _SHOWN_IMAGES} more" if len(images) > _SHOWN_IMAGES else ""
    return ", ".join(images[:_SHOWN_IMAGES]) + more


def _workload(workload: Json | None) -> str | None:
    return f"{workload['kind']}/{workload['name']}" if workload else None


def _leaves(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    if "restricted" in value:  # an empty list of projects has two meanings, which `projects` distinguishes
        yield f"{path}projects", projects(value)
        return
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, f"{path}{name}.")
        else:
            yield path + name, inner


def _brief(value: object) -> str:
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text.split())
