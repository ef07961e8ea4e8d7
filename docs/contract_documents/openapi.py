"""`chassis/web/openapi.json`: the descriptions of the routes of all three services, as one document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, join
from chassis.web.openapi import openapi_of_routes
from credentials.bootstrap import command_part
from docs.contract_documents.response_examples import add_examples
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_part
from verifier.bootstrap import registry_part

NOWHERE = "postgresql://127.0.0.1:1/none"  # the description needs no database


def openapi_text() -> str:
    """The text of the file."""
    with _services() as parts:
        document = openapi_of_routes(join(list(parts.values())))
    add_examples(document)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def routes_of_services() -> dict[str, set[tuple[str, str]]]:
    """The method and the path of each route, by the name of the service that serves it."""
    with _services() as parts:
        return {
            service: {
                (method.upper(), path)
                for path, operations in openapi_of_routes(join([part]))["paths"].items()
                for method in operations.keys() - {"parameters"}
            }
            for service, part in parts.items()
        }


@contextmanager
def _services() -> Iterator[dict[str, ApiPart]]:
    """The parts of the API, by the names that the gateway has for the services."""
    with TemporaryDirectory(prefix="regcred-openapi-") as home:
        settings = Settings.from_environment({"REGCRED_HOME": home, "REGCRED_DATABASE_URL": NOWHERE})
        prepare_keys(Path(settings.key_file))
        parts = {
            "credentials": command_part(settings),
            "queries": query_part(settings),
            "registries": registry_part(settings),
        }
        try:
            yield parts
        finally:
            for part in parts.values():
                part.close()
