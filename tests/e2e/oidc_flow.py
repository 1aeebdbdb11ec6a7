# SPDX-License-Identifier: ISC
"""A server with an identity provider, and a browser that signs in; shared by the tests of sign-ins and of accounts."""

import base64
import secrets
import urllib.parse

import httpx
import pytest

import usagedata
from oidc_peer import Provider
from parlour import PLAIN, Client, User, free_port

START = "/api/auth/oidc/peer/start"                 # covers: GET /api/auth/oidc/{oidc_provider}/start
BACK = "/api/auth/oidc/peer/callback"               # covers: GET /api/auth/oidc/{oidc_provider}/callback
TOKEN = "/api/auth/oidc/token"                      # covers: POST /api/auth/oidc/token
IDENTITIES = "/api/profile/identities"              # covers: GET /api/profile/identities
# covers: POST /api/profile/identities
# covers: DELETE /api/profile/identities/{identity_id}
APP = "https://app.example.org/signed-in"


@pytest.fixture
def provider():
    peer = Provider()
    yield peer
    peer.stop()


@pytest.fixture
def serve(parlour, provider):
    """serve(setting=..., section={...}) starts a server with the provider `peer`."""
    def start(section=None, **settings):
        port = free_port()
        settings = {"workers": 1, "oidc_register": "on", "oidc_return_to": APP, "listen": f"127.0.0.1:{port}",
                    "public_url": f"http://127.0.0.1:{port}", **settings}
        daemon = parlour(start=False, **settings)
        daemon.oidc = {"peer": provider.settings(**section or {})}
        daemon.write_config()
        return daemon.start()
    return start


class Browser:
    """Follows redirects one by one and keeps cookies like a browser."""

    def __init__(self, daemon):
        self.daemon, self.http = daemon, Client(base_url=daemon.url, **PLAIN)

    def start(self, **query):
        answer = self.http.get(START, params=query)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def at_provider(self, url):
        """Returns the address of the callback to which the provider redirects the browser."""
        answer = httpx.get(url, **PLAIN)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def back(self, url):
        """Returns the page and the fragment to which the callback redirects."""
        answer = self.http.get(url)
        assert answer.status_code == 303 and answer.headers["Cache-Control"] == "no-store", answer.text
        page, _, fragment = answer.headers["Location"].partition("#")
        return page, dict(urllib.parse.parse_qsl(fragment))

    def sign_in(self, **query):
        return self.back(self.at_provider(self.start(**query)))[1]

    def tokens(self, **query):
        found = self.sign_in(**query)
        assert list(found) == ["oidc_code"], (found, self.daemon.log_tail())
        return self.daemon.post(TOKEN, {"code": found["oidc_code"]})

    def user(self):
        answer = self.tokens()
        assert answer.status_code == 200, answer.text
        return User(self.daemon, answer.json()["user"]["username"], "", answer.json())


def error_of(daemon):
    return Browser(daemon).sign_in().get("oidc_error")


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def unique():
    return "p" + usagedata.unique()


def begin_link(browser, user, **body):
    proof = {"password": user.password} if user.password else {}
    return browser.http.post(IDENTITIES, json={"provider": "peer", **proof, **body}, headers={"Authorization": "Bearer " + user.access})


def link(daemon, user):
    browser = Browser(daemon)
    answer = begin_link(browser, user)
    assert answer.status_code == 200, answer.text
    return browser.back(browser.at_provider(answer.json()["url"]))[1]


def unlink(user, ident):
    """DELETE of a link, confirmed with the password, if there is one."""
    password = base64.urlsafe_b64encode(user.password.encode()).decode().rstrip("=")
    return user.delete(f"{IDENTITIES}/{ident}", headers={"X-Current-Password": password} if password else {})


def other_person(provider):
    provider.person = {"sub": "s" + secrets.token_hex(6)}
