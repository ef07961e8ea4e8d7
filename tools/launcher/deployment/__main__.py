"""`python -m launcher.deployment FOLDER [NAME...]`: creates the files of a deployment (`setup`).

NAMEs are the host names of the gateway, in addition to localhost. POSTGRES_USER_ID, RABBITMQ_USER_ID,
VAULT_USER_ID and GATEWAY_USER_ID (uid:gid) are for images whose Unix users differ from the published ones.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from chassis.runtime.clock import now
from chassis.runtime.core_dumps import disable_core_dumps
from launcher.deployment.setup import PUBLISHED, KeyFileMissing, Servers, set_up
from operations.command_errors import OperationRefused, refused
from operations.migrate.owned_files import Owner


def main(folder: str, names: list[str], environment: Mapping[str, str]) -> None:
    """Create the missing files."""
    disable_core_dumps()
    servers = Servers(
        postgres=_owner(environment, "POSTGRES_USER_ID", PUBLISHED.postgres),
        rabbitmq=_owner(environment, "RABBITMQ_USER_ID", PUBLISHED.rabbitmq),
        vault=_owner(environment, "VAULT_USER_ID", PUBLISHED.vault),
        gateway=_owner(environment, "GATEWAY_USER_ID", PUBLISHED.gateway),
        gateway_names=tuple(dict.fromkeys((*PUBLISHED.gateway_names, *names))),
    )
    try:
        with refused(KeyFileMissing):
            set_up(Path(folder), servers, now=now())
    except OperationRefused as refusal:
        sys.exit(f"Error: {refusal.message}")


def _owner(environment: Mapping[str, str], name: str, default: Owner) -> Owner:
    text = environment.get(name)
    if not text:
        return default
    uid, _, gid = text.partition(":")
    if not uid.isdecimal() or not gid.isdecimal():
        sys.exit(f"{name} must be uid:gid, in digits")
    return Owner(int(uid), int(gid))


if __name__ == "__main__":
    if len(sys.argv) < 2:  # noqa: PLR2004 the program and its folder
        sys.exit("usage: python -m launcher.deployment FOLDER [NAME...]")
    main(sys.argv[1], sys.argv[2:], os.environ)
