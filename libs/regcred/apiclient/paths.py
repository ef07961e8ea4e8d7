"""Paths of the API, and the versions that changes are based on."""

from urllib.parse import quote


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def account_path(account: str, *segments: str) -> str:
    """A path of an account."""
    return "/v1/accounts/" + "/".join(map(segment, (account, *segments)))


def etag_of(version: str) -> str:
    """The value of `If-Match` for a version without quotes; `*` where there is none."""
    return f'"{version}"' if version else "*"
