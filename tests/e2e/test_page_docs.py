# SPDX-License-Identifier: ISC
"""The pages of the documentation in a real browser: Swagger UI, Redoc, the manual of sockets, and the plain reference."""

import json
import os

import pytest

from browser import installed
from parlour import wait_for
from test_page import browsers, driver, unique  # noqa: F401  pylint: disable=unused-import

pytestmark = pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")


def described_routes(daemon):
    return {f"{method.upper()} {path}" for path, item in daemon.get("/openapi.json").json()["paths"].items() for method in item}


@pytest.fixture
def with_docs(shared):
    """Starts a daemon whose build contains Swagger UI and Redoc."""
    if "swagger-ui" not in shared.get("/docs").text:
        pytest.skip("built without Swagger UI and Redoc: npm was not there")
    return shared


def test_swagger_ui(browsers, with_docs):
    """/docs lists every route in its group, a request from there works, and the page violates no rule of its policy."""
    ann = browsers(size=(1280, 1000))
    ann.open(with_docs.url + "/docs")
    groups = {}
    for path, item in with_docs.get("/openapi.json").json()["paths"].items():
        for method, operation in item.items():
            groups.setdefault(operation["tags"][0], set()).add(f"{method.upper()} {path}")

    def click(group):
        ann.run("document.querySelector(`#operations-tag-${arguments[0]} .expand-operation`).click()", group)

    def shown():
        return set(ann.run("return [...document.querySelectorAll('.opblock')].map((b) => b.querySelector('.opblock-summary-method')"
                           ".textContent + ' ' + b.querySelector('.opblock-summary-path').dataset.path)"))

    wait_for(lambda: len(ann.texts(".opblock-tag")) == len(groups), 30, "the groups are shown")
    for group, routes in groups.items():
        click(group)
        wait_for(lambda routes=routes: shown() == routes, 30, f"the routes of {group} are shown")
        click(group)
        wait_for(lambda: shown() == set(), 30, f"{group} is closed")
    click("server")
    wait_for(lambda: shown() == groups["server"], 30, "the routes of the server are shown")
    ann.run("document.querySelector('#operations-server-health .opblock-summary-control').click()")
    wait_for(lambda: ann.run("return Boolean(document.querySelector('.opblock.is-open .execute'))"), 30, "the route is open")
    ann.run("document.querySelector('.opblock.is-open .execute').click()")
    wait_for(lambda: "healthy" in (ann.run("return document.querySelector('.opblock.is-open .live-responses-table')?.textContent")
                                   or ""), 20, "the reply is shown")
    ann.screenshot("swagger")


def test_redoc(browsers, with_docs):
    ann = browsers(size=(1280, 1000))
    ann.open(with_docs.url + "/redoc")
    summaries = [op["summary"] for item in with_docs.get("/openapi.json").json()["paths"].values() for op in item.values()]
    wait_for(lambda: ann.run("return document.body.textContent.includes(arguments[0])", summaries[-1]), 60, "routes are shown")
    text = ann.run("return document.body.textContent")
    assert [s for s in summaries if s not in text] == []
    ann.screenshot("redoc")


def test_sockets_page(browsers, shared):
    """The style of the manual of sockets applies under the policy of the page, and the index leads to the fields of a
    frame."""
    ann = browsers(size=(1280, 1000))
    ann.open(shared.url + "/docs/sockets")
    assert ann.text("h1") == "WebSockets"
    assert ann.run("return getComputedStyle(document.body).display") == "grid"
    ann.run("document.querySelector('nav a[href=\"#frame-reference-native-sockets\"]').click()")
    wait_for(lambda: ann.run("return location.hash") == "#frame-reference-native-sockets", 10, "the index leads there")
    assert "max_content" in ann.run("return document.getElementById('frame-reference-native-sockets-in-send')"
                                    ".nextElementSibling.textContent")
    ann.screenshot("sockets")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_of_others_load_nothing_from_elsewhere(with_docs, path):
    page = with_docs.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "http" not in policy
    assert "'unsafe-inline'" not in with_docs.get("/").headers["Content-Security-Policy"]
    assert with_docs.get(path, headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
    notice = with_docs.get("/static/docs-notice.txt")
    assert notice.headers["Content-Type"].startswith("text/plain")
    assert all(name in notice.text for name in ("swagger-ui-dist", "redoc ", "react ", "Apache License", "MIT"))


def test_reference(browsers, parlour, monkeypatch):
    """Without npm, /docs and /redoc are a plain page that lists every route of openapi.json, and its form works."""
    monkeypatch.setenv("PARLOUR_WWW_DIR", os.environ["PARLOUR_WWW_DIR"].split(":", maxsplit=1)[0])
    shared = parlour()
    described = described_routes(shared)
    for path in ("/docs", "/redoc"):
        assert "built without Swagger UI" in shared.get(path).text
        ann = browsers(size=(1280, 1000))
        ann.open(shared.url + path)
        wait_for(lambda ann=ann: len(ann.texts("#index a")) == len(described), 10, "all routes are listed")
        assert {" ".join(t.split()) for t in ann.texts("#index a")} == described
        assert len(ann.texts("#routes .route")) == len(described)
    ann.open(shared.url + "/docs#health")
    ann.wait_shown("#health .try")
    ann.click("#health .try .primary")
    wait_for(lambda: '"status": "healthy"' in ann.text("#health .output"), 10, "the answer is shown")
    ann.run("document.getElementById('login').scrollIntoView()")
    user = shared.register()
    ann.type("#login-name", user.name)
    ann.type("#login-password", user.password)
    ann.click("#login button")
    ann.wait_text("#who", user.name)
    ann.run("location.hash = '#room_create'")
    ann.wait_shown("#room_create .try")
    name = unique("docs")
    ann.run("document.querySelector('#room_create textarea').value = arguments[0]", json.dumps({"name": name}))
    ann.run("document.querySelector('#room_create .try .primary').click()")
    ann.wait_text("#room_create .output", "201")
    assert name in [r["name"] for r in user.get("/api/rooms?limit=200").json()]
    ann.screenshot("docs")
    assert ann.text("#room_create .schema table") and "visibility" in ann.text("#room_create .schema table")
