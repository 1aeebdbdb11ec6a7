# SPDX-License-Identifier: ISC
"""Signing in through oidc-provider from npm, in Chromium: the buttons of the page, the whole flow, linking, and
refusals."""

import contextlib
import os
import secrets
import subprocess

import httpx
import pytest

import nodejs
from browser import PASSWORD, Driver, installed
from parlour import SLOW, free_port, wait_for
from totp import turn_on

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")


@pytest.fixture(scope="module")
def driver():
    one = Driver()
    yield one
    one.stop()


@pytest.fixture
def browser(driver):
    one = driver.browser()
    yield one
    problems = []
    with contextlib.suppress(AssertionError, httpx.HTTPError):
        one.screenshot("end-oidc-" + secrets.token_hex(2))
        problems = one.problems()
    one.quit()
    assert not problems, problems


@pytest.fixture
def serve(parlour):
    """serve(algorithm, setting=...) starts a server and an oidc-provider that are configured for each other."""
    running = []

    def start(algorithm="RS256", **settings):
        target, port, there = nodejs.prepare(), free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        provider = subprocess.Popen(["node", os.path.join(target, "oidc.mjs"), str(there), url + "/api/auth/oidc/npm/callback", algorithm],
                                    cwd=target, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.append(provider)
        while (line := provider.stdout.readline()) != b"ready\n":
            assert line, "oidc-provider has ended"
        settings = {"workers": 1, "oidc_register": "on", **settings}
        daemon = parlour(start=False, listen=f"127.0.0.1:{port}", public_url=url, **settings)
        daemon.oidc = {"npm": {"issuer": f"http://127.0.0.1:{there}", "client_id": "parlour", "client_secret": "a secret of a test",
                               "label": "Example"}}
        daemon.write_config()
        return daemon.start()

    yield start
    for provider in running:
        provider.kill()
        provider.wait(10 * SLOW)
        provider.stdout.close()


def to_provider(browser, url=None):
    if url:
        browser.open(url + "/")
    browser.wait_any("#door-oidc button", "Sign in with Example", 15)
    browser.click("#door-oidc button")


def sign_in(browser, name, url=None):
    to_provider(browser, url)
    browser.wait_shown("#login", 20)
    browser.type("#login", name)
    browser.click("#go")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_whole_flow(serve, browser, rows, algorithm):
    daemon, name = serve(algorithm), "new" + secrets.token_hex(4)
    sign_in(browser, name, daemon.url)
    browser.wait_chat(name)
    assert "oidc" not in browser.run("return location.href"), "the code stays in no address"
    assert rows(f"SELECT email, email_verified_at IS NOT NULL FROM users WHERE username = '{name}'") == [(f"{name}@example.org", True)]
    browser.screenshot("oidc-signed-in")
    browser.click("#log-out")
    to_provider(browser)            # the provider remembers the login
    browser.wait_chat(name)
    assert rows(f"SELECT count(*) FROM users WHERE email = '{name}@example.org'") == [(1,)]


def test_cancelled(serve, browser):
    daemon = serve()
    to_provider(browser, daemon.url)
    browser.wait_shown("#cancel", 20)
    browser.click("#cancel")
    browser.wait_text("#door-error", "cancelled")
    assert browser.run("return location.hash") == ""


def test_link_and_sign_in_with_a_second_factor(serve, browser):
    daemon = serve(oidc_register="off")
    name = "ann" + secrets.token_hex(4)
    sign_in(browser, name, daemon.url)
    browser.wait_text("#door-error", "No account is linked")
    user = daemon.register(name, PASSWORD)
    browser.login(daemon.url, name, PASSWORD)
    browser.click("#factor-open")
    wait_for(lambda: browser.shown("#oidc-open"), 10)
    browser.click("#oidc-open")
    browser.wait_any("#oidc-providers button", "Link Example")
    browser.type("#oidc-password", PASSWORD)
    browser.click("#oidc-providers button")
    browser.wait_text("#notices .notice", "The account is linked", 20)
    app = turn_on(user)[0]
    browser.run("sessionStorage.clear(); localStorage.clear()")
    to_provider(browser, daemon.url)
    browser.wait_shown("#door-code", 20)
    browser.type("#door-code", app.code())
    browser.click("#door-go")
    browser.wait_chat(name)
    browser.click("#factor-open")
    wait_for(lambda: browser.shown("#oidc-open"), 10)
    browser.click("#oidc-open")
    browser.wait_text("#oidc-links li", f"{name}@example.org")
    browser.screenshot("oidc-links")
    browser.click("#oidc-links button")
    browser.wait_text("#oidc-error", "required")
    browser.type("#oidc-password", PASSWORD)
    browser.type("#oidc-code", app.code())
    browser.click("#oidc-links button")
    wait_for(lambda: not browser.texts("#oidc-links li"), 10, "it is unlinked")


def test_a_link_with_the_code_of_somebody_else(serve, browser):
    """A code is accepted only in a tab that began the sign-in."""
    daemon = serve()
    browser.open(daemon.url + "/#oidc_code=" + secrets.token_urlsafe(32))
    browser.wait_text("#door-error", "did not begin in this tab")
    assert browser.run("return location.hash") == ""


def test_without_providers(shared, browser):
    browser.open(shared.url + "/")
    browser.wait_shown("#door")
    assert not browser.shown("#door-oidc")
