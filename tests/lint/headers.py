#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Each header of a reply has a row in src/net/headers.def, and each row is used. Usage: headers.py SRCDIR

The row decides whether browser code of other origins can read it (Access-Control-Expose-Headers).
"""

import os
import re
import sys

ROW = re.compile(r'^HEADER\("([^"]+)", (EXPOSED|PLAIN)\)$', re.M)
SET = re.compile(r"\breq_header_(?:add|addf|set)\(\s*[^,()]+(?:\([^()]*\))?,\s*([^,]+),")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def main(top):
    with open(os.path.join(top, "src/net/headers.def"), encoding="utf-8") as file:
        names = [name for name, _ in ROW.findall(file.read())]
    problems, texts = [], []
    if len(names) < 20 or len({name.lower() for name in names}) != len(names):
        problems.append("src/net/headers.def: rows are missing or twice")
    for folder, dirs, files in os.walk(os.path.join(top, "src")):
        dirs[:] = [d for d in dirs if d != "www"]
        for path in (os.path.join(folder, name) for name in files if name.endswith(".c")):
            with open(path, encoding="utf-8") as file:
                text = file.read().replace("'\"'", "' '")
            where = os.path.relpath(path, top)
            texts += TEXT.findall(text)
            if where == "src/net/req.c":    # where they are defined
                continue
            for match in SET.finditer(text):
                name = match.group(1).strip()
                line = text.count("\n", 0, match.start()) + 1
                if not name.startswith('"'):
                    problems.append(f"{where}:{line}: the name of the header must be a literal")
                elif name.strip('"') not in names:
                    problems.append(f"{where}:{line}: {name} has no row in src/net/headers.def")
    every = "".join(texts)
    problems += [f"src/net/headers.def: nothing sets {name}" for name in names if name not in every]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))
