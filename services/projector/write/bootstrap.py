"""Composition of the consumer that updates the read models."""

from threading import Event

from chassis.observability.exposition import serve_metrics
from chassis.settings.environment import Settings
from eventlog.consumers import follow, open_wakeups
from eventlog.storage import DatabaseMetrics
from projector.write.consumer import CONSUMER, ReadModelConsumer
from secretstore.installation import await_key_file
from secretstore.personal_keys import open_personal_keys

ROLE = "regcred_projector"
# A batch costs as much as several events. Under load, events that arrive within this time share a batch.
PAUSE_SECONDS = 0.005


def run_projector(settings: Settings, stop: Event) -> None:
    """Update the read models until `stop` is set. Several processes may run; one of them leads."""
    url = settings.required_database_url()
    serve_metrics(settings.metrics_listen, [DatabaseMetrics.of(settings, role=ROLE)])
    keys = await_key_file(url, settings.key_file, role=ROLE, stop=stop)
    if keys is None:
        return
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
    )
    wakeups.close()
