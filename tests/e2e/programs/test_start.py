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


def test_starting_the_program_loads_no_library_of_single_commands() -> None:
    code = f"import sys, regcred.__main__; print([one for one in {HEAVY} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
