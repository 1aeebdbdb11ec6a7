#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The architecture as a table: which files may include which. Usage: layers.py SRCDIR

Reads every #include of lib/ and src/. Fails for an edge that is not in the table, a circle between headers, a foreign
library outside the directory that owns it, and plain memory allocation outside lib/pool.c.
"""

import os
import re
import sys

# Layer -> layers it may include, itself included. An arrow may only point downwards.
ALLOWED = {
    "lib": {"lib"},
    "core": {"core", "lib"},
    "db": {"db", "core", "lib"},
    "net": {"net", "core", "lib"},
    "llm": {"llm", "net", "core", "lib"},
    "svc": {"svc", "llm", "db", "core", "lib"},
    "api": {"api", "svc", "llm", "db", "net", "core", "lib"},
    "ctl": {"ctl", "svc", "db", "core", "lib"},
    "app": {"ctl", "api", "svc", "llm", "db", "net", "core", "lib", "app"},  # src/*.c: main, parlourctl, gendoc
}
# The upper layers are divided by topic: directory -> topics of the same layer whose headers it may include, besides its
# own and those of the layer itself (svc.h, db.h). Headers that only the files of one topic share end in _int.h.
TOPICS = {
    "db": {"db/conn", "db/repo"},
    "db/conn": {"db/repo"},
    "db/repo": {"db/conn"},
    "db/admin": {"db/conn"},
    "svc": {"svc/account", "svc/feedback", "svc/notify"},
    "svc/account": {"svc/bus", "svc/job"},
    "svc/answer": {"svc/account", "svc/bus", "svc/knowledge"},
    "svc/bus": set(),
    "svc/feedback": {"svc/bus", "svc/job"},
    "svc/job": set(),
    "svc/knowledge": {"svc/account", "svc/bus"},
    "svc/notify": {"svc/bus", "svc/feedback", "svc/job"},
    "svc/oidc": {"svc/account"},
    "svc/read": set(),
    "svc/room": {"svc/account", "svc/answer", "svc/bus", "svc/notify"},
    "svc/session": {"svc/account", "svc/answer", "svc/bus", "svc/feedback", "svc/read"},
    "svc/usage": {"svc/account", "svc/answer"},
    "api": {"api/describe", "api/http"},
    "api/http": set(),
    "api/describe": {"api/http", "api/ws"},
    "api/ws": {"api/http"},
    "api/ws/compat": {"api/http", "api/ws"},
    "api/ws/topic": {"api/http", "api/ws"},
}
# Single headers that a layer may include although their layer is not in its row.
ALSO = {("svc", "net/httpc.h"), ("svc", "net/mailc.h")}
# Foreign headers and the only directories that may include them.
OWNERS = {
    r"libpq-fe\.h|postgres_ext\.h": ("src/db/",),
    r"event2/http.*\.h|evhttp\.h": ("src/net/",),
    r"curl/.*": ("src/net/httpc", "src/net/mailc"),
    r"yajl/.*": ("lib/",),
    r"jwt\.h|jansson\.h": ("lib/",),
    r"argon2\.h|crypt\.h": ("lib/",),
    r"openssl/.*": ("lib/",),
    r"ini\.h": ("lib/",),
}
ALLOCATION = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf)\s*\(")
ALLOCATORS = {"lib/pool.c"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "lib":
        return "lib"
    return parts[1] if len(parts) > 2 else "app"


def topic_of(path):
    return os.path.dirname(path).removeprefix("src/")


def check_topic(path, target, problems):
    """Checks edges between topics of one layer, and the private headers of a topic."""
    topic, other = topic_of(path), topic_of(target)
    if topic == other or other == layer_of(target) or layer_of(path) != layer_of(target):
        if topic != other and target.endswith("_int.h") and layer_of(path) != layer_of(target):
            problems.append(f"{path}: {target} is private to its topic")
        return
    if topic in TOPICS and other not in TOPICS[topic]:
        problems.append(f"{path}: topic {topic} may not include {target}")


def sources(top):
    for root in ("lib", "src"):
        for folder, dirs, files in os.walk(os.path.join(top, root)):
            dirs[:] = [d for d in dirs if not d.startswith(".") and d not in ("node_modules", "www")]
            for name in sorted(files):
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(folder, name), top)


def resolve(top, path, name):
    """Returns the file that #include "name" in `path` means, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    for candidate in (beside, "lib/" + name, "src/" + name):
        if os.path.exists(os.path.join(top, candidate)):
            return candidate
    return None


def check_file(top, path, graph, problems):
    with open(os.path.join(top, path), encoding="utf-8") as file:
        text = file.read()
    layer = layer_of(path)
    for kind, name in INCLUDE.findall(text):
        if kind == "<":
            for pattern, homes in OWNERS.items():
                if re.fullmatch(pattern, name) and not path.startswith(homes):
                    problems.append(f"{path}: <{name}> belongs to {', '.join(homes)}")
            continue
        target = resolve(top, path, name)
        if target is None:
            continue  # generated: config.h
        graph.setdefault(path, []).append(target)
        if layer_of(target) not in ALLOWED[layer] and (layer, target.removeprefix("src/")) not in ALSO:
            problems.append(f"{path}: {layer} may not include {target}")
        check_topic(path, target, problems)
    if path.endswith((".c", ".h")) and path not in ALLOCATORS:
        plain = NOISE.sub(lambda m: "\n" * m.group().count("\n"), text)
        for number, line in enumerate(plain.split("\n"), 1):
            found = ALLOCATION.search(line)
            if found and not line.lstrip().startswith("#"):
                problems.append(f"{path}:{number}: {found.group(1)}() outside lib/pool.c")


def find_circles(graph, problems):
    done, trail = set(), []

    def visit(node):
        if node in trail:
            problems.append("circle: " + " -> ".join(trail[trail.index(node):] + [node]))
            return
        if node in done:
            return
        trail.append(node)
        for target in graph.get(node, []):
            visit(target)
        trail.pop()
        done.add(node)

    for node in sorted(graph):
        visit(node)


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else "."
    graph, problems = {}, []
    count = 0
    for path in sources(top):
        if layer_of(path) not in ALLOWED:
            problems.append(f"{path}: no layer of that name in the table")
            continue
        check_file(top, path, graph, problems)
        count += 1
    find_circles(graph, problems)
    for problem in problems:
        print(problem)
    print(f"layers: {count} files, {sum(map(len, graph.values()))} edges, {len(problems)} problems")
    return 1 if problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
