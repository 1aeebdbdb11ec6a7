#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Writes contrib/import/SOURCES from rows.py and clients.py: python3 tests/seeds/listing.py. A test checks that the
file is current."""

import os
import textwrap

import clients
import rows
from printed import SOURCE

PATH = os.path.join(SOURCE, "contrib/import/SOURCES")
HEAD = '''What five other systems have, and what Parlour has of it
=========================================================

Made by tests/seeds/listing.py from tests/seeds/rows.py and tests/seeds/clients.py; do not edit.

Parlour serves front ends that were written for five other back ends: 000 (AGENT BI), 001 (Interactive Agent Chat), 002
(ProdLens), 003 (a chatbot for a hedge fund), and 004 (Virtual Company). The first list has what their documents name, with
the place (document:lines). The second list has what their front ends and API tests send and read besides. The verdicts:

    works      tests send and read it as it is written there
    later      a part is missing; the entry names it
    not-ours   it belongs to another program; the entry says why

Where the documents contradict each other, parlour-api(7) and parlour-ws(7) describe the behavior of Parlour.
'''


def entry(name, text, place, said, note):
    """Returns one entry of a list, wrapped."""
    line = f"{text}{' (' + place + ')' if place else ''}: {said}{'; ' + note if note else ''}"
    indent = " " * (len(name) + 2)
    return textwrap.fill(line, 110, initial_indent=f"{name}  ", subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False) + "\n"


def listing():
    text = HEAD + "\nDocuments\n---------\n\n"
    judged = [(row, *rows.verdict(row)) for row in rows.ROWS]
    text += "".join(entry(f"{row[0]:>5}", row[1], row[2].replace(";", ","), said, note) for row, said, note in judged)
    text += "\nFront ends and API tests\n------------------------\n"
    for document, name in clients.SYSTEMS.items():
        text += f"\n{document} {name}\n\n"
        text += "".join(entry(f"  {row[0][4:]:<21}", row[1], "", row[3], row[4]) for row in clients.CLIENTS if row[0].startswith(document))
    return text


if __name__ == "__main__":
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(listing())
