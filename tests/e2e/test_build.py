# SPDX-License-Identifier: ISC
"""The Makefile builds correctly when it is called with several goals at once."""

import os
import re
import subprocess

import pytest

from parlour import SLOW

BUILD = os.environ.get("PARLOUR_BUILD", "")
# goals that `all` builds, each in another way
FILES = ["libparlour.a", "parlourd", "gendoc", "src/main.o", "lib/log.o", "openapi.json", "unit"]


def prerequisites(*goals):
    """Returns {file: (prerequisites, order-only prerequisites)} as make sees them for these goals; nothing is built."""
    done = subprocess.run(["make", "-C", BUILD, "-pq", *goals], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60 * SLOW, check=False)
    found = {}
    for name, line in re.findall(r"^([^\s:#=]+):(?!=)(.*)$", done.stdout, re.MULTILINE):
        before, _, order = line.partition("|")
        found[name] = (before.split(), order.split())    # the last one is not from the make of `all`
    return found


@pytest.mark.skipif(not os.path.exists(BUILD + "/Makefile"), reason="no build directory with a Makefile")
def test_goals_beside_all_wait_for_it():
    """make all unit -j2 once ran two makes that wrote libparlour.a at the same time."""
    alone, beside = prerequisites("unit"), prerequisites("all", "unit")
    for name in FILES:
        assert "all" in beside[name][1], name
        assert "all" not in alone[name][0] + alone[name][1], f"{name} alone"
