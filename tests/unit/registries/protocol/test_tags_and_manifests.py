"""Tags and manifests of registries are checked before they are returned."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.dialer.response import HttpResponse
from registries.protocol.manifests import read_manifest
from registries.protocol.tag_list import InvalidTagCursor, read_tags, tag_query

INDEX = "application/vnd.oci.image.index.v1+json"
DIGEST = "sha256:" + "a" * 64


def answer(body: object, *headers: tuple[str, str]) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=200, headers=headers, body=content)


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ({"name": "a", "tags": ["1", "latest"]}, ("1", "latest")),
        ({"name": "a", "tags": None}, ()),
        ({"tags": []}, ()),
        ({"tags": ["ok", "<script>", "a\nb", 5, None, "x" * 129, "", "-a", "_a"]}, ("ok", "_a")),
    ],
    ids=["some", "null", "none", "odd"],
)
def test_tags_are_read(body: dict[str, Any], tags: tuple[str, ...]) -> None:
    page = read_tags(answer(body), limit=50, cursor=None)
    assert page is not None
    assert (page.tags, page.next) == (tags, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 5000, {"errors": []}, {"tags": {"a": 1}}])
def test_an_invalid_list_of_tags_is_refused(body: object) -> None:
    assert read_tags(answer(body), limit=50, cursor=None) is None


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ('</v2/a/tags/list?last=b&n=2>; rel="next"', "n=50&last=b"),
        ("<https://elsewhere.example/x?last=b>; rel=next", "n=50&last=b"),
        ('<?next_page=%2Bx%3D&n=2>;rel="next"', "n=50&next_page=%2Bx%3D"),
    ],
)
def test_the_next_page_uses_only_the_query_of_the_link(link: str, query: str) -> None:
    page = read_tags(answer({"tags": ["a"]}, ("link", link)), limit=50, cursor=None)
    assert page is not None
    assert page.next is not None
    assert tag_query(50, page.next) == query


@pytest.mark.parametrize(
    "link", ["", '</v2/a?last=b>; rel="prev"', "</v2/a>; rel=next", f"<?last={'b' * 3000}>; rel=next", "<//[?a=b>; rel=next", "<?last=ü>; rel=next"]
)  # fmt: skip
def test_an_unusable_link_ends_the_list(link: str) -> None:
    page = read_tags(answer({"tags": ["a"]}, ("link", link)), limit=50, cursor=None)
    assert page is not None
    assert page.next is None


@pytest.mark.parametrize("cursor", ["", "%", "ä", "a", "LWE", "P2xhc3Q", "P2xhc3Q9Ygo", "Lw" * 2000, "_w"])
def test_an_invalid_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidTagCursor):
        tag_query(50, cursor)


@given(st.text())
def test_any_text_is_a_safe_cursor_or_refused(text: str) -> None:
    try:
        query = tag_query(50, text)
    except InvalidTagCursor:
        return
    assert query.startswith("n=50")
    assert query.isascii()
    assert query.isprintable()
    assert not set(query) & set(" #?/\\\r\n")


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_the_list_of_a_registry_without_pages_is_split(limit: int) -> None:
    everything = answer({"tags": ["c", "a", "e", "b", "d", "a"]})
    found: list[str] = []
    cursor = None
    while len(found) < 10:
        assert tag_query(limit, cursor) == f"n={limit}"
        page = read_tags(everything, limit=limit, cursor=cursor)
        assert page is not None
        found += page.tags
        cursor = page.next
        if cursor is None:
            break
    assert sorted(set(found)) == ["a", "b", "c", "d", "e"]
    assert len(found) == (5 if limit < 6 else 6)


def test_the_platforms_of_an_index_are_read() -> None:
    body = {
        "mediaType": INDEX,
        "manifests": [
            {"digest": DIGEST, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": DIGEST, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": DIGEST, "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "x", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": DIGEST, "platform": {"os": "<b>", "architecture": "amd64"}},
            {"digest": DIGEST},
            "nothing",
        ],
    }
    found = read_manifest(answer(body))
    assert found is not None
    assert (found.media_type, found.size) == (INDEX, None)
    assert [(p.os, p.architecture, p.variant) for p in found.platforms] == [
        ("linux", "arm64", "v8"),
        ("linux", "amd64", None),
    ]
    assert found.digest == "sha256:" + hashlib.sha256(json.dumps(body).encode()).hexdigest()


@pytest.mark.parametrize(
    ("sizes", "total"), [((7, 100, 3), 110), ((7,), 7), ((7, -1), None), ((7, "x"), None), ((7, True), None)]
)
def test_the_size_of_an_image_needs_the_sizes_of_all_parts(sizes: tuple[Any, ...], total: int | None) -> None:
    config, *layers = ({"size": size} for size in sizes)
    found = read_manifest(answer({"config": config, "layers": layers}, ("content-type", "text/html; x")))
    assert found is not None
    assert (found.size, found.media_type, found.platforms) == (total, None, ())


@pytest.mark.parametrize("body", [b"", b"[]", {}, {"layers": 5}, {"manifests": "x"}, b"[" * 5000])
def test_an_invalid_manifest_is_refused(body: object) -> None:
    assert read_manifest(answer(body)) is None
