#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Limits of sizes: 700 lines per file, 80 per function, 200 per header; 120 columns in C. Usage: sizes.py SRCDIR"""

import os
import sys

FILE_LINES, FUNCTION_LINES, HEADER_LINES, COLUMNS = 700, 80, 200, 120
FOLDERS = ("lib", "src", "tests", "contrib")


def function_sizes(lines):
    """(line, count, first line of text) per function; the style puts both braces of a function into column one."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number - 1
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1, lines[start - 1].strip()
            start = None


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else "."
    problems, files, functions = [], 0, 0
    for root in FOLDERS:
        for folder, dirs, names in os.walk(os.path.join(top, root)):
            dirs[:] = [d for d in dirs if not d.startswith((".", "__")) and d not in ("node_modules", "corpus")]
            for name in sorted(names):
                if not name.endswith((".c", ".h", ".py", ".js", ".sh", ".mjs")) and name != "quickstart":
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    lines = file.read().split("\n")[:-1]
                files += 1
                shown = os.path.relpath(path, top)
                limit = HEADER_LINES if name.endswith(".h") else FILE_LINES
                if len(lines) > limit:
                    problems.append(f"{shown}: {len(lines)} lines, {limit} at most: split it by purpose")
                if not name.endswith((".c", ".h")):
                    continue
                problems += [f"{shown}:{n}: wider than {COLUMNS} columns" for n, line in enumerate(lines, 1)
                             if len(line.expandtabs(8)) > COLUMNS]
                for line, count, text in function_sizes(lines):
                    functions += 1
                    if count > FUNCTION_LINES:
                        problems.append(f"{shown}:{line}: {count} lines, {FUNCTION_LINES} at most: {text}")
    for problem in problems:
        print(problem)
    print(f"sizes: {files} files, {functions} functions, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
