"""Old rows of the audit log move from the read models to signed files; both together have all rows."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from chassis.runtime.clock import rfc3339
from projector.read.api.export import PAGE, ArchivedDuringExport
from projector.rebuild.rebuild import rebuild
from projector.write import generations
from tests.integration.projector import payloads
from tests.integration.projector.installation import (
    Installation,
    Json,
    after,
)
from tests.integration.projector.payloads import CART, SHOP, content, credential


def first_twelve(installation: Installation, **wanted: Any) -> list[Json]:
    items: list[Json] = installation.site.get("audit-events", order="asc", limit=200, **wanted)["items"]
    return [item for item in items if item["position"] <= 12]


def test_archived_rows_move_unchanged_from_the_read_models_to_segments(installation: Installation) -> None:
    before = first_twelve(installation)
    printed = installation.seal(after(13.5))
    assert "archived 000000000001-000000000013: 13 rows, 2 accounts" in printed
    assert installation.positions()[0] == 14
    assert installation.positions("audit_images") == []
    assert installation.shown() == before
    assert [row["position"] for row in installation.shown(account="globex")] == [13]

    installation.site.project()
    [sealed] = installation.site.get("audit-events", action="audit.sealed")["items"]
    assert sealed["actor"] == {"type": "user", "id": "operator:ops", "name": "ops"}
    assert (sealed["after"]["last_position"], sealed["after"]["events"]) == (13, 12)
    [other] = installation.site.get("audit-events", account="globex", action="audit.sealed")["items"]
    assert other["after"]["manifest_hash"] == sealed["after"]["manifest_hash"]

    whole = installation.run("segments", "verify", installation.segments, "--with-log", "--json")
    assert json.loads(whole.stdout)["manifest_hash"] == sealed["after"]["manifest_hash"]
    assert "there are no further rows of that age" in installation.seal(after(13.5))
    assert (
        json.loads(
            installation.run(
                "proof", "--account", "acme", "--output", installation.home / "p", "--json"
            ).stdout
        )["events"]
        >= 12
    )  # the event log is complete


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        (("--since", rfc3339(after(4))), {"since": rfc3339(after(4))}),
        (("--until", rfc3339(after(6))), {"until": rfc3339(after(6))}),
        (("--after", 9), {"after": 9}),
        (("--action", "secret.issued"), {"action": "secret.issued"}),
        (("--outcome", "denied"), {"outcome": "denied"}),
        (("--actor", "ada"), {"actor": "ada"}),
        (("--actor", "eve"), {"actor": "eve"}),
        (("--credential", credential(2)), {"credential_id": str(credential(2))}),
        (("--project", "blog"), {"project_id": "blog"}),
        (("--registry", "registry-2.example.com"), {"registry_host": "registry-2.example.com"}),
        (("--image", SHOP), {"image": SHOP}),
        (("--image", CART, "--outcome", "success"), {"image": CART, "outcome": "success"}),
        (("--request-id", "r-7"), {"request_id": "r-7"}),
    ],
)
def test_every_filter_finds_the_same_rows_in_segments(
    installation: Installation, option: tuple[object, ...], asked: Json
) -> None:
    before = first_twelve(installation, **asked)
    installation.seal(after(12.5), "--size", 5)
    assert installation.shown(*option) == before


def test_segments_are_shown_as_the_csv_of_the_api(installation: Installation) -> None:
    before = installation.site.text("text/csv", order="asc", until=rfc3339(after(12.5)))
    installation.seal(after(12.5))
    done = installation.run("segments", "show", installation.segments, "--account", "acme", "--csv")
    assert list(csv.reader(done.stdout.splitlines())) == list(csv.reader(before.splitlines()))
    show = ("segments", "show", installation.segments, "--account")
    assert json.loads(installation.run(*show, "acme", "--json").stdout)["items"] == installation.shown()
    assert json.loads(installation.run(*show, "nobody", "--json").stdout) == {"items": []}


def test_responses_name_the_segments_with_missing_rows(installation: Installation) -> None:
    assert installation.site.get("audit-events")["sealed"] is None
    installation.seal(after(5.5))
    installation.seal(after(8.5))
    names = ["000000000006-000000000008", "000000000001-000000000005"]
    page = installation.site.get("audit-events", limit=3)
    assert page["sealed"] == {"up_to": 8, "count": 2, "segments": names}
    assert installation.site.get(f"credentials/{credential(1)}/events")["sealed"]["count"] == 2
    partly = installation.site.get("audit-events", since=rfc3339(after(7)), until=rfc3339(after(10)))
    assert ([item["position"] for item in partly["items"]], partly["sealed"]["segments"]) == ([9], names[:1])
    assert installation.site.get("audit-events", after=8)["sealed"] is None
    assert installation.site.get("audit-events", since=rfc3339(after(9)))["sealed"] is None
    # No row matches, but rows of that time are in the read models.
    assert installation.site.get("audit-events", until=rfc3339(after(10)), actor="eve")["items"] == []

    for accept in ("application/json", "application/x-ndjson", "text/csv"):
        gone = installation.site.client.get(
            "/v1/accounts/acme/audit-events",
            query_string={"until": rfc3339(after(6))},
            headers={"Accept": accept},
        )
        document = gone.get_json()
        assert (gone.status_code, document["code"]) == (410, "audit_sealed")
        assert document["sealed"]["segments"] == names[1:]  # the other segment begins then
        assert names[1] in document["detail"]
    with installation.site.client.get(
        "/v1/accounts/acme/audit-events", headers={"Accept": "text/csv"}
    ) as file:
        assert file.headers["Regcred-Audit-Sealed"] == f"up_to=8, count=2, segments={' '.join(names)}"


def test_an_export_fails_if_its_rows_are_archived_meanwhile(installation: Installation) -> None:
    installation.log.append_many([payloads.added(100 + number, f"n-{number}") for number in range(2 * PAGE)])
    installation.site.project()
    answer = installation.site.client.get(
        "/v1/accounts/acme/audit-events", headers={"Accept": "application/x-ndjson"}, buffered=False
    )
    lines = iter(answer.response)
    assert json.loads(next(lines))  # type: ignore[arg-type]
    installation.seal(after(4.5))
    with pytest.raises(ArchivedDuringExport):
        list(lines)
    answer.close()


def test_a_rebuild_skips_archived_rows(installation: Installation) -> None:
    installation.seal(after(8.5))
    installation.site.project()
    rebuild(installation.url, resume=False, switch=True, report=lambda _: None)
    live, built = (content(installation.log.connection, number) for number in (1, 2))
    assert built == live
    assert installation.positions(generation=2)[0] == 9
    installation.seal(after(10.5))
    assert [installation.positions(generation=number)[0] for number in (1, 2)] == [11, 11]


def test_the_event_of_an_archive_is_appended_once_to_an_idle_account(installation: Installation) -> None:
    installation.seal(after(13.5))
    installation.site.project()
    log = installation.log
    log.connection.execute("UPDATE rm_g1.audit_events SET time = %s", (after(20),))  # time passes
    log.connection.execute("UPDATE rm_g1.audit_spans SET earliest = %s, latest = %s", (after(20), after(20)))
    installation.seal(after(30))
    position = log.sequence()
    assert installation.seal(after(40)).startswith("there are no further rows")
    appended = log.connection.execute(
        "SELECT s.account_id, count(*) FROM es.events e JOIN es.streams s USING (stream_id)"
        " WHERE e.type = 'audit.sealed' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert appended == [("acme", 1), ("globex", 2)]  # position 14 was a new event of globex
    assert log.sequence() == position


def test_a_refused_archive_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    assert (
        "is in the future"
        in installation.finished(
            installation.command("seal", "--until", "2999-01-01T00:00:00Z", "--into", tmp_path / "s"), code=2
        ).stderr
    )
    assert "either --until or" in installation.run("seal", "--into", tmp_path / "s", code=2).stderr
    assert generations.create(installation.url) == 2
    assert "is being built" in installation.seal(after(5), code=2)
    installation.log.connection.execute("SELECT rm.drop_generation(2)")

    connection = installation.log.connection
    connection.execute("UPDATE rm_g1.audit_events SET event_id = gen_random_uuid() WHERE position = 3")
    assert "different events at position 3" in installation.seal(after(5), code=2)
    assert installation.positions()[0] == 1
    connection.execute("DELETE FROM rm_g1.audit_events WHERE position = 3")
    connection.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
    connection.execute("UPDATE es.events SET data = '{}' WHERE type = 'credential.restrictions_changed'")
    assert "the log is broken at position 7" in installation.seal(after(9), code=2)
    assert not list(installation.segments.glob("*[0-9]"))
    assert installation.positions()[0] == 1

    installation.seal(after(5))  # the manifest lists the missing rows
    [manifest] = installation.segments.glob("*/manifest.json")
    assert json.loads(manifest.read_text())["lacking"] == [3]


def test_an_archive_stops_before_a_dead_letter(installation: Installation) -> None:
    installation.log.connection.execute(
        "INSERT INTO es.dead_letters (consumer, position, stream_id, reason)"
        " SELECT 'projector:1', 6, stream_id, 'x' FROM es.log WHERE position = 6"
    )
    printed = installation.seal(after(12))
    assert "stopped before position 6, which is a dead letter" in printed
    assert installation.positions()[0] == 6


def test_verification_fails_if_a_segment_is_missing(installation: Installation, tmp_path: Path) -> None:
    empty = tmp_path / "segments"
    assert "nothing is archived" in installation.run("segments", "verify", empty, "--with-log").stdout
    assert "there is no segment in" in installation.run("segments", "verify", empty, code=2).stderr
    installation.seal(after(5.5), "--size", 2)
    assert len(json.loads(installation.run("segments", "list", empty, "--json").stdout)["items"]) == 3
    for _ in range(3):  # the last one, whose absence the folder alone does not show
        newest = max(empty.iterdir())
        newest.rename(tmp_path / newest.name)
        printed = installation.run("segments", "verify", empty, "--with-log", code=1).stdout
        assert f"broken: {newest.name}: it is recorded in the database" in printed


def test_an_account_is_erased_from_segments(installation: Installation) -> None:
    installation.seal(after(13.5))
    [file] = installation.segments.glob("*/acme.ndjson.gz")
    file.unlink()
    installation.run("segments", "verify", installation.segments, code=1)
    installation.run("segments", "verify", installation.segments, "--erased", "acme", "--with-log")
    shown = installation.run("segments", "show", installation.segments, "--account", "acme", code=1)
    assert "it is missing" in shown.stderr
    assert [row["position"] for row in installation.shown(account="globex")] == [13]


def test_the_exposure_report_says_which_issuances_are_archived(installation: Installation) -> None:
    """An empty report would say that no secret was issued."""
    site = installation.site
    assert site.get("exposure")["sealed"] is None
    installation.seal(after(8.5))
    page = site.get("exposure")
    assert page["sealed"]["up_to"] == 8
    assert page["items"], "position 10 remains"
    until = rfc3339(after(8.5))
    assert site.code("exposure", until=until) == (410, "audit_sealed")
    for form in ("application/json", "text/csv"):
        with site.client.get("/v1/accounts/acme/exposure", headers={"Accept": form}) as answer:
            assert ("Regcred-Audit-Sealed" in answer.headers) == (form == "text/csv")
