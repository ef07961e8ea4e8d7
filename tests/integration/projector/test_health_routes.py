"""The routes of the console's overview and system page: counts, uses, consumers and dead letters."""

from dataclasses import replace

import psycopg

from contracts.verdicts import VerificationCode
from eventlog.events import encode
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Log, credential, stream_of
from tests.integration.projector.query_site import Site


def test_a_summary_counts_statuses_and_lists_the_next_expiries(site: Site) -> None:
    site.happened(
        payloads.added(1, "one"),
        payloads.failed(1, 1),
        payloads.added(2, "two"),
        payloads.succeeded(2, 2),
        payloads.renamed(2, "two again"),  # with an expiry in the past
        payloads.added(3, "three"),
    )
    found = site.get("credentials/summary")
    assert (found["total"], found["expired"], found["expiring_soon"], found["soon_days"]) == (3, 1, 0, 30)
    assert found["by_status"] == {
        "pending": 1,
        "verified": 1,
        "failed": 1,
        "unverifiable": 0,
        "unreachable": 0,
    }
    assert found["by_provider"] == {"github": 3}
    assert [(item["id"], item["name"]) for item in found["next_to_expire"]] == [
        (str(credential(2)), "two again")
    ]


def test_an_account_without_credentials_has_a_summary(site: Site) -> None:
    found = site.get("credentials/summary", account="empty")
    assert (found["total"], found["by_provider"], found["next_to_expire"]) == (0, {}, [])
    assert set(found["by_status"].values()) == {0}


def test_a_credential_has_its_last_use_and_number_of_workloads(site: Site) -> None:
    site.happened(
        payloads.added(1, "one"),
        payloads.added(2, "two"),
        payloads.issued(1, 1, "ghcr.io/acme/shop:1"),
        payloads.issued(1, 2, "ghcr.io/acme/shop:1", project="blog"),
    )
    first, second = site.get("credentials")["items"]
    assert first["used_by"] == 2
    assert first["last_used_at"] is not None
    assert (second["used_by"], second["last_used_at"]) == (0, None)
    assert site.get(f"credentials/{credential(1)}")["used_by"] == 2
    assert [item["used_by"] for item in site.get("projects/shop/credentials")["items"]] == [2, 0]


def test_a_list_for_a_project_has_what_the_project_may_use(site: Site) -> None:
    site.happened(
        payloads.added(1, "one"),
        payloads.added(2, "two"),
        payloads.renamed(2, "two again"),  # with an expiry in the past
        payloads.added(3, "three"),
        payloads.restricted(3, "blog"),
    )
    for path, arguments in (("projects/shop/credentials", {}), ("credentials", {"project": "shop"})):
        listed = {item["name"]: item["eligibility"] for item in site.get(path, **arguments)["items"]}
        assert set(listed) == {"one", "two again"}
        assert listed["one"]["pull"] == {"eligible": True, "reason": None}
        assert listed["one"]["push"] == {"eligible": False, "reason": "no_push_scope"}
        assert listed["two again"]["pull"] == {"eligible": False, "reason": "expired"}
    assert all("eligibility" not in item for item in site.get("credentials")["items"])


def test_the_system_route_has_lag_retries_and_dead_letters(site: Site, log: Log, database_url: str) -> None:
    name, _, data = encode(payloads.renamed(1, "of the future"))
    site.happened(payloads.added(1, "one"))
    log.append_raw(stream_of(payloads.added(1)), name, data.decode(), 99)
    site.project()
    log.append(payloads.added(2, "two"))  # the projector is behind by that one
    log.sequence()
    with psycopg.connect(database_url) as owner:
        owner.execute("INSERT INTO es.checkpoints (consumer, position) VALUES ('verifier', 3)")
        owner.execute(
            "INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)"
            " SELECT 'verifier', position, stream_id, 1, now(), 'away' FROM es.log WHERE position = 1"
        )
    answer = site.client.get("/v1/system")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found = answer.get_json()
    assert found["log"] == {"position": 3, "published_position": None, "waiting_seconds": 0}
    by_name = {consumer["name"]: consumer for consumer in found["consumers"]}
    assert by_name["projector"]["lag_events"] == 1
    assert by_name["projector"]["lag_seconds"] > 0
    assert by_name["projector"]["dead_letters"] == 1
    assert (by_name["verifier"]["lag_events"], by_name["verifier"]["retries"]) == (0, 1)
    [letter] = found["dead_letters"]
    assert (letter["consumer"], letter["position"], letter["type"], letter["account_id"]) == (
        "projector",
        2,
        "credential.details_changed",
        "acme",
    )
    assert letter["reason"]


def test_the_system_route_counts_secrets_that_cannot_be_read(site: Site) -> None:
    before = site.client.get("/v1/system").get_json()["unreadable_secrets"]
    lost = replace(payloads.failed(3, 3), code=VerificationCode.SECRET_UNREADABLE)
    site.happened(payloads.added(3, "lost"), lost)
    assert site.client.get("/v1/system").get_json()["unreadable_secrets"] == before + 1
    shown = site.get(f"credentials/{credential(3)}")["verification"]
    assert (shown["status"], shown["code"]) == ("failed", "secret_unreadable")


def test_a_credential_shows_that_some_of_its_events_could_not_be_handled(
    site: Site, database_url: str
) -> None:
    site.happened(payloads.added(4, "stuck"))
    assert site.get(f"credentials/{credential(4)}")["dead_letters"] == 0
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "INSERT INTO es.dead_letters (consumer, position, stream_id, attempts, reason)"
            " SELECT 'verifier', position, stream_id, 4, 'away' FROM es.log WHERE stream_id = %s",
            (credential(4),),
        )
    assert site.get(f"credentials/{credential(4)}")["dead_letters"] == 1
