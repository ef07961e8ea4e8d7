"""The APIs of Kubernetes and of the operators accept every manifest: no unknown field, no wrong type."""

import copy
import json
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.support.manifests import FOLDER, KUSTOMIZATIONS, Manifest, manifests

OLDEST, NEWEST = "1.31", "1.37"
OPERATORS = {"postgresql.cnpg.io", "rabbitmq.com", "keda.sh"}


def validate(manifest: Manifest, version: str) -> None:
    """Raises `jsonschema.ValidationError`."""
    group, _, api_version = manifest["apiVersion"].rpartition("/")
    if group in OPERATORS:
        file = FOLDER / "schemas" / f"{manifest['kind'].lower()}-{group}-{api_version}.json"
        jsonschema.Draft202012Validator(json.loads(file.read_text())).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_manifests_are_valid(kustomization: str, version: str) -> None:
    found = manifests(kustomization)
    assert len(found) > 50
    for manifest in found:
        validate(manifest, version)


def spoilt(kind: str, path: tuple[str | int, ...], value: object) -> Manifest:
    manifest = copy.deepcopy(manifests("overlays/production", kind)[0])
    inner: Any = manifest
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return manifest


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replica"), 2),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "env", 0, "vaule"), "x"),
        ("NetworkPolicy", ("spec", "podSelector"), "everybody"),
        ("PodDisruptionBudget", ("spec", "maxUnavaliable"), 1),
        ("Cluster", ("spec", "instances"), "three"),
        ("Cluster", ("spec", "postgresql", "synchronous", "methode"), "any"),
        ("RabbitmqCluster", ("spec", "tls", "disableNonTLS"), True),
        ("Permission", ("spec", "permissions", "configures"), "^$"),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "threshold"), 12),
    ],
)
def test_a_wrong_field_of_a_manifest_is_reported(
    kind: str, path: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(spoilt(kind, path, value), NEWEST)
