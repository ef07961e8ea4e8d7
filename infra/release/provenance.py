"""The provenance of an image: an in-toto statement with the predicate of SLSA 1.0. Pure.

It says what the release was built from: the commit, the locks, the base image. It is not signed, which is
level 1 of SLSA's build track: it documents the build, and an attacker with write access to the registry can
replace it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chassis.runtime.clock import rfc3339

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:regcred:release:1"


def statement(
    image: str,
    *,
    reference: str,
    version: str,
    commit: str,
    base: str,
    files: Mapping[str, str],
    finished: datetime,
) -> dict[str, Any]:
    """The statement of one image.

    `reference` and `base` name an image by its digest. `files` are the SHA-256 of locks, by their path.
    """
    name, _, digest = reference.partition("@sha256:")
    base_name, _, base_digest = base.partition("@sha256:")
    dependencies = [
        {"name": "source", "digest": {"gitCommit": commit}},
        {"name": base_name, "digest": {"sha256": base_digest}},
        *({"name": path, "digest": {"sha256": value}} for path, value in sorted(files.items())),
    ]
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"image": image, "version": version},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": "urn:regcred:make-release"},
                "metadata": {"finishedOn": rfc3339(finished)},
            },
        },
    }
