"""The API in this process, on a real database and the encrypted store."""

from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from tests.integration.issuing.calls import Api, Json

_numbers = count(1)


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    part = command_api(settings)
    yield Api(join([part]), settings, token.read_text().strip())
    part.close()


@pytest.fixture
def client(api: Api) -> FlaskClient:
    return api.client(api.admin)


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"pull-{next(_numbers)}"


@pytest.fixture
def recorded(database_url: str) -> Callable[[str], list[Json]]:
    """The events of an account's issuances, in the order in which they were written."""

    def read(account: str) -> list[Json]:
        with psycopg.connect(database_url) as superuser:
            rows = superuser.execute(
                "SELECT e.type, e.data FROM es.events e JOIN es.streams s USING (stream_id)"
                " WHERE s.category = 'issuance' AND s.account_id = %s ORDER BY e.xid, e.seq",
                (account,),
            ).fetchall()
        return [{"type": name, **data} for name, data in rows]

    return read
