"""The page that says which credential an image gets, and the tags that it offers."""

import pytest

from tests.unit.console.conftest import ACCOUNT, BASE, ONE, Browser
from tests.unit.console.fake_api import (
    CREDENTIAL_ID,
    FakeApi,
    page,
    problem,
)

TAGS = f"{BASE}/resolve/tags"


HTMX = {"HX-Request": "true"}


def tags_are_known(api: FakeApi) -> None:
    image = {"registry_host": "ghcr.io", "repository": "acme/shop", "tag": "latest", "digest": None}
    answer = {
        "image": image,
        "selected": {"credential_id": CREDENTIAL_ID, "reason": "only_eligible"},
        "candidates": [
            {"credential_id": CREDENTIAL_ID, "name": "team-ghcr", "eligible": True, "reason": "selected"}
        ],
        "more_candidates": 0,
        "reasons": {"selected": 1},
    }
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (200, answer)
    api.answers["GET", f"{ONE}/repositories/acme/shop/tags"] = (200, page({"name": "1.4"}, {"name": "<b>"}))


def test_tags_are_offered_after_the_colon_and_requested_once(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    shown = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop", **HTMX)
    assert '<option value="ghcr.io/acme/shop:1.4">' in shown.text
    assert '<option value="ghcr.io/acme/shop:&lt;b&gt;">' in shown.text
    assert "2 tags found with the credential team-ghcr." in shown.text
    assert api.last("POST", "/resolutions").body == {"image": "ghcr.io/acme/shop", "project_id": "shop"}
    assert 'name="asked_for" value="shop ghcr.io/acme/shop"' in shown.text
    api.requests.clear()
    again = f"{TAGS}?image=ghcr.io/acme/shop:1.4&project_id=shop&asked_for=shop+ghcr.io/acme/shop"
    assert signed_in.look(again, **HTMX).status_code == 204
    assert not api.requests


@pytest.mark.parametrize("image", ["", "ghcr.io/acme/shop", "localhost:5000/shop", "a/b@sha256:1:2"])
def test_tags_are_not_requested_before_the_colon(signed_in: Browser, api: FakeApi, image: str) -> None:
    tags_are_known(api)
    api.requests.clear()
    assert signed_in.look(f"{TAGS}?image={image}&project_id=shop", **HTMX).status_code == 204
    assert signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1", **HTMX).status_code == 204
    assert not api.requests


def test_an_unreachable_registry_is_reported_next_to_the_field(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    api.answers["GET", f"{ONE}/repositories/acme/shop/tags"] = (
        502,
        problem(502, "registry_unreachable", "ghcr.io does not answer"),
    )
    shown = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop", **HTMX)
    assert shown.status_code == 200
    assert "Tags are not available. Ghcr.io does not answer." in shown.text
    assert "asked_for" in shown.text


def test_without_htmx_the_tags_redirect_to_the_image_page(signed_in: Browser) -> None:
    sent = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop")
    assert sent.headers["Location"].startswith(f"{BASE}/resolve?image=ghcr.io")


def test_the_image_page_counts_the_candidates_that_are_not_listed(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    _, answer, *_ = api.answers["POST", f"{ACCOUNT}/resolutions"]
    other = {
        "credential_id": CREDENTIAL_ID[:-1] + "2",
        "name": "other",
        "eligible": False,
        "reason": "restricted",
    }
    answer["candidates"] += [other] * 49
    answer |= {"more_candidates": 950, "reasons": {"selected": 1, "restricted": 999}}
    shown = signed_in.look(f"{BASE}/resolve?image=ghcr.io/acme/shop&project_id=shop").text
    assert shown.count("It is restricted to other projects.") == 49 + 1
    assert "999: It is restricted to other projects." in shown
    assert "950 more are not shown" in shown
    assert len(shown) < 50 * 1024


def test_a_credential_is_chosen_for_an_image(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    status, answer, *_ = api.answers["POST", f"{ACCOUNT}/resolutions"]
    older = {"credential_id": CREDENTIAL_ID[:-1] + "2", "name": "old", "eligible": True, "reason": "older"}
    both = {**answer, "candidates": [*answer["candidates"], older]}
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (status, both)
    page_of = f"{BASE}/resolve?image=ghcr.io/acme/shop&project_id=shop"
    shown = signed_in.look(page_of).text.replace("&amp;", "&").replace("%2F", "/")
    assert f'href="{page_of}&credential_name=old"' in shown
    assert shown.count("Choose it") == 1

    selected = {"credential_id": older["credential_id"], "reason": "chosen"}
    other = {**answer["candidates"][0], "eligible": False, "reason": "not_chosen"}
    chosen = {**answer, "selected": selected, "candidates": [{**older, "reason": "selected"}, other]}
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (status, chosen)
    shown = signed_in.look(f"{page_of}&credential_name=old").text
    assert api.last("POST", "/resolutions").body["credential_name"] == "old"
    assert "It was chosen." in shown
    assert "credential_name: old" in shown


def test_an_unknown_choice_is_shown_in_the_form(signed_in: Browser, api: FakeApi) -> None:
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (404, problem(404, "credential_not_found", "none"))
    shown = signed_in.look(f"{BASE}/resolve?image=ghcr.io/a/b&project_id=shop&credential_name=gone")
    assert shown.status_code == 404
    assert "No credential of this account has this name or id." in shown.text


def test_the_url_has_no_empty_choice(signed_in: Browser) -> None:
    sent = signed_in.look(f"{BASE}/resolve?image=ghcr.io/a/b&project_id=shop&credential_name=")
    assert sent.headers["Location"] == f"{BASE}/resolve?image=ghcr.io%2Fa%2Fb&project_id=shop"
