import pytest

from regcred.apiclient.errors import ApiProblem
from regcred.apiclient.response import ApiResponse
from regcred.cli.errors import CredentialUnknown
from regcred.cli.lookup import credential_id_of, find, newest_verification, read_back, verified
from regcred.cli.session import CliSession
from tests.unit.regcred.conftest import Reply, Server, Times, ok, problem

ID = "0b9d0e1e-3f5c-4c52-9d43-6a2f3a0b9f11"


def credential(
    name: str = "mine", status: str = "pending", checked_at: str | None = None
) -> dict[str, object]:
    state = {"status": status, "code": None, "detail": None, "checked_at": checked_at}
    return {"id": ID, "name": name, "verification": state}


def page(*names: str) -> Reply:
    return ok({"items": [credential(name) for name in names], "next_cursor": None})


def test_an_id_is_requested_directly(session: CliSession, server: Server) -> None:
    server.replies = [ok(credential(), ETag='"1"')]
    assert find(session, ID).etag == '"1"'
    assert [request.path for request in server.requests] == [f"/v1/accounts/acme/credentials/{ID}"]
    assert credential_id_of(session, ID) == ID
    assert len(server.requests) == 1


def test_a_name_is_found_in_any_case_and_only_complete(session: CliSession, server: Server) -> None:
    server.replies = [page("mine-too", "Mine"), ok(credential(), ETag='"1"')]
    assert find(session, "mINE").body["name"] == "mine"
    assert server.requests[0].path == "/v1/accounts/acme/credentials?name=mINE&limit=200"


def test_a_name_can_look_like_an_id(session: CliSession, server: Server) -> None:
    server.replies = [problem(404, "credential_not_found"), page(ID), ok(credential(ID))]
    assert find(session, ID).body["name"] == ID


def test_an_unknown_name_lists_similar_names(session: CliSession, server: Server) -> None:
    server.replies = [page("mine-too", "mine-as-well")]
    with pytest.raises(
        CredentialUnknown, match="no credential 'mine'; similar names: mine-too, mine-as-well"
    ):
        find(session, "mine")


def test_a_forbidden_credential_is_not_reported_as_unknown(session: CliSession, server: Server) -> None:
    server.replies = [problem(403, "account_forbidden")]
    with pytest.raises(ApiProblem):
        find(session, ID)


def test_segments_of_paths_are_quoted(session: CliSession) -> None:
    assert session.path("credentials", "../x?y") == "/v1/accounts/acme/credentials/..%2Fx%3Fy"


def test_a_command_is_read_back_at_its_position(session: CliSession, server: Server) -> None:
    command = ApiResponse(200, credential("before"), '"1"', f"{ID}:1")
    server.replies = [ok(credential("after"))]
    assert read_back(session, command)["name"] == "after"
    assert server.requests[0].headers["Regcred-Wait-For"] == f"{ID}:1"
    server.replies = [problem(403, "insufficient_scope")]
    assert read_back(session, command)["name"] == "before"


def test_the_verdict_is_awaited(session: CliSession, server: Server, times: Times) -> None:
    server.replies = [ok(credential()), ok(credential()), ok(credential(status="verified"))]
    command = ApiResponse(200, credential(), None, f"{ID}:1")
    found = verified(session, command, seconds=10, clock=times.clock, pause=times.pause)
    assert found["verification"]["status"] == "verified"
    assert {request.headers["Regcred-Wait-For"] for request in server.requests} == {f"{ID}:1"}


@pytest.mark.parametrize(
    ("reply", "requests"), [(ok(credential()), 5), (problem(403, "insufficient_scope"), 1)]
)
def test_without_a_verdict_in_time_the_status_is_pending(
    session: CliSession, server: Server, times: Times, reply: Reply, requests: int
) -> None:
    server.replies = [reply]
    command = ApiResponse(200, credential(), None, f"{ID}:1")
    found = verified(session, command, seconds=1, clock=times.clock, pause=times.pause)
    assert found["verification"]["status"] == "pending"
    assert len(server.requests) == requests


def test_the_advice_belongs_to_the_shown_verification(session: CliSession, server: Server) -> None:
    mine = credential(checked_at="2026-01-01T00:00:00Z")
    server.replies = [
        ok({"items": [{"checked_at": "2026-01-01T00:00:00Z", "help": "h"}], "next_cursor": None})
    ]
    assert (newest_verification(session, mine) or {})["help"] == "h"
    server.replies = [ok({"items": [{"checked_at": "2026-01-02T00:00:00Z"}], "next_cursor": None})]
    assert newest_verification(session, mine) is None
    server.replies = [problem(403, "insufficient_scope")]
    assert newest_verification(session, mine) is None
