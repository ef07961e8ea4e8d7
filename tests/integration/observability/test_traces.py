"""One request, one trace: from HTTP over the log and the broker to the login and the read models."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.observability.tracing import configure_tracing, stop_tracing
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from credentials.relay_bootstrap import run_relay
from eventlog.topology import LAST_PUBLISHED
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from projector.write.bootstrap import run_projector
from tests.integration.observability.receiver import Received, Receiver
from tests.support.docker_registry import DockerRegistry
from tests.support.rabbitmq import RabbitMQ
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting
from verifier.bootstrap import run_verifier

PASSWORD = "canary-8f1e0c55"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(frozen=True)
class Life:
    """The spans of one POST and of the processes that handled its event."""

    spans: list[Received]
    bodies: bytes
    traceparents: dict[str, str]
    admin: str

    def one(self, name: str, **wanted: str) -> Received:
        [found] = [
            span
            for span in self.spans
            if span.name == name
            and all(span.attributes.get(key.replace("__", ".")) == value for key, value in wanted.items())
        ]
        return found


@pytest.fixture(scope="module")
def life(database_url: str, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    home = tmp_path_factory.mktemp("home")
    rabbitmq.purge(LAST_PUBLISHED)  # of the log of another test
    with ExitStack() as left_behind:
        registry = left_behind.enter_context(DockerRegistry(users={"octo": PASSWORD}))
        receiver = left_behind.enter_context(Receiver())
        settings = Settings.from_environment(
            {
                "REGCRED_HOME": str(home),
                "REGCRED_DATABASE_URL": database_url,
                "REGCRED_BROKER_URL": rabbitmq.url,
                "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
                "REGCRED_VERIFIER_ALLOW_HTTP": registry.address,
            }
        )
        prepare_admin_token(home / "admin.token", database_url, prepare_keys(settings.key_file))
        admin = Path(home / "admin.token").read_text().strip()
        patch = left_behind.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        configure_tracing("test", {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint})
        left_behind.callback(stop_tracing)
        parts = [command_api(settings), query_api(settings)]
        for part in parts:
            left_behind.callback(part.close)
        stop = Event()
        threads = [
            Thread(target=run, args=(settings, stop)) for run in (run_relay, run_verifier, run_projector)
        ]
        for thread in threads:
            thread.start()
            left_behind.callback(thread.join, PATIENCE)
        left_behind.callback(stop.set)
        client = join(parts).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {admin}"

        credential_id = _add(client, registry.address)
        path = f"/v1/accounts/acme/credentials/{credential_id}"
        waiting(
            lambda: client.get(path).get_json().get("verification", {}).get("status") == "verified",
            "the login succeeds",
        )
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        stop_tracing()
        with psycopg.connect(database_url) as database:
            traceparents: dict[str, str] = dict(
                database.execute("SELECT type, meta->>'traceparent' FROM es.events").fetchall()
            )
        yield Life(
            spans=[span for span in receiver.spans() if span.trace_id == TRACE],
            bodies=b"".join(
                gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in receiver.bodies
            ),
            traceparents=traceparents,
            admin=admin,
        )


def _add(client: FlaskClient, address: str) -> str:
    answer = client.post(
        "/v1/accounts/acme/credentials",
        json=add_body("traced", address, "octo", PASSWORD),
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": "req-9"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return str(answer.json["id"])


def test_the_request_continues_the_callers_trace(life: Life) -> None:
    server = life.one("POST /v1/accounts/<account_id>/credentials")
    assert (server.kind, server.parent_id, server.service) == ("server", CALLER, "regcred-test")
    assert server.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/v1/accounts/<account_id>/credentials",
        "http.response.status_code": 201,
        "http.response.body.size": server.attributes["http.response.body.size"],
        "regcred.request_id": "req-9",
    }
    assert not server.failed


def test_the_append_is_a_child_of_the_request(life: Life) -> None:
    server = life.one("POST /v1/accounts/<account_id>/credentials")
    [append] = [
        span for span in life.spans if span.name == "append es.events" and span.parent_id == server.span_id
    ]
    assert append.kind == "client"
    assert append.attributes["db.system.name"] == "postgresql"
    assert life.traceparents["credential.added"] == f"00-{TRACE}-{server.span_id}-01"


def test_the_relay_publishes_within_the_trace(life: Life) -> None:
    server = life.one("POST /v1/accounts/<account_id>/credentials")
    published = life.one(
        "publish regcred.events", messaging__rabbitmq__destination__routing_key="credential.added"
    )
    assert (published.kind, published.parent_id) == ("producer", server.span_id)
    assert published.attributes["messaging.system"] == "rabbitmq"
    assert published.attributes["messaging.operation.type"] == "send"
    assert published.attributes["messaging.destination.name"] == "regcred.events:credential.added"


def test_the_verifier_logs_in_within_the_trace(life: Life) -> None:
    server = life.one("POST /v1/accounts/<account_id>/credentials")
    process = life.one(
        "process es.log", messaging__consumer__group__name="verifier", regcred__event__type="credential.added"
    )
    assert (process.kind, process.parent_id, process.links) == (
        "consumer",
        server.span_id,
        (server.span_id,),
    )
    assert (process.attributes["regcred.outcome"], process.attributes["regcred.attempt"]) == ("verified", 1)
    login = life.one("login")
    assert (login.kind, login.parent_id) == ("client", process.span_id)
    assert life.traceparents["verification.succeeded"] == f"00-{TRACE}-{process.span_id}-01"


def test_the_projector_applies_both_events_within_the_trace(life: Life) -> None:
    server = life.one("POST /v1/accounts/<account_id>/credentials")
    verifying = life.one(
        "process es.log", messaging__consumer__group__name="verifier", regcred__event__type="credential.added"
    )
    for event, cause in (("credential.added", server), ("verification.succeeded", verifying)):
        applied = life.one(
            "process es.log", messaging__consumer__group__name="projector", regcred__event__type=event
        )
        assert (applied.kind, applied.parent_id, applied.links) == (
            "consumer",
            cause.span_id,
            (cause.span_id,),
        )
        assert not applied.failed


def test_no_span_holds_a_secret(life: Life) -> None:
    assert b"append es.events" in life.bodies
    for canary in (PASSWORD, life.admin, "regcred-deploy-password"):
        assert canary.encode() not in life.bodies
