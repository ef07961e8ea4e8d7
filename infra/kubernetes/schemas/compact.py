"""`python infra/kubernetes/schemas/compact.py CRD... < MANIFESTS`: schemas that the manifests are held to.

CRD is an operator's CustomResourceDefinition (YAML), MANIFESTS what `kubectl kustomize` prints. Of each kind
that is used, one file stands here: of an object on the way to what is used, all names with their types and
bounds; of what is beside, the name alone. So a field that does not exist, or has another type, is found, and
a file stays small. Make them anew when a manifest uses more of an operator, or an operator's version changes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
_KEPT = (
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
    """The part of an OpenAPI schema that says something about these values, as JSON Schema."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made: Schema = {key: schema[key] for key in _KEPT if key in schema}
    objects = [value for value in used if isinstance(value, dict)]
    if "properties" in schema:
        made["properties"] = {
            name: compact(of, [value[name] for value in objects if name in value])
            if any(name in value for value in objects)
            else {}
            for name, of in schema["properties"].items()
        }
        made["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    elif isinstance(schema.get("additionalProperties"), dict):
        values = [inner for value in objects for inner in value.values()]
        made["additionalProperties"] = compact(schema["additionalProperties"], values)
    if isinstance(schema.get("items"), dict):
        values = [inner for value in used if isinstance(value, list) for inner in value]
        made["items"] = compact(schema["items"], values)
    return made


def main(paths: list[str], manifests: str) -> None:
    """Write one file for each kind of the CRDs that the manifests have."""
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
