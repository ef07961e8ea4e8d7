"""Runs commands of operators in the process of the test."""

import signal
from collections.abc import Mapping

import structlog
from click.testing import CliRunner, Result

from regcred.__main__ import main


def run_command(command: str, environment: Mapping[str, str]) -> Result:
    """Run a command that ends with a message. It must not raise another exception.

    The signals that it blocks and the logs that it sets are reset afterwards.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        result = CliRunner().invoke(main, command.split(), env=environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        structlog.reset_defaults()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "canary" not in result.output
    return result
