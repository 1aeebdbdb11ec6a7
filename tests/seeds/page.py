# SPDX-License-Identifier: ISC
"""Pages that stand for the front ends of other systems: served from an origin of their own, as those are, in headless Chromium."""

import contextlib
import http.server
import json
import threading

from browser import Driver

from parlour import wait_for


class Handler(http.server.BaseHTTPRequestHandler):
    """Every address is the page."""

    def do_GET(self):   # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page.encode())

    def log_message(self, *args):   # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def served(text):
    """The origin of a server whose only page this is."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.page = text
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def chromium():
    driver = Driver()
    try:
        yield driver
    finally:
        driver.stop()


@contextlib.contextmanager
def opened(driver, origin, **config):
    """A browser with the page open; what the page shall know is `config` in its address. Its console must hold no errors."""
    browser = driver.browser()
    try:
        browser.open(origin + "/#" + json.dumps(config))
        yield browser
        assert browser.problems() == []
    finally:
        browser.quit()


def wait_list(browser, css, check, timeout=15):
    """The texts of these elements, once they are as wanted."""
    return wait_for(lambda: (texts := browser.texts(css)) is not None and check(texts) and (texts or True), timeout,
                    f"{css}: {browser.texts(css)}")
