# SPDX-License-Identifier: ISC
"""Fixtures of tests/e2e for the tests of the printed lines in the source documents, and the summary of the table at the
end of a run."""

import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
E2E = os.path.join(os.path.dirname(HERE), "e2e")
sys.path[:0] = [HERE, E2E]

# Loaded by its path, because both files are named conftest. Its helpers in tests/e2e import names from the one that was
# loaded last.
spec = importlib.util.spec_from_file_location("e2e_conftest", E2E + "/conftest.py")
base = importlib.util.module_from_spec(spec)
spec.loader.exec_module(base)
globals().update({name: value for name, value in vars(base).items() if not name.startswith("_")})


@pytest.fixture(scope="module")
def guests(request, workdir):
    """One daemon that accepts guests, for a whole module."""
    make, made = base.maker(request, workdir)
    yield make(guest="on", guest_sessions_per_address="1000", sessions_per_user="1000")
    base.finish(made, request.session.testsfailed > 0)


def pytest_terminal_summary(terminalreporter):
    import clients  # pylint: disable=import-outside-toplevel
    import inputs  # pylint: disable=import-outside-toplevel
    import rows  # pylint: disable=import-outside-toplevel
    terminalreporter.section("what the source documents name")
    for line in rows.summary() + clients.summary() + inputs.summary():
        terminalreporter.write_line(line)
