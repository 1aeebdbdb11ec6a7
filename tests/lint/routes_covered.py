#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every row of routes.def is used by an end-to-end test. Usage: routes_covered.py SRCDIR

A row counts as used when a line of tests/e2e/*.py calls its method (get(, "GET", ws( ...) with its path, where each
{part} may be anything, or when the line names the row: `# covers: GET /path/{part}`.
"""

import glob
import os
import re
import sys

ROW = re.compile(r'^ROUTE\(\s*(\w+),\s*"([^"]+)"', re.M)
SOCKET = re.compile(r'^WSROUTE\(\s*"([^"]+)"', re.M)


def pattern(path):
    parts = [r"(?:\{[^}]+\}|[^/\"'?\s]+)" if p.startswith("{") else re.escape(p) for p in path.split("/")]
    return "/".join(parts) + r"/?(?=[\"'?\s]|$)"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else "."
    table = os.path.join(top, "src/api/http/routes.def")
    with open(table, encoding="utf-8") as file:
        text = file.read()
    rows = ROW.findall(text) + [("WS", path) for path in SOCKET.findall(text)]
    lines = []
    for path in glob.glob(os.path.join(top, "tests/e2e/*.py")):
        with open(path, encoding="utf-8") as file:
            lines += file.read().split("\n")
    missing = []
    for method, path in rows:
        verb = r"\bws\(|\bWS\(|chat\(|native" if method == "WS" else rf"\b{method.lower()}\w*\(|[\"']{method}[\"']"
        if method == "WS" and path == "/ws":
            used = any("ws(" in line for line in lines)
        else:
            used = any(re.search(pattern(path), line) and re.search(verb, line) for line in lines)
        if not used and not any(f"covers: {method} {path}" in line for line in lines):
            missing.append(f"{method} {path}")
    for row in missing:
        print(f"no end-to-end test uses {row}")
    print(f"routes: {len(rows)} rows, {len(missing)} without a test")
    return 1 if missing or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
