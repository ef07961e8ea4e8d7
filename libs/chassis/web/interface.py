"""The whole HTTP interface as one OpenAPI document, which every service serves, whichever routes are its own.

Callers see one address (the gateway, or `regcred up`), and know nothing of services. `openapi.json` is
written by `python -m docs.contract_documents docs`; a test holds it to the routes.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("openapi.json")


@cache
def document() -> dict[str, Any]:
    """The document; who gets it must not change it."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
