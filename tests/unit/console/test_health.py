"""The health route of the console: it needs no session, and is not logged."""

from structlog.testing import capture_logs

from console.application import create_app
from console.settings import ConsoleSettings
from regcred.apiclient.over_httpx import over_http


def test_a_probe_of_the_health_is_answered_and_not_logged() -> None:
    client = create_app(ConsoleSettings.from_environment({}), over_http("http://127.0.0.1:1")).test_client()
    with capture_logs() as logs:
        assert client.get("/healthz").json == {"status": "ok"}
    assert logs == []
    with capture_logs() as logs:
        assert client.get("/sign-in").status_code == 200
    assert [line["route"] for line in logs] == ["/sign-in"]
