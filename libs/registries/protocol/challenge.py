"""`WWW-Authenticate` (RFC 9110 section 11.6.1) as registries write it. Pure.

    header     := challenge *( "," challenge )
    challenge  := scheme [ 1*SP ( token68 | param *( "," param ) ) ]
    param      := name "=" ( token | quoted-string )

Commas inside quotes belong to the value; a comma outside ends a parameter, and `word SP` after it begins a
new challenge. What is not of this form is refused, not guessed at.
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
# Values go into URLs and from there into logs of others; registries quote scopes, URLs and names only.
_UNQUOTED = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z:/@?-]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that the server offers. Scheme and parameter names are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of all `WWW-Authenticate` headers of a response, in order.

    Raises:
        BadChallenge: one of them cannot be understood.
    """
    found: list[Challenge] = []
    for header in headers:
        if len(header) > MAX_HEADER:
            raise BadChallenge("the registry's challenge is too long")
        found.extend(_parse(header))
        if len(found) > MAX_CHALLENGES:
            raise BadChallenge("the registry offers too many ways to log in")
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Bearer before Basic, as containerd and Harbor have it; `None` if neither is offered."""
    by_scheme: dict[str, Challenge] = {}
    for challenge in challenges:
        by_scheme.setdefault(challenge.scheme, challenge)
    return by_scheme.get("bearer") or by_scheme.get("basic")


def _parse(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    place = _skip(_SEPARATORS, header, 0)
    while place < len(header):
        scheme, place = _take(_TOKEN, header, place)
        after = _skip(_SPACE, header, place)
        parameters: dict[str, str] = {}
        blob = _TOKEN68.match(header, after) if after > place else None
        if blob and (blob[0].endswith("==") or not _is_parameter(header, after)):
            place = blob.end()  # Negotiate and its like; nothing that we answer
        else:
            place = _parameters(header, after, parameters)
        challenges.append(Challenge(scheme.lower(), parameters))
        place = _next(header, place)
    return challenges


def _parameters(header: str, place: int, parameters: dict[str, str]) -> int:
    """Read parameters until the header ends or another challenge begins; where that is."""
    while place < len(header) and _is_parameter(header, place):
        name, place = _take(_TOKEN, header, place)
        place = _skip(_EQUALS, header, place)
        if header.startswith('"', place):
            quoted = _QUOTED.match(header, place)
            if quoted is None:
                raise BadChallenge("the registry's challenge has an unclosed or unprintable value")
            value, place = re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
        else:
            value, place = _take(_UNQUOTED, header, place)
        if name.lower() in parameters:
            raise BadChallenge("the registry's challenge names a parameter twice")
        parameters[name.lower()] = value
        end = _skip(_SPACE, header, place)
        if end < len(header) and header[end] != ",":
            raise BadChallenge("the registry's challenge lacks a comma")
        following = _skip(_SEPARATORS, header, end)
        if not _is_parameter(header, following):
            return end
        place = following
    return place


def _next(header: str, place: int) -> int:
    end = _skip(_SPACE, header, place)
    if end < len(header) and header[end] != ",":
        raise BadChallenge("the registry's challenge lacks a comma")
    return _skip(_SEPARATORS, header, end)


def _is_parameter(header: str, place: int) -> bool:
    name = _TOKEN.match(header, place)
    return name is not None and _EQUALS.match(header, name.end()) is not None


def _take(pattern: re.Pattern[str], header: str, place: int) -> tuple[str, int]:
    match = pattern.match(header, place)
    if match is None:
        raise BadChallenge("the registry's challenge cannot be understood")
    return match[0], match.end()


def _skip(pattern: re.Pattern[str], header: str, place: int) -> int:
    match = pattern.match(header, place)
    return match.end() if match else place
