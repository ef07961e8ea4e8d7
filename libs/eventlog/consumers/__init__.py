"""Consumers of the log: leadership, wake-ups, batches in order, single events in a pool of threads."""

from eventlog.consumers.concurrency import ConcurrentConsumer
from eventlog.consumers.consumer import follow
from eventlog.consumers.delivery_report import log_batch, reported_batch
from eventlog.consumers.factory import open_wakeups
from eventlog.consumers.leader import has_leader, leadership
from eventlog.consumers.metrics import consumer_metrics, log_metrics
from eventlog.consumers.retries import Delivery, DeliveryOutcome, DeliveryResult, Retries
from eventlog.consumers.wakeups import Notifications

__all__ = [
    "ConcurrentConsumer",
    "Delivery",
    "DeliveryOutcome",
    "DeliveryResult",
    "Notifications",
    "Retries",
    "consumer_metrics",
    "follow",
    "has_leader",
    "leadership",
    "log_batch",
    "log_metrics",
    "open_wakeups",
    "reported_batch",
]
