# SPDX-License-Identifier: ISC
"""The second factor in the chat page: turn it on, log in with a code, turn it off. Skipped without Chromium."""

import contextlib
import secrets
import time

import httpx
import pytest

from browser import PASSWORD, Driver, installed
from parlour import wait_for
from totp import STEP_S, App, code_of, turn_on

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")


@pytest.fixture
def browser():
    driver = Driver()
    one = driver.browser()
    yield one
    problems = []
    with contextlib.suppress(AssertionError, httpx.HTTPError):
        one.screenshot("end-mfa-" + secrets.token_hex(2))
        problems = one.problems()
    one.quit()
    driver.stop()
    assert not problems, problems


def enter(browser, daemon, name):
    browser.open(daemon.url + "/")
    browser.wait_shown("#door")
    browser.type("#door-name", name)
    browser.type("#door-password", PASSWORD)
    browser.click("#door-go")


def set_up(browser):
    """Fills in the dialog; returns the app, with two codes left, and the recovery codes."""
    browser.wait_shown("#factor-password")
    browser.type("#factor-password", PASSWORD)
    browser.click("#factor-form button")
    browser.wait_shown("#factor-secret")
    secret = browser.text("#factor-secret").replace(" ", "")
    assert f"secret={secret}&" in browser.run("return document.getElementById('factor-uri').href")
    app = App(secret)
    app.used = int(time.time()) // STEP_S - 1
    browser.type("#factor-code", code_of(secret, app.used))
    browser.click("#factor-form button")
    wait_for(lambda: browser.shown("#factor-codes") or browser.text("#factor-error"), 20, "the code was judged")
    if not browser.shown("#factor-codes"):      # the step changed in between
        browser.type("#factor-code", app.code(), clear=True)
        browser.click("#factor-form button")
        browser.wait_shown("#factor-codes")
    return app, browser.texts("#factor-codes li")


def test_turn_it_on_and_log_in(parlour, browser):
    daemon = parlour(rate_login="1000/min")
    name = "ann" + secrets.token_hex(3)
    browser.register(daemon.url, name)
    browser.click("#factor-open")
    app, codes = set_up(browser)
    assert len(codes) == 10
    browser.click("#factor-form button")
    wait_for(lambda: not browser.shown("#factor-dialog"), 10, "the dialog is closed")
    browser.click("#log-out")
    enter(browser, daemon, name)
    browser.wait_shown("#door-code")
    assert not browser.shown("#door-password")
    browser.type("#door-code", app.wrong())
    browser.click("#door-go")
    browser.wait_text("#door-error", "not correct")
    browser.type("#door-code", app.code(), clear=True)
    browser.click("#door-go")
    browser.wait_chat(name)
    browser.click("#factor-open")
    browser.wait_text("#factor-state", "left: 10")
    browser.type("#factor-password", PASSWORD)
    browser.type("#factor-code", codes[0])
    browser.click("#factor-form button[value=off]")
    wait_for(lambda: not browser.shown("#factor-state"), 20, "it is off")
    assert daemon.login(name, PASSWORD)


def test_back_to_the_password_and_a_recovery_code(parlour, browser):
    daemon = parlour(rate_login="1000/min")
    user = daemon.register(password=PASSWORD)
    _, codes = turn_on(user)
    enter(browser, daemon, user.name)
    browser.wait_shown("#door-code")
    browser.click("#door-back")
    browser.wait_shown("#door-password")
    assert not browser.shown("#door-code") and not browser.shown("#door-email")
    browser.click("#door-go")
    browser.wait_shown("#door-code")
    browser.type("#door-code", codes[4].upper())
    browser.click("#door-go")
    browser.wait_chat(user.name)


def test_somebody_who_must_have_one(parlour, browser):
    daemon = parlour(rate_login="1000/min", mfa_required_for="all")
    name = daemon.register(password=PASSWORD).name
    enter(browser, daemon, name)
    set_up(browser)
    browser.click("#factor-form button")
    browser.wait_chat(name)
