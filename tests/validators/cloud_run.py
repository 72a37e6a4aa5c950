"""Checks a service of Cloud Run by the description of its API that Google's client library carries.

Every key has to be one that the API has, with a value of the type that it takes there.
"""

import json
import sys
from pathlib import Path

import googleapiclient.discovery_cache
import yaml

DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
SCHEMAS = json.loads((DOCUMENTS / "run.v1.json").read_text())["schemas"]
PRIMITIVES = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}


def errors(value, schema, path):
    schema = SCHEMAS[schema["$ref"]] if "$ref" in schema else schema
    kind = schema.get("type", "any")
    if kind == "object":
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        known = schema.get("properties", {})
        for key, each in value.items():
            below = known.get(key, schema.get("additionalProperties"))
            if below is None:
                yield f"{path}.{key}: there is no such key"
            else:
                yield from errors(each, below, f"{path}.{key}")
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, each in enumerate(value):
            yield from errors(each, schema["items"], f"{path}[{index}]")
    elif kind in PRIMITIVES:
        if not isinstance(value, PRIMITIVES[kind]) or (kind != "boolean" and isinstance(value, bool)):
            yield f"{path}: {value!r} is no {kind}"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{path}: {value!r} is none of {schema['enum']}"


found = list(errors(yaml.safe_load(Path(sys.argv[1]).read_text()), {"$ref": "Service"}, ""))
print("\n".join(found))
sys.exit(bool(found))
