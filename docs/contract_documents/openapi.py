"""`chassis/web/openapi.json`: the descriptions of the routes of all three services, as one document."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, join
from chassis.web.application import openapi_of_routes
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api
from verifier.bootstrap import registry_api

NOWHERE = "postgresql://127.0.0.1:1/none?connect_timeout=1"  # the description needs no database


def openapi_text() -> str:
    """The text of the file."""
    with _services() as parts:
        return json.dumps(openapi_of_routes(join(parts)), indent=1, ensure_ascii=False) + "\n"


@contextmanager
def _services() -> Iterator[list[ApiPart]]:
    # The pool would log that there is no database.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    with TemporaryDirectory(prefix="regcred-openapi-") as home:
        settings = Settings.from_environment({"REGCRED_HOME": home, "REGCRED_DATABASE_URL": NOWHERE})
        prepare_keys(Path(settings.key_file))
        parts = [command_api(settings), query_api(settings), registry_api(settings)]
        try:
            yield parts
        finally:
            for part in parts:
                part.close()
