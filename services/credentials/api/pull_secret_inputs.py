"""From loaded JSON to images, projects and workloads; every wrong one is named, not only the first."""

import re
from collections.abc import Sequence
from typing import Any

from credentials.domain.issuing import Image, PullSecretWanted
from credentials.domain.values import raise_all
from shared.contracts.issuing_events import Workload
from shared.contracts.platform_ids import is_platform_id
from shared.input.invalid import FieldProblem
from shared.registries.errors import InvalidHost, InvalidReference
from shared.registries.image_reference import ImageReference
from shared.registries.whole_registry import WholeRegistry

Body = dict[str, Any]

MAX_IMAGES = 100
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
_MAX_NAME = 253


def image(text: str, project_id: str) -> ImageReference:
    """What a body of `POST …/resolutions` asks about."""
    images, problems = _images([text], "/image")
    raise_all([*problems, *_project(project_id)])
    return images[0]


def wanted(body: Body) -> PullSecretWanted:
    """What a body of `POST …/pull-secrets` asks for."""
    images, problems = _asked(body)
    problems += _project(body["project_id"])
    kind, name = body["workload"]["kind"], body["workload"]["name"]
    if not _KIND.fullmatch(kind):
        detail = "a letter, then up to 62 letters, digits, dots, hyphens or underscores"
        problems.append(FieldProblem("/workload/kind", "invalid_workload", detail))
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        detail = f"1 to {_MAX_NAME} characters of one line, without space around them"
        problems.append(FieldProblem("/workload/name", "invalid_workload", detail))
    if body["format"] == "basic" and not problems and len(set(images)) > 1:
        detail = "user name and password can only be given for one image; ask for a docker_config"
        problems.append(FieldProblem("/images", "one_image", detail))
    raise_all(problems)
    return PullSecretWanted(
        images=tuple(images),
        project_id=body["project_id"],
        workload=Workload(kind=kind, name=name),
        format=body["format"],
        allow_anonymous=body["allow_anonymous"],
        short_lived=body["short_lived"],
    )


def _asked(body: Body) -> tuple[list[Image], list[FieldProblem]]:
    """The images, or the whole registry in place of them."""
    if body["registry_host"] is None:
        images, problems = _images(body["images"], "/images/{}")
        if not 0 < len(body["images"]) <= MAX_IMAGES:
            detail = f"1 to {MAX_IMAGES} images are expected, or a registry_host"
            problems.append(FieldProblem("/images", "invalid_length", detail))
        return list(images), problems
    if body["images"]:
        detail = "either images or a registry_host"
        return [], [FieldProblem("/registry_host", "not_with_images", detail)]
    try:
        return [WholeRegistry.parse(body["registry_host"])], []
    except InvalidHost as error:
        return [], [FieldProblem("/registry_host", error.code, error.detail)]


def _images(texts: Sequence[str], pointer: str) -> tuple[list[ImageReference], list[FieldProblem]]:
    images, problems = [], []
    for index, text in enumerate(texts[:MAX_IMAGES]):
        try:
            images.append(ImageReference.parse(text, pointer.format(index)))
        except InvalidReference as error:
            problems.append(FieldProblem(error.pointer, error.code, error.detail))
    return images, problems


def _project(project_id: str) -> list[FieldProblem]:
    if is_platform_id(project_id):
        return []
    detail = "1 to 63 letters, digits or hyphens, not a hyphen first"
    return [FieldProblem("/project_id", "invalid_project", detail)]
