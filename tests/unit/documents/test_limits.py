"""The limits at the same time, and the connections, that the documents name are those of the code."""

import pytest

from chassis.web.limits import CONNECTIONS
from credentials import bootstrap as credentials
from credentials.api import waiting
from projector.read import bootstrap as queries
from projector.read.api import live_export, wait_for
from tests.support.servers import ROOT
from verifier import bootstrap as verifier


@pytest.mark.parametrize(
    ("name", "of_account", "of_process"),
    [
        ("waits for a verification", waiting.MAX_WAITING_PER_ACCOUNT, waiting.MAX_WAITING),
        ("waits for a position", wait_for.MAX_WAITING_PER_ACCOUNT, wait_for.MAX_WAITING),
        ("tests of logins, lists of tags, images", verifier.API_SLOTS_PER_ACCOUNT, verifier.API_SLOTS),
        ("streams of the audit trail", live_export.MAX_PER_ACCOUNT, live_export.MAX_CONCURRENT),
    ],
)
def test_the_limits_at_the_same_time_are_documented(name: str, of_account: int, of_process: int) -> None:
    row = f"| {name} | an account, all accounts of a process | {of_account}, {of_process} |"
    assert row in (ROOT / "docs" / "http.md").read_text()


def test_the_connections_of_each_process_are_documented() -> None:
    sizes = {
        "credentials": credentials.API_CONNECTIONS + CONNECTIONS,
        "queries": queries.API_CONNECTIONS + CONNECTIONS,
        "registries": verifier.API_CONNECTIONS + CONNECTIONS,
        "verifier": f"(concurrency + {verifier.FREE_HANDLERS + verifier.SCHEDULE_CONNECTIONS})",
    }
    wanted = " + ".join(f"{size}·{name}" for name, size in sizes.items())
    assert f"**Connections**: `{wanted} + " in (ROOT / "docs" / "scaling.md").read_text()
