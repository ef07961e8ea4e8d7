"""`python -m launcher.deployment.definitions`: prints RabbitMQ's definitions of regcred's topology.

The password of each user of the topology comes from a file. `REGCRED_RELAY_PASSWORD_FILE` names the file of
the user `regcred-relay`, for example.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_bytes

from contracts.broker import TOPOLOGY
from launcher.deployment.broker_definitions import SALT_BYTES, definitions


def main(environment: Mapping[str, str]) -> None:
    """Write the document to standard output."""
    passwords = {}
    for name in TOPOLOGY.users:
        variable = f"{name.upper().replace('-', '_')}_PASSWORD_FILE"
        if variable not in environment:
            sys.exit(f"{variable} is not set")
        passwords[name] = Path(environment[variable]).read_text().strip()
    json.dump(definitions(TOPOLOGY, passwords, salt=lambda: token_bytes(SALT_BYTES)), sys.stdout, indent=2)


if __name__ == "__main__":
    main(os.environ)
