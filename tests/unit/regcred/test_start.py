"""The program starts at once: what a command does not need is not loaded."""

import resource
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("regcred")
SECONDS = 0.3  # of the processor: other programs of the machine do not count
HEAVY = (
    "httpx2",
    "ssl",
    "rich.console",
    "cryptography",
    "flask",
    "hvac",
    "msgspec",
    "pika",
    "psycopg",
    "structlog",
)
CLIENT = "regcred.client.commands.credentials, regcred.client.commands.audit"


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_there_at_once() -> None:
    spent = []
    for _ in range(3):
        before = _spent()
        subprocess.run([PROGRAM, "credentials", "--help"], check=True, capture_output=True)
        spent.append(_spent() - before)
    assert min(spent) < SECONDS


def test_no_command_is_loaded_with_what_only_some_need() -> None:
    code = f"import sys, regcred.__main__, {CLIENT}; print([one for one in {HEAVY} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
