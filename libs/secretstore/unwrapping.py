"""`python -m secretstore.unwrapping FOLDER ROLE`: unwrap the secret id of an AppRole.

`infra/vault/bootstrap.sh` writes `ROLE.wrapped` to the folder: a token with which Vault returns the secret id
once. This program runs as the user of the service and writes the secret id to `ROLE.secret-id` (0600). If
another program has used the token, the secret id is stolen: the operator is alarmed, and nothing is retried.
"""

import os
import sys
from pathlib import Path

import hvac
import requests
from hvac import exceptions as vault

from chassis.atomic_file import replace_file

SECONDS = 10


class WrappingUnusable(Exception):
    """The wrapping was not created by the bootstrap, has expired, or was used before."""


def unwrap(folder: Path, role: str, *, address: str, ca_file: Path | None) -> bool:
    """Unwrap `ROLE.wrapped` in the folder. Return whether the file exists.

    Raises:
        WrappingUnusable: the operator has to destroy the secret ids of the role and investigate.
        requests.RequestException, hvac.exceptions.VaultError: Vault does not respond.
    """
    wrapped = folder / f"{role}.wrapped"
    if not wrapped.exists():
        return False
    token = wrapped.read_text().strip()
    session = requests.Session()
    session.trust_env = False
    session.verify = str(ca_file) if ca_file else True
    client = hvac.Client(url=address, token=token, session=session, timeout=SECONDS, cert=())
    expected = f"auth/approle/role/regcred-{role}/secret-id"
    try:
        looked_up = client.adapter.post("/v1/sys/wrapping/lookup", json={"token": token})
        path = looked_up["data"]["creation_path"]
        if path != expected:
            raise WrappingUnusable(f"the wrapping was created for {path}, not for {expected}")
        secret_id = client.adapter.post("/v1/sys/wrapping/unwrap")["data"]["secret_id"]
    except (vault.InvalidRequest, vault.Forbidden):
        raise WrappingUnusable(
            f"the wrapping of {role} is not valid: it has expired, or another program has unwrapped it"
        ) from None
    replace_file(folder / f"{role}.secret-id", secret_id.encode(), mode=0o600)
    wrapped.unlink()
    return True


def main(folder: str, role: str) -> None:
    """Unwrap with the Vault of REGCRED_VAULT_ADDR and REGCRED_VAULT_CA_FILE."""
    ca_file = os.environ.get("REGCRED_VAULT_CA_FILE")
    try:
        unwrap(
            Path(folder),
            role,
            address=os.environ["REGCRED_VAULT_ADDR"],
            ca_file=Path(ca_file) if ca_file else None,
        )
    except WrappingUnusable as error:
        sys.exit(f"ALARM: {error}")


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 the program, its folder, its role
        sys.exit("usage: python -m secretstore.unwrapping FOLDER ROLE")
    main(sys.argv[1], sys.argv[2])
