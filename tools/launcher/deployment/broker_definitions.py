"""Builds the definitions file of RabbitMQ from a topology.

Import the file with `rabbitmqctl import_definitions` or by the setting `load_definitions`.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from eventlog.topology import VHOST, Topology

SALT_BYTES = 4


def password_hash(password: str, salt: bytes) -> str:
    """A hash of `rabbit_password_hashing_sha256`: base64 of the salt and of SHA-256 of salt and password."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(
    topology: Topology, passwords: Mapping[str, str], *, salt: Callable[[], bytes]
) -> dict[str, Any]:
    """Return the document. `passwords` has the password of each user. `salt` is called once per user."""
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": name,
                "password_hash": password_hash(passwords[name], salt()),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ",".join(rights.tags),
            }
            for name, rights in topology.users.items()
        ],
        "permissions": [
            {
                "user": name,
                "vhost": VHOST,
                "configure": rights.configure,
                "write": rights.write,
                "read": rights.read,
            }
            for name, rights in topology.users.items()
        ],
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": VHOST,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": VHOST,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": VHOST,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
        "policies": _policies(topology),
    }


def _policies(topology: Topology) -> list[dict[str, Any]]:
    return [
        {
            "vhost": VHOST,
            "name": queue.name,
            "pattern": f"^{queue.name.replace('.', '[.]')}$",
            "apply-to": "queues",
            "priority": 10,
            "definition": {"max-length-bytes": queue.max_bytes},
        }
        for queue in topology.queues
    ]
