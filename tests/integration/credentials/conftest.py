"""The API in this process, on a real database and the encrypted store."""

from collections.abc import Iterator

import pytest

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from tests.integration.credentials.calls import Caller


@pytest.fixture(scope="module")
def caller(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url})
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    part = command_api(settings)
    yield Caller(join([part]), token.read_text().strip(), database_url)
    part.close()
