"""The audit log over HTTP: filters and their combinations, cursors, exports, streams, and records of reads."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.runtime.clock import rfc3339
from contracts.credential_events import Registry
from projector.read.api.live_export import MAX_CONCURRENT, MAX_PER_ACCOUNT
from tests.integration.projector import payloads
from tests.integration.projector.payloads import CART, MOMENT, SHOP, credential
from tests.integration.projector.query_site import Site, open_site
from tests.support.timing import PATIENCE

Json = dict[str, Any]


@pytest.fixture
def filled(site: Site) -> Site:
    """Twelve events of two credentials at positions 1 to 12, a second apart."""
    site.happened(*payloads.of_two_credentials())
    return site


def positions(answer: Json) -> list[int]:
    return [item["position"] for item in answer["items"]]


def audit(site: Site, **wanted: Any) -> list[int]:
    """Positions of the first twelve events that match these filters; records of reads come after them."""
    return [p for p in positions(site.get("audit-events", order="asc", **wanted)) if p <= 12]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, list(range(1, 13))),
        ({"since": MOMENT + timedelta(seconds=4), "until": MOMENT + timedelta(seconds=6)}, [4, 5]),
        ({"until": MOMENT}, []),
        ({"since": MOMENT + timedelta(days=900)}, []),
        ({"action": "secret.issued"}, [4, 6, 10]),
        ({"outcome": "denied"}, [5]),
        ({"outcome": "failure"}, [3]),
        ({"actor": "ada", "outcome": "failure"}, [3]),
        ({"actor": "eve"}, []),
        ({"credential_id": credential(2)}, [2, 6, 7, 11]),
        ({"project_id": "blog"}, [5, 6]),
        ({"registry_host": "registry-2.example.com"}, [8, 12]),
        ({"image": SHOP}, [4, 5, 6, 10]),
        ({"image": CART}, [4]),
        ({"request_id": "r-7"}, [7]),
        ({"after": 9}, [10, 11, 12]),
    ],
)
def test_every_filter_selects_its_events(filled: Site, wanted: Json, found: list[int]) -> None:
    asked = {name: rfc3339(v) if name in {"since", "until"} else str(v) for name, v in wanted.items()}
    assert audit(filled, **asked) == found


def test_filters_combine(filled: Site) -> None:
    """Two filters select the events that both of them select."""
    filters: list[Json] = [
        {"since": rfc3339(MOMENT + timedelta(seconds=4))},
        {"until": rfc3339(MOMENT + timedelta(seconds=10))},
        {"action": "secret.issued"},
        {"outcome": "success"},
        {"actor": "ada"},
        {"credential_id": str(credential(1))},
        {"project_id": "shop"},
        {"registry_host": "ghcr.io"},
        {"image": SHOP},
        {"request_id": "r-4"},
        {"after": "3"},
    ]
    alone = [set(audit(filled, **wanted)) for wanted in filters]
    for (a, one), (b, other) in combinations(enumerate(filters), 2):
        assert set(audit(filled, **one, **other)) == alone[a] & alone[b], (one, other)
    everything: Json = {}
    for wanted in filters:
        everything |= wanted
    assert audit(filled, **everything) == [4]


def test_an_image_is_found_by_any_of_its_spellings(site: Site) -> None:
    site.happened(payloads.added(1), payloads.issued(1, 1, "docker.io/library/nginx:latest"))
    for image in ("nginx", "docker.io/library/nginx:latest", "index.docker.io/nginx:latest"):
        assert positions(site.get("audit-events", image=image)) == [2]


HUB = [
    "docker.io",
    "registry.hub.docker.com",
    "https://index.docker.io/v1/",
    "index.docker.io",
    "Docker.io:443",
]


@pytest.mark.parametrize("spelling", HUB)
def test_a_registry_is_found_by_any_of_its_spellings(site: Site, spelling: str) -> None:
    hub = Registry(provider="dockerhub", host="docker.io", location=None)
    site.happened(replace(payloads.added(1), registry=hub))
    assert positions(site.get("audit-events", registry_host=spelling)) == [1]
    [found] = site.get("credentials", registry_host=spelling)["items"]
    assert found["id"] == str(credential(1))


def test_a_repository_that_was_recorded_without_a_tag_is_found(site: Site) -> None:
    site.happened(
        payloads.added(1),
        payloads.issued(1, 1, "ghcr.io/acme/shop"),
        payloads.issued(1, 2, "ghcr.io/acme/shop:latest"),
        payloads.issued(1, 3, "ghcr.io/acme/shop:1"),
        payloads.issued(1, 4, "ghcr.io/acme/shop/web"),
    )
    for image in ("ghcr.io/acme/shop", "GHCR.io:443/acme/shop:latest"):
        expected = [3, 2] if ":latest" in image else [4, 3, 2]
        assert positions(site.get("audit-events", image=image)) == expected
    assert positions(site.get("audit-events", image="ghcr.io/acme/shop:1")) == [4]


@settings(max_examples=40, deadline=None)
@given(
    limit=st.integers(1, 6),
    order=st.sampled_from(["asc", "desc"]),
    turns=st.lists(st.booleans(), max_size=12),
)
def test_cursors_page_in_both_directions(paged: Site, limit: int, order: str, turns: list[bool]) -> None:
    """After any turn, each page is the slice of all events at its place."""
    whole = list(range(1, 13)) if order == "asc" else list(range(12, 0, -1))
    pages = [whole[start : start + limit] for start in range(0, 12, limit)]
    at = 0
    wanted: Json = {"limit": limit, "order": order, "until": rfc3339(MOMENT + timedelta(days=1))}
    page = paged.get("audit-events", **wanted)
    for onwards in turns:
        assert positions(page) == pages[at]
        assert (page["previous_cursor"] is None) == (at == 0)
        assert (page["next_cursor"] is None) == (at == len(pages) - 1)
        cursor = page["next_cursor" if onwards else "previous_cursor"]
        if cursor is not None:
            at += 1 if onwards else -1
            page = paged.get("audit-events", **wanted, cursor=cursor)


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    import psycopg

    from projector.rebuild.build_process import ROLE
    from tests.integration.projector.payloads import open_log
    from tests.support.postgres import migrated_database

    with (
        migrated_database() as url,
        open_log(url) as log,
        psycopg.connect(url, autocommit=True, options=f"-c role={ROLE}") as projector,
        open_site(url, log, projector, tmp_path_factory.mktemp("home")) as site,
    ):
        site.happened(*(payloads.added(number, f"name-{number}") for number in range(12)))
        yield site


def test_invalid_cursors_and_parameters_are_refused(filled: Site) -> None:
    for cursor in (
        "x",
        "WzFd",
        "WyIhIiwxXQ",
        "WyI8IiwtN10",
        "WyI8IiwxZTQwXQ",
        "W10",
        "WyI8IiwgOTIyMzM3MjAzNjg1NDc3NTgwOF0",
    ):
        assert filled.code("audit-events", cursor=cursor) == (400, "invalid_cursor"), cursor
    for wrong in (
        {"order": "up"},
        {"after": -1},
        {"after": 2**63},
        {"limit": 0},
        {"follow_seconds": 0},
        {"action": "secret.isued"},
        {"registry_host": "no host"},
        {"registry_host": "ghcr.io/acme"},
        {"registry_host": "a\0b"},
        {"image": "https://ghcr.io/acme/shop"},
        {"image": ""},
        {"actor": "a\0b"},
        {"image": "a\0b"},
        {"follow": "true"},
    ):
        assert filled.code("audit-events", **wrong)[0] == 422, wrong
    assert filled.code("credentials", name="a\0b")[0] == 422


def test_usages_are_listed_newest_first(filled: Site) -> None:
    answer = filled.get(f"credentials/{credential(1)}/usages")
    assert answer == {
        "items": [
            {
                "project_id": "shop",
                "workload": {"kind": "deployment", "name": "front"},
                "images": [SHOP, CART],
                "secret_version": 2,
                "first_used_at": rfc3339(MOMENT + timedelta(seconds=4)),
                "last_used_at": rfc3339(MOMENT + timedelta(seconds=10)),
                "released_at": None,
            }
        ],
        "next_cursor": None,
    }
    assert [u["project_id"] for u in filled.get(f"credentials/{credential(2)}/usages")["items"]] == ["blog"]
    assert filled.get(f"credentials/{credential(1)}/usages", account="other")["items"] == []


def test_usages_are_paginated(site: Site) -> None:
    site.happened(payloads.added(1), *(payloads.issued(1, n, project=f"p{n % 5}") for n in range(9)))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        more: Json = {"cursor": cursor} if cursor else {}
        page = site.get(f"credentials/{credential(1)}/usages", limit=2, **more)
        seen += [usage["project_id"] for usage in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["p3", "p2", "p1", "p0", "p4"]
    for cursor in ("WyJ4IiwieSJd", "WzFd", "WyIyMDI2LTAxLTAxIiwieSJd"):
        assert site.code(f"credentials/{credential(1)}/usages", cursor=cursor) == (400, "invalid_cursor")


def test_an_export_has_the_events_that_existed_at_its_start(filled: Site) -> None:
    lines = [json.loads(line) for line in filled.text("application/x-ndjson").splitlines()]
    assert [line["position"] for line in lines] == list(range(12, 0, -1))
    assert lines == filled.get("audit-events")["items"]
    rows = list(csv.DictReader(filled.text("text/csv", order="asc", project_id="shop").splitlines()))
    assert [row["position"] for row in rows] == ["4", "10"]
    assert rows[0]["image"] == f"{SHOP}, {CART}"
    assert json.loads(rows[0]["images"]) == [SHOP, CART]
    assert [line["images"] for line in reversed(lines)][2:6] == [[], [SHOP, CART], [SHOP], [SHOP]]
    assert json.loads(rows[0]["after"])["workload"] == {"kind": "deployment", "name": "front"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\uff1d1", "\tx", "\rx"])
def test_csv_cells_are_no_formulas(site: Site, name: str) -> None:
    site.happened(payloads.added(1, f"{name}abc"))
    [row] = csv.DictReader(site.text("text/csv").splitlines(keepends=True))
    assert row["credential_name"].startswith(f"'{name}")


def test_an_export_of_several_pages_has_each_event_once(site: Site) -> None:
    site.log.append_many([payloads.added(number, f"name-{number}") for number in range(2300)])
    site.project()
    lines = site.text("application/x-ndjson", order="asc").splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(range(1, 2301))


def test_reads_of_the_audit_log_are_recorded(filled: Site) -> None:
    filled.get("audit-events", limit=3, action="secret.issued")
    filled.get(f"credentials/{credential(1)}/events", limit=2)
    filled.text("text/csv", project_id="shop")
    filled.get("audit-events", actor="nobody")
    filled.project()
    page, history, file, nothing = filled.get("audit-events", action="audit.read", order="asc")["items"]
    assert page["after"]["filters"]["action"] == "secret.issued"
    assert (page["after"]["form"], page["after"]["events"]) == ("page", 3)
    assert (page["after"]["first_position"], page["after"]["last_position"]) == (4, 10)
    assert page["actor"]["name"] == "a test"
    assert page["source_ip"] == "127.0.0.1"
    assert history["after"]["filters"]["credential_id"] == str(credential(1))
    assert history["credential_id"] is None
    assert (file["after"]["form"], file["after"]["events"]) == ("csv", 2)
    assert nothing["after"]["events"] == 0
    assert 13 not in positions(filled.get(f"credentials/{credential(1)}/events"))


def test_repeated_reads_do_not_record_themselves(filled: Site) -> None:
    """Two readers ask for new events again and again."""
    after = {"one": 0, "other": 0}
    for _ in range(4):
        for who, seen in after.items():
            filled.project()
            page = filled.get("audit-events", order="asc", after=seen)
            after[who] = max([seen, *positions(page)])
    filled.project()
    assert (
        len(filled.get("audit-events", action="audit.read")["items"]) == 2
    )  # each has read the twelve events


def test_a_read_succeeds_if_it_cannot_be_recorded(filled: Site) -> None:
    filled.log.connection.execute("REVOKE EXECUTE ON FUNCTION audit.append FROM regcred_query")
    assert len(filled.get("audit-events")["items"]) == 12


def test_the_query_role_appends_audit_records_only(filled: Site, database_url: str) -> None:
    import psycopg

    request = (
        "ROW(gen_random_uuid(), 'acme', 0, ARRAY[{}]::es.new_event[], NULL, NULL, NULL)::es.append_request"
    )
    event = "ROW(gen_random_uuid(), '{}', 1, '{{}}', '{{}}')"
    with psycopg.connect(database_url, autocommit=True, options="-c role=regcred_query") as reader:
        for kinds in (["secret.issued"], ["audit.read", "audit.read"], []):
            events = ", ".join(map(event.format, kinds))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT * FROM audit.append({request.format(events)})")  # noqa: S608


def follow(site: Site, account: str = "acme", **arguments: Any) -> Iterator[bytes]:
    answer = site.client.get(
        f"/v1/accounts/{account}/audit-events",
        query_string={"follow": "true", **arguments},
        headers={"Accept": "application/x-ndjson"},
    )
    assert answer.status_code == 200, answer.text
    try:
        for chunk in answer.response:
            assert isinstance(chunk, bytes)
            yield chunk
    finally:
        answer.close()


def test_new_events_are_streamed(filled: Site) -> None:
    lines = follow(filled, follow_seconds=3600, credential_id=str(credential(1)))
    assert next(lines) == b"\n"
    found: list[Json] = []
    thread = Thread(target=lambda: found.append(json.loads(next(lines))))
    thread.start()
    filled.happened(payloads.requested(2), payloads.requested(1, 2))
    thread.join(PATIENCE)
    assert [event["position"] for event in found] == [14]
    lines.close()  # type: ignore[attr-defined]
    filled.project()
    [record] = filled.get("audit-events", action="audit.read")["items"]
    assert (record["after"]["form"], record["after"]["events"]) == ("follow", 1)


def test_a_stream_has_a_time_limit_and_continues_after_a_position(filled: Site) -> None:
    events = [json.loads(line) for line in follow(filled, follow_seconds=1, after=9) if line != b"\n"]
    assert [event["position"] for event in events] == [10, 11, 12]
    filled.project()
    again = [json.loads(line) for line in follow(filled, follow_seconds=1, after=12) if line != b"\n"]
    assert [event["action"] for event in again] == ["audit.read"]
    filled.project()
    assert list(follow(filled, follow_seconds=1, after=13)) == [b"\n"]
    filled.project()
    assert len(filled.get("audit-events", action="audit.read")["items"]) == 1  # not a record of each request


def test_the_number_of_streams_is_limited_in_all_and_for_each_account(filled: Site) -> None:
    def refusal(account: str) -> tuple[int, str]:
        path = f"/v1/accounts/{account}/audit-events?follow=true"
        refused = filled.client.get(path, headers={"Accept": "application/x-ndjson"})
        return refused.status_code, refused.get_json()["code"]

    all_lines = [follow(filled, follow_seconds=3600) for _ in range(MAX_PER_ACCOUNT)]
    for lines in all_lines:
        next(lines)
    assert refusal("acme") == (429, "too_many_at_once")
    others = [follow(filled, "globex", follow_seconds=3600) for _ in range(MAX_CONCURRENT - MAX_PER_ACCOUNT)]
    for lines in others:
        next(lines)
    assert refusal("initech") == (429, "too_many_at_once")
    all_lines.extend(others)
    all_lines[0].close()  # type: ignore[attr-defined]
    one_more = follow(filled, follow_seconds=3600)
    assert next(one_more) == b"\n"
    for lines in [*all_lines, one_more]:
        lines.close()  # type: ignore[attr-defined]
