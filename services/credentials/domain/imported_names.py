"""Names of imported credentials, derived from their hosts. Pure.

ghcr.io                    ghcr-io, ghcr-io-2, ghcr-io-3
registry.example.com:5000  registry-example-com-5000
192.0.2.1                  registry-192-0-2-1        a name starts with a letter
reg.example.com, team      team-reg-example-com
"""

import re
from collections.abc import Iterator
from itertools import count

from chassis.invalid_input import FieldProblem, InvalidInput
from credentials.domain.values import MAX_NAME

MAX_NAME_PREFIX = 20
_PREFIX = re.compile(r"[A-Za-z](?:[ -]?[A-Za-z0-9])*[ -]?")
_NO_LETTER_FIRST = "registry-"


def name_prefix(text: str, pointer: str = "/name_prefix") -> str:
    """Parse the prefix of names, which may be empty. After a letter or digit a hyphen is appended."""
    if not text:
        return ""
    if len(text) > MAX_NAME_PREFIX or not _PREFIX.fullmatch(text):
        detail = f"at most {MAX_NAME_PREFIX} characters that a name can start with"
        raise InvalidInput((FieldProblem(pointer, "invalid_name", detail),))
    return text if text.endswith((" ", "-")) else f"{text}-"


def names_for(registry_host: str, prefix: str) -> Iterator[str]:
    """Yield names for a credential of this registry, the preferred one first, without end."""
    name = prefix + re.sub(r"[^a-z0-9]+", "-", registry_host.lower()).strip("-")
    if not name[0].isalpha():
        name = _NO_LETTER_FIRST + name
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        yield name[: MAX_NAME - len(ending)].rstrip(" -") + ending
