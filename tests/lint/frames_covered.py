#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Every row of frames.def and topics.def is used by an end-to-end test. Usage: frames_covered.py SRCDIR

A frame counts as used when a file of tests/e2e that opens a socket of its dialect has a call with its type: from the client
in send("word" or {"type": "word", from the server in expect("word" or {"type": "word". A frame without a type
counts by its first field. A topic counts by its name up to the colon. A line `# covers: DIALECT > word` (or <) counts too.
"""

import glob
import os
import re
import sys

FRAME = re.compile(r'^FRAME_(IN|OUT)\((\w+), (\w+), "(\w*)"', re.M)
TOPIC = re.compile(r'^TOPIC\(\w+, "([a-z:]+)', re.M)
FIELD = r'^F\(in_%s_%s, (\w+),'
# What a file that uses a dialect contains.
SOCKETS = {
    "native": r"\.ws\(|\bWS\(",
    "room": r"/ws/chat/\{room",
    "query": r"query_response",
    "signaling": r"/ws/signaling/",
    "session": r"/ws/(?:\{|any)",
    "usage": r"/ws/(?:metrics|sessions|\{)",
}


def uses(way, word):
    """Returns a pattern for the ways in which a test writes the word."""
    text = rf'\\?["\']type\\?["\']: ?\\?["\']{word}\b'
    if way == "IN":
        return rf'{text}|\bsend\((?:type_=)?["\']{word}["\']'
    return rf'{text}|\bexpect\w*\((?:[^()\n]*, )?["\']{word}["\']|\["type"\] == "{word}"'


def main(top):
    files = {}
    for path in glob.glob(os.path.join(top, "tests/e2e/*.py")):
        with open(path, encoding="utf-8") as file:
            files[path] = file.read()
    with open(os.path.join(top, "src/api/ws/frames.def"), encoding="utf-8") as file:
        table = file.read()
    with open(os.path.join(top, "src/api/ws/topics.def"), encoding="utf-8") as file:
        topics = TOPIC.findall(file.read())
    missing, rows = [], FRAME.findall(table)
    for way, dialect, name, word in rows:
        label = f"{dialect} {'>' if way == 'IN' else '<'} {word or name}"
        if dialect not in SOCKETS:
            missing.append(f"{label}: SOCKETS of this lint does not know the dialect")
            continue
        pattern = uses(way, word)
        if word == "":
            field = re.search(FIELD % (dialect, name), table, re.M).group(1)
            pattern = rf'send\({field}=|["\']{field}\\?["\']:'
        if not any(f"covers: {label}" in text or (re.search(SOCKETS[dialect], text) and re.search(pattern, text))
                   for text in files.values()):
            missing.append(f"no end-to-end test uses the frame {label}")
    for topic in topics:
        if not any(re.search(rf'["\']{topic}', text) for text in files.values()):
            missing.append(f"no end-to-end test uses the topic {topic}")
    for line in missing:
        print(line)
    print(f"frames: {len(rows)} rows, {len(topics)} topics, {len(missing)} without a test")
    return 1 if missing or not rows or not topics else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
