"""Composition of the query API."""

from functools import partial
from time import monotonic

from chassis.authentication.factory import open_authentication, open_tokens
from chassis.authentication.refusals import RefusalLog
from chassis.database import open_pool
from chassis.ids import new_id
from chassis.observability.exposition import exposition
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, database_check, started
from chassis.web.limits import open_limits
from contracts.access_log import refusal_recorder
from eventlog.storage import DatabaseMetrics, PostgresRefusals, keys_of
from projector.read.api import audit_routes, exposure_routes, refusals, routes, system_routes
from secretstore.installation import compare_keys, refuse_wrong_keys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

QUERY_ROLE = "regcred_query"
API_CONNECTIONS = 16
SCHEMA = ("eventlog.storage", "secretstore", "chassis.authentication", "projector")


def query_api(settings: Settings) -> ApiPart:
    """Return the started query API, with its own connections. Raises `CannotStart`."""
    return started(query_part(settings))


def query_part(settings: Settings) -> ApiPart:
    """Compose the query API. It connects to nothing before it is started.

    Its database role can read, and append `audit.read` and `access.denied`.
    """
    url, keys = settings.required_database_url(), KeyFile.load(settings.key_file)
    compare = partial(compare_keys, keys)
    # A standby can serve queries.
    pool = open_pool(
        url,
        role=QUERY_ROLE,
        size=API_CONNECTIONS,
        writes=False,
        serves_requests=True,
        examine=compare,
        connects=False,
    )
    tokens = open_tokens(pool, keys)
    limits = open_limits(settings.limits, url, role=QUERY_ROLE)
    key_of = keys_of(pool, open_personal_keys(keys))

    def start() -> None:
        refuse_wrong_keys(url, role=QUERY_ROLE, compare=compare)
        pool.open()

    denied = RefusalLog(refusal_recorder(PostgresRefusals(pool, key_of), new_id=new_id), monotonic=monotonic)

    def close() -> None:
        denied.close()
        limits.close()
        pool.close()

    return ApiPart(
        blueprints=(
            routes.blueprint(pool),
            audit_routes.blueprint(pool, key_of),
            exposure_routes.blueprint(pool, key_of),
            system_routes.blueprint(pool),
        ),
        authenticate=open_authentication(settings, tokens),
        checks={"read_models": database_check(pool, SCHEMA)},
        install=refusals.install,
        start=start,
        close=close,
        limits=limits,
        expose=exposition([DatabaseMetrics.of(settings, role=QUERY_ROLE)]),
        refused=denied,
    )
