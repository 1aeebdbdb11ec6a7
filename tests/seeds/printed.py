# SPDX-License-Identifier: ISC
"""Functions shared by the tests of the source documents: run lines as printed, and list the routes of this server.

The documents print http://localhost:8000. Only host and port are replaced by those of the daemon.
"""

import glob
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("PARLOUR_SRC", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("PARLOUR_BUILD", SOURCE)
ROUTE = re.compile(r'^ROUTE\(\s*(\w+),\s*"([^"]+)"', re.M)
SOCKET = re.compile(r'^WSROUTE\(\s*"([^"]+)"', re.M)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def routes():
    """Returns all routes of the source, "GET /x" and "WS /x". The chat socket by user name is a separate kind on the
    path of the room."""
    text = read(SOURCE, "src/api/http/routes.def")
    found = {f"{method} {path}" for method, path in ROUTE.findall(text)} | {"WS " + path for path in SOCKET.findall(text)}
    if any("query_response" in read(path) for path in glob.glob(SOURCE + "/src/api/ws/compat/*.c")):
        found.add("WS /ws/chat/{username}")
    return found


ROUTES = routes()


def needs(*wanted):
    """Marks a test that is collected only if the server has these routes."""
    return (lambda test: test) if set(wanted) <= ROUTES else (lambda test: None)


def curl(daemon, line, **words):
    """Runs a printed command; printed placeholders (YOUR_TOKEN) are given by name."""
    line = line.replace("http://localhost:8000", daemon.url)
    for word, value in words.items():
        assert word in line
        line = line.replace(word, value)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def default(name):
    """Returns the default of a setting, from the sample configuration."""
    return re.search(rf"^# {name} = (.*)$", read(BUILD, "etc/parlour.conf"), re.M).group(1)
