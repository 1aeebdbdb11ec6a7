# SPDX-License-Identifier: ISC
"""The samples of contrib: their YAML is valid, and their settings and routes exist. Usage: samples.py SRCDIR. 77: no
yaml module."""

import re
import sys

try:
    import yaml
except ImportError:
    print("samples: no yaml module (apt-get install python3-yaml)")
    sys.exit(77)

FILES = ["contrib/docker/compose.yaml", "contrib/kubernetes/parlour.yaml"]


def probes(node):
    """Returns the paths of all httpGet probes."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value["path"]] if key == "httpGet" else probes(value)
    elif isinstance(node, list):
        for value in node:
            yield from probes(value)


def main(src):
    bad = 0
    with open(f"{src}/src/api/http/routes.def", encoding="utf-8") as file:
        routes = set(re.findall(r'ROUTE\(GET,\s*"([^"]+)"', file.read()))
    with open(f"{src}/src/core/settings.def", encoding="utf-8") as file:
        settings = set(re.findall(r"^SETTING\((\w+),", file.read(), re.M))
    for name in FILES:
        try:
            with open(f"{src}/{name}", encoding="utf-8") as file:
                documents = list(yaml.safe_load_all(file))
        except yaml.YAMLError as err:
            print(f"{name}: {err}")
            bad += 1
            continue
        for path in probes(documents):
            if path not in routes:
                print(f"{name}: no route {path}")
                bad += 1
    with open(f"{src}/contrib/docker/setup.sh", encoding="utf-8") as file:
        for word in re.findall(r"^(\w+) = ", file.read(), re.M):
            if word not in settings:
                print(f"contrib/docker/setup.sh: no setting {word}")
                bad += 1
    print(f"samples: {len(FILES)} files, {bad} problems")
    return 1 if bad else 0


sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
