"""The tags of a repository, page by page, as registries answer them (OCI distribution specification). Pure.

A place in the list is where an earlier page ended: the query of the registry's own link to the next page; or
a tag, where the registry knows no pages (distribution before 3.0) and its whole answer is cut into them here.
"""

import base64
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from registries.dialer.response import HttpResponse
from registries.protocol.manifests import json_object

MAX_TAGS = 10_000  # of one answer
_MAX_PLACE = 2048
_QUERY = "?"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NEXT = re.compile(r'<([^<>]{1,2048})>\s*;\s*rel="?next"?', re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,1024}")


class InvalidPlace(Exception):
    """A place in a list that none of its pages can have given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPage:
    """Tags in the registry's order; by name where it knows no pages. `next` is where the list goes on, `None`
    at its end.
    """

    tags: tuple[str, ...]
    next: str | None


def tag_query(limit: int, place: str | None) -> str:
    """The query for a page of `limit` tags, behind a place that an earlier page gave.

    Raises:
        InvalidPlace: it is none.
    """
    text = "" if place is None else _read_place(place)
    pairs = _pairs(text[1:]) if text.startswith(_QUERY) else []
    return urlencode([("n", str(limit)), *pairs])


def read_tags(answer: HttpResponse, *, limit: int, place: str | None) -> TagPage | None:
    """The page of `limit` tags at `place`; `None` where the answer is no list of tags."""
    document = json_object(answer)
    if document is None or not isinstance(document.get("tags", False), list | None):
        return None
    tags = (document["tags"] or [])[:MAX_TAGS]
    good = [tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)]
    link = _link(answer)
    behind = "" if place is None else _read_place(place)
    if link is not None or behind.startswith(_QUERY) or (not behind and len(good) <= limit):
        return TagPage(tags=tuple(good), next=link)
    left = sorted({tag for tag in good if tag > behind})
    return TagPage(tags=tuple(left[:limit]), next=_place(left[limit - 1]) if len(left) > limit else None)


def _link(answer: HttpResponse) -> str | None:
    """The place behind this page, if the registry names one: the query of its link, and nothing else of it.
    It is asked for where this page was, wherever the link points.
    """
    for header in answer.all("link"):
        found = _NEXT.search(header)
        if found is None:
            continue
        try:
            query = urlsplit(found[1]).query
        except ValueError:
            return None
        if _PRINTABLE.fullmatch(query):
            return _place(_QUERY + query)
    return None


def _place(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_place(place: str) -> str:
    """A tag, or `?` and a query."""
    try:
        if len(place) > _MAX_PLACE:
            raise InvalidPlace
        padded = place + "=" * (-len(place) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise InvalidPlace from None
    if not _TAG.fullmatch(text) and not (text.startswith(_QUERY) and _PRINTABLE.fullmatch(text[1:])):
        raise InvalidPlace
    return text


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise InvalidPlace from None
    return [(name, value) for name, value in pairs if name != "n"]
