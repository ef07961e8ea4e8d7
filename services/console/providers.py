"""The providers that the API knows (`GET /v1/providers`): every form, and every name of one."""

from datetime import datetime, timedelta

from flask import current_app, g

from regcred.apiclient.client import ApiClient
from regcred.apiclient.transport import Json

_KEEP = timedelta(minutes=5)  # it changes with a release of the API
_PLACE = "regcred_providers"


def providers(api: ApiClient) -> list[Json]:
    """All of them, in the API's order. Raises `ApiError`."""
    kept: tuple[datetime, list[Json]] | None = current_app.extensions.get(_PLACE)
    if kept is None or kept[0] <= g.now:
        items: list[Json] = api.get("/v1/providers").body["items"]
        kept = current_app.extensions[_PLACE] = (g.now + _KEEP, items)
    return kept[1]


def provider_names(api: ApiClient) -> dict[str, str]:
    """What each is called."""
    return {provider["id"]: provider["name"] for provider in providers(api)}


def provider_of(api: ApiClient, provider_id: str) -> Json | None:
    """The provider with this id."""
    return next((found for found in providers(api) if found["id"] == provider_id), None)
