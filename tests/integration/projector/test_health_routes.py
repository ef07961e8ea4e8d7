"""What the console's overview and system page are made of: counts, uses, consumers and dead letters."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlog.events import encode
from tests.integration.projector import lives
from tests.integration.projector.lives import Connection, Log, credential, stream_of
from tests.integration.projector.query_site import Site, open_site


@pytest.fixture
def site(database_url: str, log: Log, projector: Connection, tmp_path: Path) -> Iterator[Site]:
    with open_site(database_url, log, projector, tmp_path) as site:
        yield site


def test_a_summary_counts_every_status_and_names_the_soonest_ends(site: Site) -> None:
    site.happened(
        lives.added(1, "one"),
        lives.failed(1, 1),
        lives.added(2, "two"),
        lives.succeeded(2, 2),
        lives.renamed(2, "two again"),  # with an end that has gone by
        lives.added(3, "three"),
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


def test_an_account_without_credentials_has_a_summary_too(site: Site) -> None:
    found = site.get("credentials/summary", account="empty")
    assert (found["total"], found["by_provider"], found["next_to_expire"]) == (0, {}, [])
    assert set(found["by_status"].values()) == {0}


def test_a_credential_says_when_it_was_last_used_and_by_how_many(site: Site) -> None:
    site.happened(
        lives.added(1, "one"),
        lives.added(2, "two"),
        lives.issued(1, 1, "ghcr.io/acme/shop:1"),
        lives.issued(1, 2, "ghcr.io/acme/shop:1", project="blog"),
    )
    first, second = site.get("credentials")["items"]
    assert first["used_by"] == 2
    assert first["last_used_at"] is not None
    assert (second["used_by"], second["last_used_at"]) == (0, None)
    assert site.get(f"credentials/{credential(1)}")["used_by"] == 2
    assert [item["used_by"] for item in site.get("projects/shop/credentials")["items"]] == [2, 0]


def test_the_system_tells_of_lag_retries_and_dead_letters(site: Site, log: Log, database_url: str) -> None:
    name, _, data = encode(lives.renamed(1, "of the future"))
    site.happened(lives.added(1, "one"))
    log.append_raw(stream_of(lives.added(1)), name, data.decode(), 99)
    site.project()
    log.append(lives.added(2, "two"))  # the projector is behind by that one
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


def test_the_system_is_for_administrators(site: Site, database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("UPDATE auth.tokens SET scopes = '{credentials:read}'")
    answer = site.client.get("/v1/system")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "insufficient_scope")
