"""`regcred audit --follow`: repeated requests print each event once and omit none."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from regcred.apiclient.errors import ApiProblem
from regcred.cli.audit_stream import follow
from regcred.cli.session import CliSession
from tests.unit.regcred.conftest import Reply, Server, problem

NDJSON = {"Content-Type": "application/x-ndjson; charset=utf-8"}


def event(position: int) -> bytes:
    document = {
        "position": position,
        "time": "2026-01-02T03:04:05.678Z",
        "action": "secret.refused",
        "outcome": "denied",
        "reason": "no_eligible_credential",
        "credential_name": None,
        "project_id": "shop",
        "actor": {"type": "service", "id": "s", "name": "deployer"},
        "on_behalf_of": None,
        "before": None,
        "after": {},
    }
    return json.dumps(document).encode() + b"\n"


def after_of(server: Server) -> list[str | None]:
    return [parse_qs(urlsplit(request.path).query).get("after", [None])[0] for request in server.requests]


def test_following_continues_after_the_last_event(
    session: CliSession, server: Server, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    server.replies = [
        Reply(200, b"\n" + event(7) + b"\n" + event(9), NDJSON),
        Reply(200, event(12), NDJSON, cut=True),
        problem(503, "database_unavailable"),
        Reply(200, event(13), NDJSON),
        problem(401, "unauthenticated"),
    ]
    pauses: list[float] = []
    with pytest.raises(ApiProblem, match="unauthenticated"):
        follow(session, {"outcome": "denied"}, raw=True, pause=pauses.append)
    assert capfdbinary.readouterr().out == b"".join(map(event, [7, 9, 12, 13]))
    assert after_of(server) == [None, "9", "12", "12", "13"]
    assert len(pauses) == 2
    assert "outcome=denied" in server.requests[0].path


def test_an_event_is_printed_as_one_line(
    session: CliSession, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.replies = [Reply(200, event(7), NDJSON), problem(403, "insufficient_scope")]
    with pytest.raises(ApiProblem):
        follow(session, {}, raw=False)
    assert capsys.readouterr().out == (
        "2026-01-02T03:04:05Z  secret.refused  denied  -  shop  deployer  no_eligible_credential\n"
    )


def test_a_stream_that_was_refused_is_not_repeated(session: CliSession, server: Server) -> None:
    server.replies = [problem(503, "too_many_at_once")]
    with pytest.raises(ApiProblem, match="too_many_at_once"):
        follow(session, {}, raw=False)
    assert len(server.requests) == 1
