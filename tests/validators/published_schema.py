"""Checks a file by a JSON schema, or the schema in a Kubernetes CRD, that its platform publishes on the web only.

Ends with status 77 where it cannot be fetched.
"""

import json
import sys
import urllib.request
from pathlib import Path

import jsonschema
import yaml

UNREACHABLE = 77


def closed(schema):
    """A CRD's schema, as strict as the cluster: keys that it does not name are none."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for below in schema.values():
            closed(below)
    elif isinstance(schema, list):
        for below in schema:
            closed(below)


url, path = sys.argv[1:]
try:
    with urllib.request.urlopen(url, timeout=10) as response:
        schema = yaml.safe_load(response.read())
except OSError as error:
    print(f"{url}: {error}")
    sys.exit(UNREACHABLE)
if schema.get("kind") == "CustomResourceDefinition":
    schema = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    closed(schema["properties"]["spec"])
document = yaml.safe_load(Path(path).read_text())
validator = jsonschema.validators.validator_for(schema)(schema)
found = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(document)]
print("\n".join(found))
sys.exit(bool(found))
