"""Reads what a request for a pull secret is for: images, a repository or a registry."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from chassis.invalid_input import FieldProblem
from contracts.issuance_events import MAX_IMAGES, MAX_REGISTRIES
from credentials.domain.issuance import Image
from registries.errors import InvalidHost, InvalidReference
from registries.image_reference import ImageReference, name_as_written
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

_MAX_REFUSED_BODY = (
    128 * 1024
)  # more than 100 images; a longer body is not read for the record of its refusal


def requested_images(body: Mapping[str, Any]) -> tuple[list[Image], list[FieldProblem]]:
    """Return the requested images, or the whole repository or registry in place of them, and the problems."""
    wholes = [name for name in ("registry_host", "repository") if body[name] is not None]
    if not wholes:
        return _several(body["images"])
    if len(wholes) + bool(body["images"]) > 1:
        detail = "only one of images, repository and registry_host"
        return [], [FieldProblem(f"/{wholes[0]}", "not_with_images", detail)]
    try:
        if wholes == ["repository"]:
            return [WholeRepository.parse(body["repository"])], []
        return [WholeRegistry.parse(body["registry_host"])], []
    except (InvalidHost, InvalidReference) as error:
        return [], [FieldProblem(f"/{wholes[0]}", error.code, error.detail)]


def images_named(body: bytes) -> tuple[str, ...]:
    """Return the canonical images, repositories and registries that a body names, for the audit trail.

    The body was not checked: its caller had no right to the request. Texts that are no images are left out,
    because they could be secrets.
    """
    if len(body) > _MAX_REFUSED_BODY:
        return ()
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    if not isinstance(document, dict):
        return ()
    texts = document.get("images")
    several = texts[:MAX_IMAGES] if isinstance(texts, list) else []
    parsers: list[tuple[Callable[[str], object], object]] = [
        *((ImageReference.parse, text) for text in [*several, document.get("image")]),
        (WholeRepository.parse, document.get("repository")),
        (WholeRegistry.parse, document.get("registry_host")),
    ]
    found: list[str] = []
    for parse, text in parsers:
        with suppress(InvalidHost, InvalidReference):
            if isinstance(text, str):
                found.append(str(parse(text)))
    return tuple(dict.fromkeys(found))


def names_as_written(body: Mapping[str, Any], images: Sequence[Image]) -> dict[Image, tuple[str, ...]]:
    """Return the names that clients look up for images whose host is written in a spelling of its own.

    `images` are those of `requested_images`, which found no problem. The secret of a whole registry has one
    key, because the credential helper of 0.9.0 accepts no other response.
    """
    if body["registry_host"] is not None:
        return {}
    texts = body["images"] or [body["repository"]]
    names: dict[Image, tuple[str, ...]] = {}
    for text, image in zip(texts, images, strict=True):
        name = name_as_written(text, image.registry_host)
        if name is not None:
            names[image] = tuple(dict.fromkeys((*names.get(image, ()), name)))
    return names


def _several(texts: Sequence[str]) -> tuple[list[Image], list[FieldProblem]]:
    images, problems = _images(texts)
    if not 0 < len(texts) <= MAX_IMAGES:
        detail = f"1 to {MAX_IMAGES} images are expected, or a repository or registry_host"
        problems.append(FieldProblem("/images", "invalid_length", detail))
    if len({image.registry_host for image in images}) > MAX_REGISTRIES:
        detail = f"at most {MAX_REGISTRIES} registries; send several requests"
        problems.append(FieldProblem("/images", "too_many_registries", detail))
    return list(images), problems


def _images(texts: Sequence[str]) -> tuple[list[ImageReference], list[FieldProblem]]:
    images, problems = [], []
    for index, text in enumerate(texts[:MAX_IMAGES]):
        try:
            images.append(ImageReference.parse(text, f"/images/{index}"))
        except InvalidReference as error:
            problems.append(FieldProblem(error.pointer, error.code, error.detail))
    return images, problems
