"""The differences between the live generation and the log."""

import psycopg

from eventlog.integrity import Difference
from eventlog.storage import PersonalKeys
from projector.rebuild.comparison import read_model_differences


def differences(database_url: str, personal: PersonalKeys) -> list[Difference]:
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return list(read_model_differences(connection, personal))
