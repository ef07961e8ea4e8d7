"""Paths and ETags of the API."""

from urllib.parse import quote


def segment(text: str) -> str:
    """Quote a text as one segment of a path."""
    return quote(text, safe="")


def account_path(account: str, *segments: str) -> str:
    """Return a path of an account."""
    return "/v1/accounts/" + "/".join(map(segment, (account, *segments)))


def etag_of(version: str) -> str:
    """Return the value of `If-Match` for a version without quotes, or `*` without a version."""
    return f'"{version}"' if version else "*"
