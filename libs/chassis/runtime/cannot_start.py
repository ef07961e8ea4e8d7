"""The base class of errors that an operator has to correct before a process can start.

CannotStart
├── chassis.settings.invalid_setting.InvalidSetting   a setting
├── chassis.runtime.addresses.AddressUnusable         the address at which the process serves
├── operations.home_lock.HomeOfAnotherUser            the user who runs a command
├── secretstore.keyfile.KeyFileError                  the key file
└── secretstore.store.WrongSecretStore                a Vault of another installation
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class CannotStart(Exception):
    """The process cannot start, however often it is started again. The message says what to correct."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with the sentence of a `CannotStart` on standard error and exit code 1."""
    try:
        yield
    except CannotStart as error:
        sys.exit(f"Error: {error}")
