"""`regcred up`: runs everything on one machine, in the foreground."""

from contextlib import ExitStack
from threading import Event
from time import monotonic

import structlog

from chassis.observability.metric_files import FOLDER, empty_folder
from chassis.runtime.addresses import AddressUnusable, check_address_is_free
from chassis.runtime.health import is_healthy
from chassis.runtime.lifecycle import stop_on_signals
from chassis.settings.environment import Settings
from launcher.supervisor import STOP_SECONDS, Supervisor
from operations.embedded_postgres import EmbeddedPostgres, running_server
from operations.home_lock import home_lock
from operations.migrate.preparation import (
    accept_former_tokens,
    bind_keys,
    bind_secret_store,
    prepare,
    prepare_admin_token,
)

log = structlog.get_logger()

PROCESSES = {
    "api": ("launcher.server",),
    "relay": ("credentials", "relay"),
    "verifier": ("verifier",),
    "projector": ("projector",),
}
CHECK_SECONDS = 0.2
DATABASE_CHECK_SECONDS = 2.0


def up(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Afterwards only the state in `settings.home` remains.

    Raises:
        HomeInUse: another `regcred up` uses this home folder.
        AddressUnusable: nothing can listen at the address.
    """
    stop = stop_on_signals()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as resources:
        resources.enter_context(home_lock(settings.home))
        if running_server(settings.home / "postgres") is not None:
            _await_address(settings, stop)
        check_address_is_free("REGCRED_LISTEN", settings.listen_host, settings.listen_port)
        database = None
        url = settings.database_url
        if url is None:
            database = EmbeddedPostgres(settings.home / "postgres")
            resources.callback(database.stop)
            url = database.url
        applied = prepare(url, settings.broker_url)
        keys = bind_keys(settings.key_file, url)
        accept_former_tokens(applied, url, keys)
        bind_secret_store(settings, url, keys)
        prepare_admin_token(settings.home / "admin.token", url, keys)
        environment = {
            "REGCRED_HOME": str(settings.home),
            "REGCRED_KEY_FILE": str(settings.key_file),
            "REGCRED_DATABASE_URL": url,
            FOLDER: str(settings.home / "metrics"),  # one /metrics serves all processes
            "REGCRED_METRICS_LISTEN": "",
        }
        empty_folder(settings.home / "metrics")
        supervisor = Supervisor(PROCESSES, environment)
        resources.callback(supervisor.stop)
        _supervise(supervisor, database, settings, stop)


def _await_address(settings: Settings, stop: Event) -> None:
    """Wait while the processes of a `regcred up` that was killed end. Its database still runs."""
    deadline = monotonic() + STOP_SECONDS
    while not stop.is_set() and monotonic() < deadline:
        try:
            check_address_is_free("REGCRED_LISTEN", settings.listen_host, settings.listen_port)
        except AddressUnusable as error:
            log.warning("waiting_for_address", reason=str(error))
            stop.wait(1.0)
        else:
            return


def _supervise(
    supervisor: Supervisor, database: EmbeddedPostgres | None, settings: Settings, stop: Event
) -> None:
    host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
    address = f"http://{host}:{settings.listen_port}"
    announced, checked = False, monotonic()
    while not stop.is_set():
        supervisor.start_due()
        if not announced and is_healthy(f"{address}/readyz"):
            print(f"regcred is ready at {address}", flush=True)
            announced = True
        if database is not None and monotonic() - checked > DATABASE_CHECK_SECONDS:
            checked = monotonic()
            if not database.is_serving():
                log.warning("database_died", started_again=database.restart())
        stop.wait(CHECK_SECONDS)
