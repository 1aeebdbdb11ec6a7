#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Nobody keeps a configuration without a hold. Usage: holds.py SRCDIR

A reload frees the old configuration as soon as its last holder lets go. So each struct member that points to one, or into
one, begins with CONFIG_HELD or CONFIG_BORROWED (core/settings.h), and what is assigned to a held one comes from
config_keep(), or from config_hold() in a file that also calls config_release(), or is in the table below.
"""

import os
import re
import sys

# A configuration whose ownership is passed on: (file, assigned expression) -> who releases it.
HANDED_OVER = {
    ("src/core/spawn.c", "m->config"): "after fork() the child's copy is the worker's; worker_run() releases it",
    ("src/core/worker_channel.c", "fresh"): "the one that was there before is released at the end of reload()",
    ("src/core/single.c", "fresh"): "the one that was there before is released in the line above",
    ("src/core/reload.c", "fresh"): "the one that was there before is released in the line above",
}
MAKERS = ("config_keep(", "config_read(", "NULL;")

KINDS = r"(?:config|settings|upstream_settings|pl_token_key|pl_keyring|pl_seal_ring)"
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
STRUCT = re.compile(r"struct (\w+)\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
MEMBER = re.compile(rf"(CONFIG_\w+\s+)?(?:const\s+)?struct {KINDS}\s*\*+\s*(\w+)\s*;")
STATIC = re.compile(rf"^static (?:const )?struct {KINDS}\s*\*+\s*\w+\s*[;=]", re.M)
SET = re.compile(r"(?:(->|\.)config) = ([^,;}]+[,;}]?)")
OPENED = re.compile(r"struct (\w+)(?:\)| \w+ =)\s*\{")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def sources(top):
    for folder, dirs, files in os.walk(os.path.join(top, "src")):
        dirs[:] = [d for d in dirs if d != "www"]
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    yield os.path.relpath(path, top), NOISE.sub(blank, file.read())


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def check_members(path, text, borrowed, problems):
    for struct in STRUCT.finditer(text):
        if struct.group(1) == "config":
            continue
        held_config = re.search(r"CONFIG_HELD\s+(?:const\s+)?struct config\b", struct.group(2))
        for member in MEMBER.finditer(struct.group(2)):
            where = f"{path}:{line_of(text, struct.start(2) + member.start())}"
            word = (member.group(1) or "").strip()
            if word not in ("CONFIG_HELD", "CONFIG_BORROWED"):
                problems.append(f"{where}: {member.group(2)}: say CONFIG_HELD or CONFIG_BORROWED")
            elif word == "CONFIG_HELD" and not held_config:
                problems.append(f"{where}: {member.group(2)}: points into a configuration that is not held beside it")
            elif "struct config" in member.group(0) and member.group(2) != "config":
                problems.append(f"{where}: {member.group(2)}: call it config, so that this lint sees what is assigned")
            if word == "CONFIG_BORROWED":
                borrowed.add(struct.group(1))
    for found in STATIC.finditer(text):
        problems.append(f"{path}:{line_of(text, found.start())}: a static pointer to a configuration holds nothing")


def literal_of(text, at):
    """Returns the name of the struct whose initializer begins last before `at`, or None."""
    name = None
    for opened in OPENED.finditer(text, max(0, at - 600), at):
        name = opened.group(1)
    return name


def check_assignments(path, text, borrowed, problems):
    for found in SET.finditer(text):
        value = re.sub(r"^\w+ != NULL \? ", "", found.group(2).strip())
        bare = value.rstrip(",;} ")
        if found.group(1) == "." and literal_of(text, found.start()) in borrowed:
            continue
        if value.startswith(MAKERS) or (path, bare) in HANDED_OVER:
            continue
        if value.startswith("config_hold(") and "config_release(" in text:
            continue
        problems.append(f"{path}:{line_of(text, found.start())}: config = {bare}: keep it with config_keep()")


def main():
    files = list(sources(sys.argv[1]))
    problems, borrowed = [], set()
    for path, text in files:
        check_members(path, text, borrowed, problems)
    for path, text in files:
        check_assignments(path, text, borrowed, problems)
    for problem in problems:
        print("   " + problem)
    print(f"   {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
