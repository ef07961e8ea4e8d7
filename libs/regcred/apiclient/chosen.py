"""The credential that a user chooses, as fields of a request. Pure."""

from uuid import UUID


def chosen(credential: str | None) -> dict[str, str]:
    """Return the field that chooses a credential by its id or its name; none without a choice."""
    if not credential:
        return {}
    try:
        return {"credential_id": str(UUID(credential))}
    except ValueError:
        return {"credential_name": credential}
