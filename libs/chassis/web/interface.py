"""The OpenAPI document of the complete API. Every service serves it.

Callers see one address (the gateway, or `regcred up`), and do not know the services behind it.
`python -m docs.contract_documents docs` writes `openapi.json`; a test compares it with the routes.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("openapi.json")


@cache
def document() -> dict[str, Any]:
    """The document. Callers must not change it."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found
