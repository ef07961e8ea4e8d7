"""`python -m secretstore.unwrapping FOLDER ROLE`: take an AppRole's secret id out of its wrapping.

`infra/vault/bootstrap.sh` leaves `ROLE.wrapped` in the folder: a token that gives out the secret id once. The
service's own user takes it here, and it becomes `ROLE.secret-id` (0600). A wrapping that somebody else has
opened is a theft to be told of, not an error to be tried again.
"""

import os
import sys
from pathlib import Path

import hvac
import requests
from hvac import exceptions as vault

SECONDS = 10


class WrappingUnusable(Exception):
    """It is not what the bootstrap made, or somebody has opened it."""


def unwrap(folder: Path, role: str, *, address: str, ca_file: Path | None) -> bool:
    """Whether there was something to unwrap.

    Raises:
        WrappingUnusable: see there; destroy the role's secret ids and find out who it was.
        requests.RequestException, hvac.exceptions.VaultError: Vault does not answer.
    """
    wrapped = folder / f"{role}.wrapped"
    if not wrapped.exists():
        return False
    token = wrapped.read_text().strip()
    session = requests.Session()
    session.trust_env = False
    session.verify = str(ca_file) if ca_file else True
    client = hvac.Client(url=address, token=token, session=session, timeout=SECONDS, cert=())
    made_for = f"auth/approle/role/regcred-{role}/secret-id"
    try:
        looked_up = client.adapter.post("/v1/sys/wrapping/lookup", json={"token": token})
        path = looked_up["data"]["creation_path"]
        if path != made_for:
            raise WrappingUnusable(f"the wrapping was made for {path}, not for {made_for}")
        secret_id = client.adapter.post("/v1/sys/wrapping/unwrap")["data"]["secret_id"]
    except (vault.InvalidRequest, vault.Forbidden):
        raise WrappingUnusable(
            f"the wrapping of {role} is not good: expired, or opened by somebody"
        ) from None
    draft = folder / f".{role}.secret-id"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret_id)
    draft.replace(folder / f"{role}.secret-id")
    wrapped.unlink()
    return True


def main(folder: str, role: str) -> None:
    """Unwrap what is there, with Vault's address from REGCRED_VAULT_ADDR and REGCRED_VAULT_CA_FILE."""
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
