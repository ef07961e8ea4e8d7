"""Selects the source of wake-ups: the queue at the broker, or the database if there is no broker."""

from chassis.settings.environment import Settings
from eventlog.broker.feed import PositionFeed
from eventlog.consumers.wakeups import Notifications, Wakeups


def open_wakeups(settings: Settings, *, role: str, queue: str) -> Wakeups:
    """The wake-ups that the settings select, for the consumer that owns `queue`."""
    if settings.broker_url:
        return PositionFeed(settings.broker_url, queue, prefetch=settings.consumers.prefetch)
    return Notifications(settings.required_database_url(), role=role)
