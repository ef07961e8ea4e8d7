"""The providers of the API (`GET /v1/providers`), cached for all requests."""

from datetime import datetime, timedelta

from flask import current_app, g

from regcred.apiclient.client import ApiClient
from regcred.apiclient.transport import Json

_LIFETIME = timedelta(minutes=5)  # the list changes only with a release of the API
_EXTENSION = "regcred_providers"


def providers(api: ApiClient) -> list[Json]:
    """All providers, in the order of the API. Raises `ApiError`."""
    cached: tuple[datetime, list[Json]] | None = current_app.extensions.get(_EXTENSION)
    if cached is None or cached[0] <= g.now:
        items: list[Json] = api.get("/v1/providers").body["items"]
        cached = current_app.extensions[_EXTENSION] = (g.now + _LIFETIME, items)
    return cached[1]


def provider_names(api: ApiClient) -> dict[str, str]:
    """The name of each provider by its id. Raises `ApiError`."""
    return {provider["id"]: provider["name"] for provider in providers(api)}


def provider_of(api: ApiClient, provider_id: str) -> Json | None:
    """The provider with this id; `None` if the API does not have it. Raises `ApiError`."""
    return next((found for found in providers(api) if found["id"] == provider_id), None)
