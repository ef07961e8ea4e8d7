"""Composition of the command API. `relay_bootstrap` composes the relay, which has its own image."""

from functools import partial
from time import monotonic

from chassis.authentication.factory import open_authentication, open_tokens
from chassis.authentication.refusals import RefusalLog
from chassis.authentication.token_row import authenticate_rows as token_rows
from chassis.authentication.token_table import token_hash
from chassis.database import open_pool
from chassis.ids import new_id
from chassis.observability.exposition import exposition
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, database_check, pool_check, started
from chassis.web.limits import charge_events, open_limits
from contracts.access_log import refusal_recorder
from credentials.api import (
    access,
    freezing,
    imports,
    project_registries,
    pull_secrets,
    refusals,
    releases,
    resolutions,
    service_tokens,
)
from credentials.api import credentials as credentials_api
from credentials.application.credentials import Credentials
from credentials.application.imports import Importer
from credentials.application.issuance import Issuer
from credentials.application.releases import Releases
from credentials.application.service_tokens import ServiceTokens
from credentials.application.settling import SettlingLoop
from credentials.current_row import authenticate_rows
from credentials.postgres_store import PostgresCredentialStore
from credentials.postgres_tokens import PostgresTokenWriter
from eventlog.storage import DatabaseMetrics, PostgresRefusals, keys_of, refuse_lower_transaction_ids
from registries.token_minter.factory import open_minter
from secretstore.factory import new_secret_store
from secretstore.installation import record_keys, refuse_wrong_keys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

ROLE = "regcred_credentials"
API_CONNECTIONS = 24
SECRET_THREADS = 12  # of the threads of the HTTP server; the others serve requests that need no secret
SCHEMA = ("eventlog.storage", "secretstore", "chassis.authentication", "credentials")


def command_api(settings: Settings) -> ApiPart:
    """Return the started command API, with its own connections. Raises `CannotStart`."""
    return started(command_part(settings))


def command_part(settings: Settings) -> ApiPart:
    """Compose the command API. It connects to nothing before it is started."""
    url, keys = settings.required_database_url(), KeyFile.load(settings.key_file)
    compare = partial(record_keys, keys)
    pool = open_pool(
        url, role=ROLE, size=API_CONNECTIONS, serves_requests=True, examine=compare, connects=False
    )
    secret_store = new_secret_store(
        settings, pool=pool, keys=keys, claims=True, waiting_threads=SECRET_THREADS
    )
    tokens = open_tokens(pool, keys)
    personal = open_personal_keys(keys)
    limits = open_limits(settings.limits, url, role=ROLE)
    store = PostgresCredentialStore(pool, personal, authenticate_rows(keys), charge_events)
    credentials = Credentials(
        store,
        secret_store,
        secret_fingerprint=keys.secret_fingerprint,
        new_id=new_id,
        use_window=settings.use_window,
        most=settings.limits.credentials,
    )

    def request_fingerprint(request: bytes) -> bytes:
        return bytes.fromhex(keys.keyed_hash("request", request))

    def new_token(request: bytes) -> bytes:
        return bytes.fromhex(keys.keyed_hash("new token", request))

    settling = SettlingLoop(credentials.rotations, now=now)

    def start() -> None:
        refuse_wrong_keys(url, role=ROLE, compare=compare)
        pool.open()
        secret_store.bind()
        settling.start()

    denied = RefusalLog(
        refusal_recorder(PostgresRefusals(pool, keys_of(pool, personal)), new_id=new_id), monotonic=monotonic
    )

    def close() -> None:
        settling.close()
        denied.close()
        secret_store.close()
        limits.close()
        pool.close()

    return ApiPart(
        blueprints=(
            credentials_api.blueprint(
                credentials, http_allowed=settings.allows_http, request_fingerprint=request_fingerprint
            ),
            access.blueprint(credentials),
            freezing.blueprint(credentials),
            imports.blueprint(
                Importer(credentials, store),
                request_fingerprint=request_fingerprint,
            ),
            resolutions.blueprint(store),
            project_registries.blueprint(store),
            pull_secrets.blueprint(
                Issuer(store, secret_store, open_minter(settings, now=now), new_id=new_id),
                request_fingerprint=request_fingerprint,
            ),
            releases.blueprint(Releases(store, new_id=new_id), request_fingerprint=request_fingerprint),
            service_tokens.blueprint(
                tokens,
                ServiceTokens(
                    tokens,
                    PostgresTokenWriter(pool, personal, token_rows(keys), new_id=new_id),
                    keyed_hash=token_hash(keys),
                    derive=new_token,
                    longest_life=settings.token_max_life,
                ),
            ),
        ),
        authenticate=open_authentication(settings, tokens),
        checks={
            "database": database_check(pool, SCHEMA),
            "log": pool_check(pool, refuse_lower_transaction_ids),
            "secret_store": secret_store.check,
        },
        install=refusals.install,
        start=start,
        close=close,
        limits=limits,
        expose=exposition([DatabaseMetrics.of(settings, role=ROLE)]),
        refused=denied,
    )
