"""Composition of the relay: positions, publishing and housekeeping."""

import secrets
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from time import monotonic

from chassis.database import open_pool
from chassis.migrations import login_check, schema_check
from chassis.observability.process_server import serve_process
from chassis.runtime.loops import Loops
from chassis.runtime.readiness import starting
from chassis.settings.environment import Settings
from credentials.relay import housekeeping, sequencer
from credentials.relay.housekeeping import Housekeeping
from credentials.relay.publisher import RelayPublisher
from eventlog.consumers import Notifications, follow
from eventlog.storage import DatabaseMetrics, refuse_lower_transaction_ids
from secretstore.factory import open_secret_store
from secretstore.installation import await_key_file, compare_keys
from secretstore.personal_keys import open_personal_keys

ROLE = sequencer.ROLE
CONNECTIONS = 4
SCHEMA = ("eventlog.storage", "secretstore", "credentials")


def run_relay(settings: Settings, stop: Event) -> None:
    """Run sequencing, publishing and housekeeping until `stop` is set. Several may run; one leads."""
    url = settings.required_database_url()
    loops = Loops()
    checks = {
        "database": schema_check(url, SCHEMA, role=ROLE),
        "log": login_check(url, refuse_lower_transaction_ids, role=ROLE),
        "secret_store": starting,
    }
    metrics = [DatabaseMetrics.of(settings, role=ROLE)]
    serve_process(settings.metrics_listen, metrics, checks=checks, loops=loops)
    keys = await_key_file(url, settings.key_file, role=ROLE, stop=stop)
    if keys is None:
        return
    threads = []
    announce: Callable[[int, int], None] = _ignore
    if settings.broker_url:
        publishing = RelayPublisher(
            url,
            settings.broker_url,
            role=ROLE,
            jitter=secrets.SystemRandom().random,
            stop=stop,
            tiers=settings.consumers.retry_tiers,
            personal=open_personal_keys(keys),
            check_keys=partial(compare_keys, keys),
        )
        announce, checks["publishing"] = publishing.announce, publishing.check
        threads.append(Thread(target=publishing.run, name="publishing"))
        loops.watch(threads[-1])  # its steps take as long as the broker blocks it
    pool = open_pool(url, role=ROLE, size=CONNECTIONS)
    secret_store = open_secret_store(settings, pool=pool, keys=keys)
    checks["secret_store"] = secret_store.check
    wakeups = Notifications(url, role=ROLE)
    tiers = settings.consumers.retry_tiers
    consumer = Housekeeping(secret_store, tiers=tiers, stop=stop, monotonic=monotonic)

    def run_housekeeping() -> None:
        follow(
            consumer,
            database_url=url,
            role=ROLE,
            name=housekeeping.CONSUMER,
            wakeups=wakeups,
            stop=stop,
            pause=housekeeping.PAUSE_SECONDS,
            step=loops.add("housekeeping"),
        )
        consumer.close()

    threads.append(Thread(target=run_housekeeping, name="housekeeping"))
    for thread in threads:
        thread.start()
    sequencer.run(url, on_positions=announce, stop=stop, step=loops.add("sequencing"))
    for thread in threads:
        thread.join()
    wakeups.close()
    secret_store.close()
    pool.close()


def _ignore(_epoch: int, _position: int) -> None:
    """Do nothing: without a broker only the database notifies of positions."""
