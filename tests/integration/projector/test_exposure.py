"""The exposure report over HTTP: which secrets were issued, to whom, and which are still to be replaced."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.runtime.clock import rfc3339
from contracts.credential_events import CredentialFrozen
from contracts.issuance_events import Workload
from projector.read.exposure import MOST_LISTED
from projector.read.selection import write_cursor
from tests.integration.projector import payloads
from tests.integration.projector.payloads import MOMENT, credential, issued
from tests.integration.projector.query_site import Site

Json = dict[str, Any]
JOB = Workload(kind="Job", name="nightly/report")


@pytest.fixture
def filled(site: Site) -> Site:
    """Three credentials: the first is rotated and issued again, the second removed, the third frozen."""
    site.happened(
        *payloads.of_two_credentials(),
        payloads.added(3, "three"),
        replace(issued(3, 5), workload=JOB, credential_name="three"),
        CredentialFrozen(credential_id=credential(3), reason="leaked"),
    )
    return site


def report(site: Site, **wanted: Any) -> dict[tuple[int, int], Json]:
    """The items by the number of the credential and the version of the secret."""
    numbers = {str(credential(number)): number for number in (1, 2, 3)}
    items = site.get("exposure", **wanted)["items"]
    return {(numbers[item["credential_id"]], item["secret_version"]): item for item in items}


def test_the_report_is_a_checklist_of_issued_secrets(filled: Site) -> None:
    found = report(filled)
    states = {key: (item["state"], item["to_do"], item["frozen"]) for key, item in found.items()}
    assert states == {
        (1, 1): ("rotated", False, False),
        (1, 2): ("current", True, False),
        (2, 1): ("removed", False, False),
        (3, 1): ("current", True, True),
    }
    assert found[1, 1]["current_version"] == 2
    assert found[2, 1]["current_version"] is None
    assert {item["credential_name"] for item in found.values()} == {"one", "team", "three"}
    assert found[3, 1]["workloads"] == [
        {"project_id": "shop", "workload": {"kind": "Job", "name": "nightly/report"}}
    ]
    assert [actor["id"] for actor in found[1, 1]["actors"]] == ["ada"]
    assert set(report(filled, to_do="true")) == {(1, 2), (3, 1)}


def test_several_issuances_of_a_secret_are_one_item(filled: Site) -> None:
    filled.happened(issued(1, 6, version=2, project="blog"))
    item = report(filled)[1, 2]
    assert item["issued"] == 2
    assert item["first_issued_at"] < item["last_issued_at"]
    assert sorted(one["project_id"] for one in item["workloads"]) == ["blog", "shop"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"project_id": "blog"}, {(2, 1)}),
        ({"project_id": "other"}, set()),
        ({"workload": "deployment/front"}, {(1, 1), (1, 2), (2, 1)}),
        ({"workload": "DEPLOYMENT/front"}, {(1, 1), (1, 2), (2, 1)}),
        ({"workload": "job/nightly/report"}, {(3, 1)}),
        ({"workload": "job/nightly"}, set()),
        ({"actor": "ada"}, {(1, 1), (1, 2), (2, 1), (3, 1)}),
        ({"actor": "eve"}, set()),
        ({"since": rfc3339(MOMENT + timedelta(seconds=5))}, {(1, 2), (2, 1), (3, 1)}),
        ({"until": rfc3339(MOMENT + timedelta(seconds=5))}, {(1, 1)}),
        ({"source_ip": "203.0.113.99"}, set()),
        ({"source_ip": "2001:DB8::0:1"}, set()),
    ],
)
def test_every_filter_selects_its_issuances(filled: Site, wanted: Json, found: set[tuple[int, int]]) -> None:
    assert set(report(filled, **wanted)) == found


def test_the_source_address_selects_its_issuances(filled: Site) -> None:
    filled.log.connection.execute(
        "UPDATE rm_g1.audit_events SET source_ip = CASE position WHEN 4 THEN '10.0.0.7' ELSE '2001:db8::1' END"
        " WHERE position IN (4, 6)"
    )
    assert report(filled)[1, 1]["source_ips"] == ["10.0.0.7"]
    assert set(report(filled, source_ip="10.0.0.7")) == {(1, 1)}
    assert set(report(filled, source_ip="2001:DB8:0::1")) == {(2, 1)}


@pytest.mark.parametrize(
    "wanted",
    [
        {"workload": "front"},
        {"workload": "/front"},
        {"workload": "deployment/"},
        {"workload": "a/b\0"},
        {"source_ip": "nowhere"},
        {"source_ip": ""},
        {"project_id": "a\0"},
        {"since": "yesterday"},
        {"action": "secret.refused"},
    ],
)
def test_a_wrong_filter_is_refused(filled: Site, wanted: Json) -> None:
    assert filled.code("exposure", **wanted) == (422, "invalid_request")


@pytest.mark.parametrize(
    "key", [["x", 1], [1, 1], [str(credential(1)), -1], [str(credential(1)), 2**40], [str(credential(1))]]
)
def test_a_wrong_cursor_is_refused(filled: Site, key: list[Any]) -> None:
    assert filled.code("exposure", cursor=write_cursor(key)) == (400, "invalid_cursor")


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_have_every_item_once(filled: Site, limit: int) -> None:
    found, cursor = [], None
    while True:
        page = filled.get("exposure", limit=limit, **({"cursor": cursor} if cursor else {}))
        found += [(item["credential_id"], item["secret_version"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == limit
    everything = filled.get("exposure")["items"]
    assert found == [(item["credential_id"], item["secret_version"]) for item in everything]
    assert len(set(found)) == 4


def test_lists_of_recipients_are_limited_and_say_so(site: Site) -> None:
    site.happened(payloads.added(1))
    site.log.append_many(
        [
            replace(issued(1, number), workload=Workload(kind="job", name=f"job-{number}"))
            for number in range(MOST_LISTED + 1)
        ]
    )
    site.project()
    [item] = site.get("exposure")["items"]
    assert (item["issued"], len(item["workloads"]), item["more_workloads"]) == (
        MOST_LISTED + 1,
        MOST_LISTED,
        True,
    )
    assert (item["more_actors"], item["more_source_ips"]) == (False, False)


def csv_of(site: Site, **wanted: Any) -> list[dict[str, str]]:
    with site.client.get(
        "/v1/accounts/acme/exposure", query_string=wanted, headers={"Accept": "text/csv"}
    ) as answer:
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="exposure.csv"'
        return list(csv.DictReader(answer.get_data(as_text=True).splitlines()))


def test_the_csv_has_every_item(filled: Site) -> None:
    rows = csv_of(filled)
    assert [(row["credential_id"], row["secret_version"]) for row in rows] == [
        (item["credential_id"], str(item["secret_version"])) for item in filled.get("exposure")["items"]
    ]
    [job] = csv_of(filled, workload="job/nightly/report")
    assert (job["to_do"], job["frozen"], job["workloads"]) == ("true", "true", "shop Job/nightly/report")


def test_another_account_is_not_in_the_report(filled: Site) -> None:
    assert filled.get("exposure", account="other")["items"] == []


@pytest.mark.parametrize(("form", "read"), [("page", report), ("csv", csv_of)])
def test_each_report_is_recorded_in_the_audit_trail(
    filled: Site, form: str, read: Callable[..., object]
) -> None:
    read(filled, project_id="blog")
    filled.project()
    [row] = filled.get("audit-events", action="audit.read")["items"]
    assert row["after"]["form"] == form
    assert (row["after"]["events"], row["after"]["first_position"], row["after"]["last_position"]) == (
        1,
        6,
        6,
    )
    assert row["after"]["filters"]["action"] == "secret.issued"
    assert row["after"]["filters"]["project_id"] == "blog"
