"""Composition of the consumer that updates the read models."""

from threading import Event

from chassis.migrations import schema_check
from chassis.observability.process_server import serve_process
from chassis.runtime.loops import Loops
from chassis.runtime.readiness import starting
from chassis.settings.environment import Settings
from eventlog.consumers import follow, open_wakeups
from eventlog.storage import DatabaseMetrics
from projector.write.consumer import CONSUMER, ReadModelConsumer
from secretstore.installation import await_key_file
from secretstore.personal_keys import open_personal_keys

ROLE = "regcred_projector"
SCHEMA = ("eventlog.storage", "projector")
# A batch costs as much as several events. Under load, events that arrive within this time share a batch.
PAUSE_SECONDS = 0.005


def run_projector(settings: Settings, stop: Event) -> None:
    """Update the read models until `stop` is set. Several processes may run; one of them leads."""
    url = settings.required_database_url()
    loops, checks = Loops(), {"database": schema_check(url, SCHEMA, role=ROLE), "key_file": starting}
    metrics = [DatabaseMetrics.of(settings, role=ROLE)]
    serve_process(settings.metrics_listen, metrics, checks=checks, loops=loops)
    keys = await_key_file(url, settings.key_file, role=ROLE, stop=stop)
    if keys is None:
        return
    del checks["key_file"]
    wakeups = open_wakeups(settings, role=ROLE, queue="regcred.projector")
    personal = open_personal_keys(keys)
    models = ReadModelConsumer(personal)
    follow(
        models,
        database_url=url,
        role=ROLE,
        name=CONSUMER,
        wakeups=wakeups,
        stop=stop,
        checkpoint=models.redrive_and_get_checkpoint,
        personal=personal,
        pause=PAUSE_SECONDS,
        step=loops.add("projector"),
    )
    wakeups.close()
