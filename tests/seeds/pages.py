# SPDX-License-Identifier: ISC
"""Pages of tests/seeds, which represent the front ends of other systems, in headless Chromium. They have their own
origin, like front ends, and their address contains the address of the server. Test modules import the fixtures driver,
origin, and browse."""

import functools
import http.server
import os
import re
import threading
import urllib.parse

import pytest

from browser import Driver, installed

HERE = os.path.dirname(os.path.abspath(__file__))
needs_browser = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")
# Texts that a page shows if a field is missing.
BROKEN = re.compile(r"undefined|\bnull\b|Invalid Date|\bNaN\b|\[object Object\]")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(scope="module")
def driver():
    process = Driver()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def origin():
    """The origin of the pages, for the setting cors_origins."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=HERE))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browse(driver, origin):
    """browse(page, daemon, **parameters) opens a browser on that page. At the end, its console must contain no errors,
    and the page must show no sign of a missing field."""
    made = []

    def make(page, daemon, **parameters):
        made.append(driver.browser())
        made[-1].open(f"{origin}/{page}?{urllib.parse.urlencode({'api': daemon.url, **parameters})}")
        return made[-1]

    yield make
    problems = []
    for one in made:
        problems += one.problems() + BROKEN.findall(one.text("body"))
        one.quit()
    assert not problems, problems
