# SPDX-License-Identifier: ISC
"""The table of rows.py is complete, correct, and printed: every row has a verdict, and every test that it names
exists."""

import glob
import os
import re
import sys

import pytest

import clients
import inputs
import listing
import rows as table
from printed import BUILD, HERE, ROUTES, SOURCE, read

TESTS = {os.path.basename(path)[:-3] + "." + name
         for folder in (HERE, HERE + "/../e2e") for path in glob.glob(folder + "/test_*.py")
         for name in re.findall(r"^def (test_\w+)", read(path), re.M)}


def test_rows_are_numbered():
    assert [row[0] for row in table.ROWS] == list(range(1, 131))


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: str(row[0]))
def test_works_rows_name_tests(row):
    number, what, where, said, note, tests, needed = row
    assert what and re.fullmatch(r"00[0-4]:[\d,-]+(; 00[0-4]:[\d,-]+)*", where), number
    assert said in (table.WORKS, table.LATER, table.NOT_OURS)
    assert note or said == table.WORKS, "what is missing, or why not"
    assert tests or said != table.WORKS, "a row that works names its tests"
    assert set(tests.split()) <= TESTS, set(tests.split()) - TESTS
    assert not needed or said == table.WORKS
    if table.verdict(row)[0] == table.WORKS:
        for name in tests.split():
            module = sys.modules.get(name.split(".")[0])
            if module is not None and os.path.dirname(module.__file__) == HERE:
                assert getattr(module, name.split(".")[1]) is not None, f"{name} is not collected"


@pytest.mark.parametrize("row", clients.CLIENTS, ids=lambda row: row[0])
def test_clients_rows_name_tests(row):
    name, what, belongs, said, note, tests = row
    assert re.fullmatch(r"00[0-4]\.[a-z-]+", name) and name[:3] in clients.SYSTEMS and what
    assert set(belongs) <= {number for number, *_ in table.ROWS}
    assert said in (table.WORKS, table.LATER, table.NOT_OURS)
    assert note or said == table.WORKS, "what is missing, or why not"
    assert tests or said != table.WORKS, "a row that works names its tests"
    assert set(tests.split()) <= TESTS, set(tests.split()) - TESTS


@pytest.mark.parametrize("row", inputs.INPUTS, ids=lambda row: row[0])
def test_inputs_name_tests(row):
    name, what, tests = row
    assert re.fullmatch(r"(providers|imports|text|mail|browsers|proxies)\.[a-z0-9-]+", name) and what
    assert tests and set(tests.split()) <= TESTS, set(tests.split()) - TESTS


@pytest.mark.parametrize("table_of", [clients.CLIENTS, inputs.INPUTS], ids=("clients", "inputs"))
def test_clients_rows_are_there_once(table_of):
    names = [row[0] for row in table_of]
    assert len(set(names)) == len(names)


def test_routes_are_those_of_the_server(shared):
    """The verdicts come from routes.def; the running server describes the same routes."""
    described = shared.get("/openapi.json").json()["paths"]
    for row in table.ROWS:
        for route in row[6]:
            method, path = route.split()
            if method != "WS":
                assert (method.lower() in described.get(path, {})) == (route in ROUTES), route


def test_listing_is_current():
    assert read(listing.PATH) == listing.listing(), "run python3 tests/seeds/listing.py"


def test_documents():
    """Chapters, files, and targets exist on which rows without a request depend."""
    readme = read(SOURCE, "README")
    for chapter in ("Two commands", "Install on a server", "Upgrading", "Backup", "Operation", "Troubleshooting",
                    "How fast it is", "How it is built"):
        assert re.search(rf"^{chapter}$", readme, re.M), chapter
    for name in ("NEWS", "SECURITY", "COPYING", "HACKING", "contrib/quickstart", "man/parlourctl.8", "tests/bench/bench.py"):
        assert os.path.getsize(os.path.join(SOURCE, name)) > 0
    assert "libevent-check" in read(SOURCE, "configure.ac")
    for target in ("check-e2e", "bench", "check-asan", "coverage"):
        assert re.search(rf"^{target}:", read(SOURCE, "Makefile.am"), re.M)
    assert os.path.exists(BUILD + "/etc/parlour.conf")
