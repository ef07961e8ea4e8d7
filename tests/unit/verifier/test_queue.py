"""The broker wakes the verifier for every event that it takes, and for no other."""

from eventlog.broker.topology import CONSUMERS
from verifier.scheduling.verification_handler import TYPES


def test_the_queue_is_bound_to_what_the_verifier_takes() -> None:
    assert set(CONSUMERS["verifier"]) == TYPES
