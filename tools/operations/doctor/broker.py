"""Checks of RabbitMQ, if the installation has it."""

from collections.abc import Iterator

from contracts.broker import TOPOLOGY
from eventlog.broker import BrokerState, BrokerUnavailable, inspect_broker
from operations.doctor.finding import Finding, failed, ok, warning


def broker_findings(url: str) -> Iterator[Finding]:
    try:
        state = inspect_broker(url, TOPOLOGY)
    except BrokerUnavailable as error:
        remedy = "start RabbitMQ, or correct host, port, user and virtual host in REGCRED_BROKER_URL"
        yield failed("broker", str(error), remedy)
        return
    yield ok("broker", f"it responds and accepts user {state.user}")
    yield from state_findings(state)


def state_findings(state: BrokerState) -> Iterator[Finding]:
    if state.missing:
        sentence = f"not declared: {', '.join(state.missing)}"
        yield failed("broker.topology", sentence, "run `regcred migrate` with the user regcred-deploy")
    else:
        yield ok("broker.topology", "all exchanges and queues are declared")
    if state.refused:
        sentence = f"{state.user} may not {', nor '.join(state.refused)}"
        yield failed("broker.rights", sentence, "give it the rights in infra/rabbitmq (definitions)")
    else:
        yield ok("broker.rights", f"{state.user} has the rights that it needs")
    if state.alarmed:
        remedy = "free memory or disk of the broker (`rabbitmq-diagnostics alarms`); events wait in the log"
        yield failed("broker.alarms", "it accepts no messages because of a memory or disk alarm", remedy)
    else:
        yield ok("broker.alarms", "there is no memory or disk alarm")
    dead = {queue: depth for queue, depth in state.depths.items() if queue.endswith(".dead") and depth}
    if dead:
        counted = ", ".join(f"{depth} in {queue}" for queue, depth in dead.items())
        remedy = (
            "`regcred deadletters` shows them; another publisher sends messages that are not regcred events"
        )
        yield warning("broker.dead-letters", f"messages were rejected: {counted}", remedy)
