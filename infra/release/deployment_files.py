"""The files that deploy a release: every image is named by its digest.

`compose.yml` is used after `docker-compose.yml`, and the component `kubernetes` in an overlay of
`infra/kubernetes/base`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.release.base_images import ROOT

Document = dict[str, Any]

BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"\$\{([A-Z_]+):-[^}]*\}")
_OURS = re.compile(r"\$\{REGCRED_IMAGES:-[^}]*\}/([a-z]+):")


class NotByDigest(Exception):
    """A file of the release names an image by its tag only."""


def compose_override(ours: Mapping[str, str], others: Mapping[str, str]) -> Document:
    """The image of each service of docker-compose.yml.

    `ours` are references by the name of an image, `others` by the variable that names them.

    Raises:
        LookupError: the release lacks an image.
    """
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = {
        name: {"image": _image(service["image"], ours, others)}
        for name, service in compose["services"].items()
    }
    return {"services": services}


def _image(text: str, ours: Mapping[str, str], others: Mapping[str, str]) -> str:
    if found := _OURS.match(text):
        return ours[found[1]]
    if found := _VARIABLE.fullmatch(text):
        return others[found[1]]
    raise LookupError(f"no variable names the image {text}")


def kubernetes_component(ours: Mapping[str, str], others: Mapping[str, str]) -> Document:
    """A component of kustomize that replaces every image of the base.

    The resource of RabbitMQ is none that kustomize knows, so a patch names its image.
    """
    images = []
    for name, reference in ours.items():
        repository, _, digest = reference.partition("@")
        images.append({"name": f"regcred/{name}", "newName": _without_tag(repository), "digest": digest})
    repository, _, digest = others["GATEWAY_IMAGE"].partition("@")
    images.append({"name": _without_tag(repository), "digest": digest})
    rabbitmq = [{"op": "replace", "path": "/spec/image", "value": others["RABBITMQ_IMAGE"]}]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "images": images,
        "patches": [{"target": {"kind": "RabbitmqCluster"}, "patch": json.dumps(rabbitmq)}],
    }


def _without_tag(repository: str) -> str:
    """The part before the tag. The host may have a port, so only the last segment of the path counts."""
    path, slash, name = repository.rpartition("/")
    return path + slash + name.partition(":")[0]


def write(folder: Path, ours: Mapping[str, str], others: Mapping[str, str]) -> None:
    """Write both files below `folder`. Raises `NotByDigest`."""
    component = folder / "kubernetes" / "kustomization.yaml"
    component.parent.mkdir(parents=True, exist_ok=True)
    override = compose_override(ours, others)
    check(override)
    (folder / "compose.yml").write_text(yaml.safe_dump(override, sort_keys=False))
    component.write_text(yaml.safe_dump(kubernetes_component(ours, others), sort_keys=False))


def check(document: object) -> None:
    """Raise `NotByDigest` if a manifest, or a part of it, names an image without a digest."""
    for image in images_of(document):
        if not BY_DIGEST.fullmatch(image):
            raise NotByDigest(f"{image} is not named by its digest")


def images_of(document: object) -> Iterator[str]:
    """The values of all fields `image` in a document, such as a manifest."""
    match document:
        case dict():
            for name, value in document.items():
                if name == "image" and isinstance(value, str):
                    yield value
                else:
                    yield from images_of(value)
        case list():
            for value in document:
                yield from images_of(value)
        case _:
            pass
