# SPDX-License-Identifier: ISC
"""E-mail addresses in real browsers: verified and changed by links in mails. Skipped without Chromium."""

import secrets

import pytest

from browser import PASSWORD, installed
from parlour import wait_for
from test_page import browsers, driver  # noqa: F401  pylint: disable=unused-import

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")
PUBLIC = "https://chat.example.org"


@pytest.fixture
def mailing(parlour, smtp):
    """Starts a daemon where addresses must be verified; link_to(address) returns the newest link mailed there."""
    peer = smtp()
    daemon = parlour(smtp_url=f"smtp://127.0.0.1:{peer.port}", smtp_tls="off", mail_from="bot@parlour.example", public_url=PUBLIC,
                     require_email_verification="on")

    def link_to(address):
        mail = wait_for(lambda: [m for m in peer.mails if m.to == [address]], 20, "the mail came")[-1]
        return next(word for word in mail.body.split() if word.startswith(PUBLIC)).replace(PUBLIC, daemon.url)
    return daemon, link_to


def use(page, daemon, link, says="Your address is verified"):
    page.open("about:blank")
    page.open(link)
    page.wait_shown("#use")
    assert page.run("return location.href") == daemon.url + "/verify-email", "the token is not in the address"
    page.click("#use button")
    page.wait_text("#said-title" if says else "#use-error", says or "not valid any more")


def test_from_registration_to_another_address(browsers, mailing):  # noqa: F811  pylint: disable=redefined-outer-name
    daemon, link_to = mailing
    ann, name = browsers(), "ann" + secrets.token_hex(3)
    old, new = f"{name}@example.org", f"{name}@example.net"
    ann.open(daemon.url)
    ann.wait_shown("#door-form")
    ann.click("#door-register")
    for field, value in (("#door-name", name), ("#door-email", old), ("#door-password", PASSWORD)):
        ann.type(field, value)
    ann.click("#door-go")
    ann.wait_text("#door-mailed", "Open the link in the mail")
    ann.click("#door-go")
    ann.wait_text("#door-error", "not verified")
    ann.click("#door-form a[href='/verify-email']")
    ann.wait_shown("#ask")
    ann.type("#ask-name", name)
    ann.click("#ask button")
    ann.wait_text("#said-title", "Check your mail")
    link = link_to(old)
    use(ann, daemon, link)
    use(ann, daemon, link, None)
    ann.login(daemon.url, name, PASSWORD)
    ann.wait_chat(name)
    ann.click("#factor-open")
    ann.wait_shown("#email-open")
    ann.click("#email-open")
    ann.wait_text("#email-now", f"{old} (verified)")
    assert not ann.shown("#email-send")
    for password, place, says in (("wrong password", "#email-error", "not the current password"), (PASSWORD, "#email-said", "on its way")):
        ann.type("#email-new", new, clear=True)
        ann.type("#email-password", password, clear=True)
        ann.click("#email-change")
        ann.wait_text(place, says)
    use(ann, daemon, link_to(new))
    assert daemon.login(name, PASSWORD).get("/api/auth/me").json()["email"] == new
