"""Checks a container app of Azure by the models of Azure's client library.

Every key has to be one that the API has, with a value of the type that it takes there.
"""

import enum
import sys
from pathlib import Path

import yaml
from azure.mgmt.appcontainers import models

PRIMITIVES = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def keys(model):
    """The keys of a model, nested as in the file: `properties.template` is a key in a key."""
    tree = {}
    for attribute in model._attribute_map.values():
        *above, last = attribute["key"].split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = attribute["type"]
    return tree


def errors(value, kind, path):
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        for key, each in value.items():
            if key in kind:
                yield from errors(each, kind[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: there is no such key"
    elif kind.startswith("["):
        for index, each in enumerate(value):
            yield from errors(each, kind[1:-1], f"{path}[{index}]")
    elif kind.startswith("{"):
        for key, each in value.items():
            yield from errors(each, kind[1:-1], f"{path}.{key}")
    elif kind in PRIMITIVES:
        if not isinstance(value, PRIMITIVES[kind]):
            yield f"{path}: {value!r} is no {kind}"
    elif issubclass(model := getattr(models, kind), enum.Enum):
        if value not in [each.value for each in model]:
            yield f"{path}: {value!r} is no {kind}"
    else:
        yield from errors(value, keys(model), path)


found = list(errors(yaml.safe_load(Path(sys.argv[1]).read_text()), keys(models.ContainerApp), ""))
print("\n".join(found))
sys.exit(bool(found))
