"""Erase the personal data of an account from the audit trail of a generation (ADR 14)."""

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from projector.write.projections.audit import personal_paths

_ERASE = "SELECT rm.erase_account(%s, %s, %s)"


def erase_rows(connection: psycopg.Connection[Any], generation: int, account_id: str) -> None:
    """Replace the account's personal data by `erased` in the rows before its last `account.erased`."""
    connection.execute(_ERASE, (generation, account_id, Jsonb(personal_paths())))
