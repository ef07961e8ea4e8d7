"""What a command does not need is not loaded, so that the program starts at once."""

import subprocess
import sys

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


def test_no_command_is_loaded_with_what_only_some_need() -> None:
    code = f"import sys, regcred.__main__; print([one for one in {HEAVY} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
