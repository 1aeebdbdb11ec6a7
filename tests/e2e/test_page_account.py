# SPDX-License-Identifier: ISC
"""The own account in the chat page: profile, password, API keys, invites, deletion. Skipped without Chromium."""

import contextlib
import secrets

import httpx
import pytest

from browser import PASSWORD, Driver, installed
from parlour import wait_for
from totp import turn_on

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")


@pytest.fixture(name="driver", scope="module")
def fixture_driver():
    driver = Driver()
    yield driver
    driver.stop()


@pytest.fixture(name="browser")
def fixture_browser(driver):
    one = driver.browser()
    yield one
    problems = []
    with contextlib.suppress(AssertionError, httpx.HTTPError):
        one.screenshot("end-account-" + secrets.token_hex(2))
        problems = one.problems()
    one.quit()
    assert not problems, problems


@pytest.fixture(name="user")
def fixture_user(shared, browser):
    user = shared.register("ann" + secrets.token_hex(3), password=PASSWORD)
    user.room("Tea")
    browser.login(shared.url, user.name, PASSWORD)
    return user


def page(browser, button, shown):
    browser.click("#factor-open")
    browser.wait_shown(button)
    browser.click(button)
    browser.wait_shown(shown)


def close(browser):
    browser.click("#account-dialog [data-close]")
    wait_for(lambda: not browser.shown("#account-dialog"), 10, "the dialog is closed")


def test_display_name_and_password(shared, browser, user):
    other = shared.login(user.name, PASSWORD)
    page(browser, "#profile-open", "#account-name")
    browser.type("#account-name", "Ann Able")
    browser.click("#profile-form button")
    wait_for(lambda: user.get("/api/auth/me").json()["name"] == "Ann Able", 10)
    browser.type("#account-password", "not my password")
    browser.type("#account-new", "a new password 7")
    browser.type("#account-again", "a new password 8")
    browser.click("#password-form button")
    assert browser.run("return document.getElementById('account-again').validationMessage") == "The passwords differ."
    browser.type("#account-again", "a new password 7", clear=True)
    browser.click("#password-form button")
    wait_for(lambda: browser.text("#account-error"), 20, "the wrong password is refused")
    browser.type("#account-password", PASSWORD, clear=True)
    browser.click("#password-form button")
    browser.wait_text("#notices", "Your password is changed", 20)
    assert other.get("/api/auth/me").status_code == 401
    assert shared.login(user.name, "a new password 7")
    close(browser)
    browser.wait_text("#link", "Live")


def test_api_keys(shared, browser, user):
    page(browser, "#keys-open", "#key-form")
    assert browser.texts("#key-form legend") == ["What the key may do"] and not browser.shown("#key-form input[value=admin]")
    browser.type("#key-name", "Backup")
    browser.click("#key-form input[value=write]")
    browser.click("#key-form button")
    browser.wait_shown("#key-made")
    key = browser.text("#key-made")
    assert user.get("/api/keys").json()[0]["scopes"] == ["read", "write"] and user.get("/api/keys").json()[0]["expires_at"]
    use = lambda: shared.get("/api/rooms", headers={"Authorization": f"Bearer {key}"}).status_code  # noqa: E731
    assert use() == 200
    browser.click(".secret-row button")
    wait_for(lambda: browser.text(".secret-row button") in ("Copied", "Press Ctrl+C"), 10, "the button says what happened")
    assert browser.run("return getSelection().toString()") == key
    close(browser)
    assert key not in browser.run("return document.documentElement.innerHTML"), "shown once"
    page(browser, "#keys-open", "#keys-list")
    assert not browser.shown("#key-made") and "Backup" in browser.text("#keys-list")
    browser.run("window.confirm = () => true")
    browser.click("#keys-list button")
    wait_for(lambda: use() == 401, 10, "it is revoked")
    wait_for(lambda: not browser.shown("#keys-list"), 10, "the list is empty")


def test_invites(shared, browser, user):
    page(browser, "#invites-open", "#invite-form")
    browser.click("#invite-form button")
    wait_for(lambda: browser.text("#account-error"), 10, "not everybody may invite to the server")
    browser.run("const s = document.getElementById('invite-room'); s.value = [...s.options].find(o => o.text === 'Room Tea').value")
    browser.type("#invite-uses", "3", clear=True)
    browser.type("#invite-note", "for Bob")
    browser.click("#invite-form button")
    browser.wait_shown("#invite-made")
    link = browser.text("#invite-made")
    assert link.startswith(shared.url + "/join/")
    look = lambda: shared.post("/api/invites/look", {"token": link.rsplit("/", 1)[1]}).status_code  # noqa: E731
    assert look() == 200
    [made] = user.get("/api/invites").json()
    assert (made["uses"], made["note"], made["state"]) == (3, "for Bob", "open")
    assert "for Bob to Tea" in browser.text("#invites-list") and "used 0 of 3" in browser.text("#invites-list")
    browser.click("#invites-list button")
    wait_for(lambda: look() == 404, 10, "it is revoked")
    browser.wait_text("#invites-list", "revoked")
    assert not browser.shown("#invites-list button")


def test_delete_the_account(shared, browser, user):
    app, codes = turn_on(user)
    friend = shared.register()
    shared_room = user.room("Ours")["id"]
    assert friend.post(f"/api/rooms/{shared_room}/join").status_code in (200, 201, 204)
    browser.wait_shown("#door", 20)      # the second factor ended the login of the page
    browser.type("#door-name", user.name)
    browser.type("#door-password", PASSWORD)
    browser.click("#door-go")
    browser.wait_shown("#door-code")
    browser.type("#door-code", app.code())
    browser.click("#door-go")
    browser.wait_chat(user.name)
    page(browser, "#delete-open", "#delete-form")
    browser.wait_text("#delete-rooms", "Ours: passes to its longest member")
    assert "Tea: is archived" in browser.text("#delete-rooms")
    browser.type("#account-password", PASSWORD)
    browser.type("#account-code", codes[0])
    browser.type("#delete-name", "somebody")
    browser.click("#delete-go")
    assert browser.run("return document.getElementById('delete-name').validationMessage") == f"Enter {user.name}."
    assert shared.post("/api/auth/login", {"username": user.name, "password": PASSWORD}).json()["code"] == "mfa_required", "it exists"
    browser.type("#delete-name", user.name, clear=True)
    browser.click("#delete-go")
    browser.wait_shown("#door", 20)
    browser.wait_text("#door-error", "Your account is deleted.")
    assert shared.post("/api/auth/login", {"username": user.name, "password": PASSWORD}).json()["code"] == "invalid_grant"
    wait_for(lambda: friend.get(f"/api/rooms/{shared_room}").json()["level"] == "owner", 20, "the room has a new owner")


@pytest.mark.parametrize("kind, how", [("phone-light", {"phone": True}), ("phone-dark", {"phone": True, "dark": True}),
                                       ("wide-dark", {"size": (1440, 900), "dark": True}), ("wide-light", {"size": (1440, 900)})])
def test_pages_fit(shared, driver, kind, how):
    user = shared.register(password=PASSWORD)
    user.room("A room with a rather long name " + "x" * 40)
    user.post("/api/keys", {"name": "A key with a rather long name", "scopes": ["read", "write", "chat", "v1"]})
    one = driver.browser(**how)
    try:
        one.open(shared.url + "/")
        one.wait_shown("#door")
        one.type("#door-name", user.name)
        one.type("#door-password", PASSWORD)
        one.click("#door-go")
        one.wait_chat(user.name)
        for name, shown in (("profile", "#password-form"), ("keys", "#key-form"), ("invites", "#invite-form"), ("delete", "#delete-form")):
            one.run("document.getElementById('factor-open').click()")
            one.wait_shown(f"#{name}-open")
            one.click(f"#{name}-open")
            wait_for(lambda: one.run("return document.querySelector(arguments[0]) !== null", shown), 10, shown)  # pylint: disable=cell-var-from-loop
            if name == "keys":
                one.run("document.querySelector('#account-body details').open = true")
            one.screenshot(f"account-{name}-{kind}")
            assert one.run("const d = document.getElementById('account-dialog'); return d.scrollWidth <= d.clientWidth"), name
            one.run("document.getElementById('account-dialog').close()")
    finally:
        one.quit()
