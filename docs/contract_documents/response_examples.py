"""Examples of responses, composed from an example of each field."""

import json
import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

CREDENTIAL = "0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e01"
REQUEST = "0199d3c2-7b44-7a05-8c12-6e5d4c3b2a10"
_SCHEMA = re.compile(r'"#/components/schemas/(\w+)"')
DIGEST = f"sha256:{'3b' * 32}"
MOMENT = "2026-03-02T09:30:00Z"

# By the name of the field, or by its schema and name where another schema has another meaning of the name.
_FIELDS: Json = {
    "account_id": "acme",
    "accounts": ["acme"],
    "action": "secret.issued",
    "additional_hosts": [],
    "after": {
        "issuance_id": REQUEST,
        "workload": {"kind": "deployment", "name": "storefront"},
        "images": ["ghcr.io/acme/shop:1.4"],
        "format": "kubernetes_secret",
    },
    "actors": [{"type": "service", "id": "k3Jm81QxZ", "name": "deployer"}],
    "aliases": [],
    "anonymous_images": [],
    "architecture": "amd64",
    "attempts": 5,
    "auth_keys": ["ghcr.io"],
    "before": None,
    "by_provider": {"github": 2, "dockerhub": 1},
    "by_status": {"verified": 3},
    "causation_id": None,
    "checked_at": MOMENT,
    "code": None,
    "consumer": "verifier",
    "correlation_id": REQUEST,
    "created_at": "2026-03-01T08:00:00Z",
    "created_by": "admin",
    "credential_id": CREDENTIAL,
    "credential_name": "team-ghcr",
    "current_version": 1,
    "dead_letters": 0,
    "System.dead_letters": [],
    "description": "for the shop",
    "detail": None,
    "RotationState.deadline": MOMENT,
    "RotationState.status": "pending",
    "rotation": None,
    "Verification.status": "verified",
    "VerificationState.status": "verified",
    "RequestedVerification.status": "verified",
    "LoginTest.status": "verified",
    "Verification.detail": "the token server accepted the login, the registry its token",
    "VerificationState.detail": "the token server accepted the login, the registry its token",
    "digest": DIGEST,
    "Image.digest": None,
    "docs_url": "https://docs.github.com/packages",
    "document": False,
    "dry_run": False,
    "duration_ms": 412,
    "eligible": True,
    "exists": True,
    "expired": 0,
    "expires_at": "2027-03-01T00:00:00Z",
    "expiring_soon": 1,
    "expiry": "A token without expiry is valid until it is deleted.",
    "first_issued_at": "2026-03-01T09:00:00Z",
    "first_used_at": "2026-03-01T09:00:00Z",
    "format": "kubernetes_secret",
    "frozen": False,
    "help": None,
    "Provider.help": "Create a classic token with `read:packages`.",
    "SecretForm.help": "Username with a password or token.",
    "SecretField.help": "",
    "UsernameRule.help": "",
    "host": "ghcr.io",
    "hosts": ["ghcr.io"],
    "id": CREDENTIAL,
    "Actor.id": "k3Jm81QxZ",
    "Provider.id": "github",
    "Location.id": "europe-west1",
    "Token.id": "k3Jm81QxZ",
    "NewToken.id": "k3Jm81QxZ",
    "image": "ghcr.io/acme/shop:1.4",
    "image_path": "ghcr.io/<owner>/<image>",
    "images": ["ghcr.io/acme/shop:1.4"],
    "issued": 12,
    "key": "ghcr.io",
    "kind": "username_password",
    "label": "Username",
    "lag_events": 0,
    "lag_seconds": 0.0,
    "last_issued_at": MOMENT,
    "last_used_at": MOMENT,
    "Provider.locations": [],
    "location": None,
    "media_type": "application/vnd.oci.image.index.v1+json",
    "mirror_of": [],
    "mirrors": [],
    "more_candidates": 0,
    "LeftOut.name": "shop/database",
    "LeftOut.reason": "its type is Opaque and not kubernetes.io/dockerconfigjson",
    "more_left_out": 0,
    "more_actors": False,
    "more_source_ips": False,
    "more_released": False,
    "more_users": False,
    "more_workloads": False,
    "name": "team-ghcr",
    "Actor.name": "deployer",
    "Consumer.name": "projector",
    "Provider.name": "GitHub Container Registry",
    "SecretField.name": "username",
    "SecretForm.name": "Username and secret",
    "Tag.name": "1.4",
    "Token.name": "deployer",
    "NewToken.name": "deployer",
    "needs_force": True,
    "next_cursor": None,
    "on_behalf_of": "jo@example.com",
    "os": "linux",
    "permission": "`read:packages`.",
    "platforms": [{"os": "linux", "architecture": "amd64", "variant": None, "digest": DIGEST}],
    "pointer": "/images/0",
    "position": 1024,
    "previous_cursor": None,
    "probe": None,
    "project_id": "shop",
    "projects": ["shop"],
    "provider": "github",
    "published_position": 1024,
    "pull": True,
    "push": False,
    "quirks": [],
    "reason": None,
    "DeadLetter.reason": "the key of the account is erased",
    "reasons": {"selected": 1},
    "reference": "ghcr.io/acme/shop:1.4",
    "registry_host": "ghcr.io",
    "registry_url": "none",
    "released": [
        {
            "credential_id": CREDENTIAL,
            "workload": {"kind": "deployment", "name": "storefront"},
            "secret_version": 1,
            "last_used_at": MOMENT,
        }
    ],
    "released_at": None,
    "repository": "acme/shop",
    "repository_prefixes": ["acme/"],
    "request_id": REQUEST,
    "required": True,
    "restricted": True,
    "retries": 0,
    "revoked_at": None,
    "rule": "required",
    "scopes": ["secrets:issue"],
    "sealed": None,
    "secret": False,
    "secret_kinds": ["username_password"],
    "secret_version": 1,
    "served_by": [],
    "since": MOMENT,
    "size": None,
    "soon_days": 30,
    "source_ip": "192.0.2.7",
    "source_ips": ["192.0.2.7"],
    "state": "current",
    "tag": "1.4",
    "time": MOMENT,
    "to_do": True,
    "token": f"rgcs_k3Jm81QxZ_{'0' * 49}",
    "total": 3,
    "type": "secret.issued",
    "unreadable_secrets": 0,
    "updated_at": MOMENT,
    "used_by": 2,
    "username": "octo",
    "values": [],
    "variant": None,
    "version": 3,
    "System.version": "1.0.0",
    "waiting_seconds": 0.0,
    "workloads": [{"project_id": "shop", "workload": {"kind": "deployment", "name": "storefront"}}],
}
# Fields that only some responses have, in the example of one operation.
_SOMETIMES: dict[str, Json] = {
    "issuePullSecret": {
        "kubernetes_secret": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "regcred-1b9d6bcdb3"},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": "eyJhdXRocyI6e319"},
        }
    }
}


class NoExample(Exception):
    """A field of a response has no example in this module."""


def add_examples(document: Json) -> None:
    """Add an example to each successful JSON response of the document. Raises `NoExample`."""
    schemas = document["components"]["schemas"]
    for operation, content in _contents(document):
        name = content["schema"]["$ref"].rsplit("/", 1)[1]
        content["example"] = _of_object(schemas, name) | _SOMETIMES.get(operation, {})


def _contents(document: Json) -> Iterator[tuple[str, Json]]:
    """The id of each operation with the JSON content of its successful responses."""
    for path in document["paths"].values():
        for operation in path.values():
            if not isinstance(operation, dict):
                continue
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if status.startswith("2") and content:
                    yield operation["operationId"], content


def _of_object(schemas: Json, name: str) -> Json:
    schema = schemas[name]
    wanted = schema.get("required", schema["properties"])
    return {field: _of_field(schemas, name, field, schema["properties"][field]) for field in wanted}


def _of_field(schemas: Json, name: str, field: str, schema: Json) -> Any:
    if (own := f"{name}.{field}") in _FIELDS:
        return _FIELDS[own]
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    refers_to = _SCHEMA.findall(json.dumps(schema))
    if not refers_to or (field in _FIELDS and _FIELDS[field] is None):
        if field not in _FIELDS:
            raise NoExample(f"add an example of {own} to {__name__}")
        return _FIELDS[field]
    inner = _of_object(schemas, refers_to[0])
    return [inner] if "items" in schema else inner
