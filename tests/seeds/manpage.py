#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Writes man/parlour-sources.7 from rows.py: python3 tests/seeds/manpage.py. A test checks that the page is current."""

import os

import rows
from printed import SOURCE

PATH = os.path.join(SOURCE, "man/parlour-sources.7")
HEAD = '''.\\" SPDX-License-Identifier: ISC
.\\" Made by tests/seeds/manpage.py from tests/seeds/rows.py; do not edit.
.Dd November 21, 2026
.Dt PARLOUR-SOURCES 7
.Os Parlour
.Sh NAME
.Nm parlour-sources
.Nd what the source documents name, and what became of it
.Sh DESCRIPTION
Parlour serves front ends that were written for five other back ends.
This page lists all that the documents of those name, with the place (document:lines), and whether Parlour has it:
.Bl -tag -width not-ours -compact
.It works
tested as printed there;
.It later
a part is missing, which is named;
.It not-ours
it belongs to somebody else, and why.
.El
.Pp
The documents are 000 (AGENT BI), 001 (Interactive Agent Chat), 002 (ProdLens), 003 (a chatbot for a hedge fund) and 004
(Virtual Company).
Where they disagree with each other,
.Xr parlour-api 7
and
.Xr parlour-ws 7
say what was chosen.
.Sh ROWS
'''
TAIL = '''.Sh SEE ALSO
.Xr parlour.conf 5 ,
.Xr parlour-api 7 ,
.Xr parlour-ws 7 ,
.Xr parlourctl 8 ,
.Xr parlourd 8
'''


def escaped(text):
    return text.replace("\\", "\\e").replace("-", "\\-") if not text.startswith((".", "'")) else "\\&" + text


def page():
    text = HEAD + ".Bl -tag -width 123x\n"
    for row in rows.ROWS:
        said, note = rows.verdict(row)
        text += f".It {row[0]}\n{escaped(row[1])}\n.Pq {row[2].replace(';', ',')} ,\n.Em {escaped(said)}" + "\n"
        if note:
            text = text[:-1] + f" :\n{escaped(note)}.\n"
    counts = [sum(rows.verdict(row)[0] == kind for row in rows.ROWS) for kind in (rows.WORKS, rows.LATER, rows.NOT_OURS)]
    return text + f".El\n.Pp\nOf {len(rows.ROWS)} rows {counts[0]} work, {counts[1]} come later, {counts[2]} are not ours.\n" + TAIL


if __name__ == "__main__":
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(page())
