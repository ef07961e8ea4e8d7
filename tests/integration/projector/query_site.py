"""The query API on a real log: the events of a test are projected when it says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from chassis.authentication.tokens import TokenScope
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from eventlog.storage import PersonalKeys, read_log
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api
from projector.write.consumer import ReadModelConsumer
from secretstore.personal_keys import open_personal_keys
from tests.integration.projector.payloads import Connection, Log
from tests.support.tokens import store_token

Json = dict[str, Any]


@dataclass
class Site:
    log: Log
    projector: Connection
    app: Flask
    token: str
    personal: PersonalKeys

    def project(self) -> None:
        """Project all appended events."""
        self.log.sequence()
        models = ReadModelConsumer(self.personal)
        position = models.redrive_and_get_checkpoint(self.projector)
        models.begin(position)
        while events := read_log(self.projector, position, 500, personal=self.personal):
            position = models.handle(self.projector, events)

    def happened(self, *payloads: object) -> None:
        self.log.append(*payloads)
        self.project()

    @property
    def client(self) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        return client

    def get(self, path: str, *, account: str = "acme", **arguments: Any) -> Any:
        """The JSON of the response, which is closed, so that the read is recorded."""
        with self.client.get(f"/v1/accounts/{account}/{path}", query_string=arguments) as answer:
            assert answer.status_code == 200, answer.get_data(as_text=True)
            return answer.get_json()

    def code(self, path: str, **arguments: Any) -> tuple[int, str]:
        with self.client.get(f"/v1/accounts/acme/{path}", query_string=arguments) as answer:
            return answer.status_code, (answer.get_json() or {}).get("code", "")

    def text(self, accept: str, **arguments: Any) -> str:
        headers = {"Accept": accept}
        with self.client.get(
            "/v1/accounts/acme/audit-events", query_string=arguments, headers=headers
        ) as answer:
            assert answer.status_code == 200, answer.get_data(as_text=True)
            return answer.get_data(as_text=True)


@contextmanager
def open_site(database_url: str, log: Log, projector: Connection, home: Path) -> Iterator[Site]:
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    keys = prepare_keys(settings.key_file)
    token = store_token(database_url, keys, [TokenScope.ADMIN])  # without an event in the log
    part = query_api(settings)
    try:
        yield Site(log, projector, join([part]), token, open_personal_keys(keys))
    finally:
        part.close()
