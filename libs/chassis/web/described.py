"""What an operation reads and sends besides its path, query and body: headers, and problems of its own.

A route is described beside its code, and `chassis.web.openapi` writes the OpenAPI document from it:

    @describes(IF_MATCH, COMMAND, problems=["name_taken"], example={"name": "team-ghcr"})

Tests compare every response that they get with the document (`tests/support/documented.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis.web.problem_types import PROBLEMS

_View = TypeVar("_View", bound=Callable[..., object])

_DESCRIPTION = "_regcred_description"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What several operations have in common.

    `reads` are headers of requests, `sends` those of successful responses, `problems` the codes of others.
    """

    reads: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


IF_MATCH = Feature(reads=("If-Match",), problems=("if_match_required", "stale_version"))
IDEMPOTENT = Feature(
    reads=("Idempotency-Key",),
    sends=("Idempotency-Replayed",),
    problems=("invalid_idempotency_key", "idempotency_key_reused", "idempotency_key_in_flight"),
)
VERSIONED = Feature(sends=("ETag",))
# It writes events, for a person whom the caller may name.
COMMAND = Feature(
    reads=("Regcred-On-Behalf-Of",),
    sends=("Regcred-Position",),
    problems=("invalid_on_behalf_of", "credential_changing", "secret_store_unavailable", "too_large"),
)
# It reads the read models, which follow the log.
QUERY = Feature(reads=("Regcred-Wait-For",), problems=("invalid_position", "read_model_behind"))
PAGES = Feature(problems=("invalid_cursor",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an operation reads and sends.

    `reads` and `sends` are headers, as in `Feature`, and `sends_refused` those of refusals that are recorded.
    `example` is that of its body. `media_types` are those of responses that are no JSON.
    """

    reads: tuple[str, ...]
    sends: tuple[str, ...]
    sends_refused: tuple[str, ...]
    problems: tuple[str, ...]
    example: Mapping[str, Any] | None
    media_types: tuple[str, ...]


def describes(
    *features: Feature,
    reads: Sequence[str] = (),
    sends: Sequence[str] = (),
    sends_refused: Sequence[str] = (),
    problems: Sequence[str] = (),
    example: Mapping[str, Any] | None = None,
    media_types: Sequence[str] = (),
) -> Callable[[_View], _View]:
    """Describe the operation of a view function: its features, and what only it has.

    It is the decorator next to the function.

    Raises:
        ValueError: a code is unknown.
    """
    all_features = (*features, Feature(reads=tuple(reads), sends=tuple(sends), problems=tuple(problems)))
    description = Description(
        reads=tuple(header for feature in all_features for header in feature.reads),
        sends=tuple(header for feature in all_features for header in feature.sends),
        sends_refused=tuple(sends_refused),
        problems=tuple(code for feature in all_features for code in feature.problems),
        example=example,
        media_types=tuple(media_types),
    )
    if unknown := set(description.problems) - PROBLEMS.keys():
        raise ValueError(f"PROBLEMS has no {', '.join(sorted(unknown))}")

    def mark(view: _View) -> _View:
        setattr(view, _DESCRIPTION, description)
        return view

    return mark


def description_of(view: Callable[..., object]) -> Description | None:
    """Return the description of a view function; `None` if it has none."""
    found: Description | None = getattr(view, _DESCRIPTION, None)
    return found
