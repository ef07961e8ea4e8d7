"""`python infra/kubernetes/schemas/compact.py CRD... < MANIFESTS`: writes schemas that check the manifests.

CRD is a CustomResourceDefinition of an operator (YAML), MANIFESTS the output of `kubectl kustomize`. Each
used kind has one file in this folder. It contains types and bounds of used objects with all their fields, and
of unused objects only the name. A check therefore finds unknown fields and wrong types, and the files are
small. Run it again when a manifest uses more of an operator, or for a new version of an operator.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
_COPIED = (
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
)

Schema = dict[str, Any]


def compact(schema: Schema, used: list[Any]) -> Schema:
    """Return the part of an OpenAPI schema that applies to these values, as JSON Schema."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result: Schema = {key: schema[key] for key in _COPIED if key in schema}
    objects = [value for value in used if isinstance(value, dict)]
    if "properties" in schema:
        result["properties"] = {
            name: compact(of, [value[name] for value in objects if name in value])
            if any(name in value for value in objects)
            else {}
            for name, of in schema["properties"].items()
        }
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    elif isinstance(schema.get("additionalProperties"), dict):
        values = [inner for value in objects for inner in value.values()]
        result["additionalProperties"] = compact(schema["additionalProperties"], values)
    if isinstance(schema.get("items"), dict):
        values = [inner for value in used if isinstance(value, list) for inner in value]
        result["items"] = compact(schema["items"], values)
    return result


def main(paths: list[str], manifests: str) -> None:
    """Write one file for each kind of the CRDs that occurs in the manifests."""
    used = [document for document in yaml.safe_load_all(manifests) if document]
    for path in paths:
        spec = yaml.safe_load(Path(path).read_text())["spec"]
        for version in spec["versions"]:
            name = f"{spec['group']}/{version['name']}"
            kind = spec["names"]["kind"]
            found = [one for one in used if (one["apiVersion"], one["kind"]) == (name, kind)]
            if found:
                schema = compact(version["schema"]["openAPIV3Schema"], found)
                schema["properties"]["metadata"] = {"type": "object"}
                file = HERE / f"{kind.lower()}-{spec['group']}-{version['name']}.json"
                file.write_text(json.dumps(schema, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.read())
