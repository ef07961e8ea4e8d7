"""The tags of a repository in pages (OCI distribution specification). Pure.

A cursor contains the query of the registry's link to the next page. If the registry has no pages
(distribution before 3.0), this module divides its response into pages, and the cursor contains the last tag
of a page.
"""

import base64
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from registries.dialer.response import HttpResponse
from registries.protocol.manifests import json_object

MAX_TAGS = 10_000  # of one response
_MAX_CURSOR = 2048
_QUERY = "?"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NEXT = re.compile(r'<([^<>]{1,2048})>\s*;\s*rel="?next"?', re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,1024}")


class InvalidTagCursor(Exception):
    """The cursor is not from an earlier page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPage:
    """A page of tags, in the registry's order, or by name if the registry has no pages.

    `next` is the cursor of the next page, `None` after the last one.
    """

    tags: tuple[str, ...]
    next: str | None


def tag_query(limit: int, cursor: str | None) -> str:
    """The query for a page of `limit` tags. `cursor` is the `next` of the page before.

    Raises:
        InvalidTagCursor: the cursor is not from an earlier page.
    """
    text = "" if cursor is None else _read_cursor(cursor)
    pairs = _pairs(text[1:]) if text.startswith(_QUERY) else []
    return urlencode([("n", str(limit)), *pairs])


def read_tags(response: HttpResponse, *, limit: int, cursor: str | None) -> TagPage | None:
    """The page of `limit` tags at `cursor`; `None` if the response is not a list of tags."""
    document = json_object(response)
    if document is None or not isinstance(document.get("tags", False), list | None):
        return None
    tags = (document["tags"] or [])[:MAX_TAGS]
    valid = [tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)]
    link = _link(response)
    start = "" if cursor is None else _read_cursor(cursor)
    if link is not None or start.startswith(_QUERY) or (not start and len(valid) <= limit):
        return TagPage(tags=tuple(valid), next=link)
    remaining = sorted({tag for tag in valid if tag > start})
    return TagPage(
        tags=tuple(remaining[:limit]), next=_cursor(remaining[limit - 1]) if len(remaining) > limit else None
    )


def _link(response: HttpResponse) -> str | None:
    """The cursor of the next page, if the registry names one.

    Only the query of its link is used. The next request goes to the same URL, even if the link has another
    host or path.
    """
    for header in response.all("link"):
        found = _NEXT.search(header)
        if found is None:
            continue
        try:
            query = urlsplit(found[1]).query
        except ValueError:
            return None
        if _PRINTABLE.fullmatch(query):
            return _cursor(_QUERY + query)
    return None


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    """The content of a cursor: a tag, or `?` and a query."""
    try:
        if len(cursor) > _MAX_CURSOR:
            raise InvalidTagCursor
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise InvalidTagCursor from None
    if not _TAG.fullmatch(text) and not (text.startswith(_QUERY) and _PRINTABLE.fullmatch(text[1:])):
        raise InvalidTagCursor
    return text


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise InvalidTagCursor from None
    return [(name, value) for name, value in pairs if name != "n"]
