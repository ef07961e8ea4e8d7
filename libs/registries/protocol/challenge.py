"""A parser of `WWW-Authenticate` (RFC 9110 section 11.6.1) as registries send it. Pure.

    header     := challenge *( "," challenge )
    challenge  := scheme [ 1*SP ( token68 | param *( "," param ) ) ]
    param      := name "=" ( token | quoted-string )

A comma inside quotes belongs to the value. A comma outside quotes ends a parameter, and `word SP` after it
begins a new challenge. Headers that do not have this form are refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registries.dialer.errors import BadChallenge

MAX_HEADER = 8 * 1024
MAX_CHALLENGES = 16

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPACE = re.compile(r"[ \t]*")
_SEPARATORS = re.compile(r"[ \t,]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -\x7e\x80-\xff])*)"')
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
# Values are sent in URLs, which other servers log. Registries use scopes, URLs and names only.
_UNQUOTED = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z:/@?-]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A kind of login that the server offers. Scheme and parameter names are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of all `WWW-Authenticate` headers of a response, in order.

    Raises:
        BadChallenge: a challenge cannot be read.
    """
    found: list[Challenge] = []
    for header in headers:
        if len(header) > MAX_HEADER:
            raise BadChallenge("the registry's challenge is too long")
        found.extend(_parse(header))
        if len(found) > MAX_CHALLENGES:
            raise BadChallenge("the registry's challenge offers too many kinds of login")
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The Bearer challenge, or else the Basic one; `None` if there is neither.

    containerd and Harbor choose in the same way.
    """
    by_scheme: dict[str, Challenge] = {}
    for challenge in challenges:
        by_scheme.setdefault(challenge.scheme, challenge)
    return by_scheme.get("bearer") or by_scheme.get("basic")


def _parse(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = _skip(_SEPARATORS, header, 0)
    while position < len(header):
        scheme, position = _take(_TOKEN, header, position)
        after = _skip(_SPACE, header, position)
        parameters: dict[str, str] = {}
        blob = _TOKEN68.match(header, after) if after > position else None
        if blob and (blob[0].endswith("==") or not _is_parameter(header, after)):
            position = blob.end()  # Negotiate and similar schemes, which regcred does not support
        else:
            position = _parameters(header, after, parameters)
        challenges.append(Challenge(scheme.lower(), parameters))
        position = _next(header, position)
    return challenges


def _parameters(header: str, position: int, parameters: dict[str, str]) -> int:
    """Read parameters into `parameters`. Returns the position at which the header or the challenge ends."""
    while position < len(header) and _is_parameter(header, position):
        name, position = _take(_TOKEN, header, position)
        position = _skip(_EQUALS, header, position)
        if header.startswith('"', position):
            quoted = _QUOTED.match(header, position)
            if quoted is None:
                raise BadChallenge("the registry's challenge has an unclosed or unprintable value")
            value, position = re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
        else:
            value, position = _take(_UNQUOTED, header, position)
        if name.lower() in parameters:
            raise BadChallenge("the registry's challenge names a parameter twice")
        parameters[name.lower()] = value
        end = _skip(_SPACE, header, position)
        if end < len(header) and header[end] != ",":
            raise BadChallenge("the registry's challenge lacks a comma")
        following = _skip(_SEPARATORS, header, end)
        if not _is_parameter(header, following):
            return end
        position = following
    return position


def _next(header: str, position: int) -> int:
    end = _skip(_SPACE, header, position)
    if end < len(header) and header[end] != ",":
        raise BadChallenge("the registry's challenge lacks a comma")
    return _skip(_SEPARATORS, header, end)


def _is_parameter(header: str, position: int) -> bool:
    name = _TOKEN.match(header, position)
    return name is not None and _EQUALS.match(header, name.end()) is not None


def _take(pattern: re.Pattern[str], header: str, position: int) -> tuple[str, int]:
    match = pattern.match(header, position)
    if match is None:
        raise BadChallenge("the registry's challenge cannot be read")
    return match[0], match.end()


def _skip(pattern: re.Pattern[str], header: str, position: int) -> int:
    match = pattern.match(header, position)
    return match.end() if match else position
