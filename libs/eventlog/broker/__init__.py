"""RabbitMQ: topology, CloudEvents, the relay's publisher, and wake-ups for consumers."""
