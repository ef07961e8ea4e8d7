"""Exports of the audit trail and of the exposure report: files of any length."""

import sys
from pathlib import Path
from typing import Any, BinaryIO

from regcred.apiclient.errors import ResponseLost
from regcred.apiclient.response import lines
from regcred.cli.files import replacing
from regcred.cli.output import notice
from regcred.cli.session import CliSession

CSV = "text/csv"


def export(session: CliSession, below: str, wanted: dict[str, Any], form: str, output: Path | None) -> None:
    """Write what the account has at `below` line by line, so that a long export needs no memory."""
    if output is None:
        try:
            _copy(session, below, wanted, form, sys.stdout.buffer)
        except ResponseLost as error:
            raise ResponseLost(f"{error}; the output is incomplete") from None
        sys.stdout.buffer.flush()
        return
    with replacing(output) as file:
        _copy(session, below, wanted, form, file)
    notice(f"written to {output}")


def _copy(session: CliSession, below: str, wanted: dict[str, Any], form: str, file: BinaryIO) -> None:
    with session.api.stream(session.path(below), wanted, accept=form) as stream:
        # Archived events are not in the response; the API reports them in this header.
        if sealed := stream.reply.headers.get("regcred-audit-sealed"):
            notice(f"some events are archived, see `regcred audit segments`: {sealed}")
        file.writelines(lines(stream.chunks))
