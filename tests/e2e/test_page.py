# SPDX-License-Identifier: ISC
"""The chat page and the API reference in real browsers: headless Chromium, driven by chromedriver over WebDriver.

Two browsers are two people. Source of the protocol: W3C WebDriver. Without chromium and chromedriver these are skipped.
"""

import base64
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile

import httpx
import pytest

from parlour import SLOW, wait_for

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER = "\ue007"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-GB"]
PASSWORD = "correct horse 9"

pytestmark = pytest.mark.skipif(not (shutil.which("chromedriver") and shutil.which("chromium")),
                                reason="chromium and chromedriver are not installed")


class Driver:
    """One chromedriver process; makes browsers."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="pl-web-", dir="/tmp")
        self.log = open(self.dir + "/driver.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)
        port = wait_for(self._port, 20, "chromedriver names its port")
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60 * SLOW, trust_env=False)

    def _port(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as log:
            text = log.read()
        return int(text.split("started successfully on port ")[1].split(".")[0]) if "successfully on port" in text else None

    def browser(self, **how):
        return Browser(self, **how)

    def stop(self):
        with contextlib.suppress(httpx.HTTPError):
            self.http.get("/shutdown")
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self, driver, size=(1280, 800), dark=False, phone=False):
        self.driver, self.profile = driver, tempfile.mkdtemp(dir=driver.dir)
        options = {"args": [*FLAGS, f"--user-data-dir={self.profile}", f"--window-size={size[0]},{size[1]}"],
                   "binary": shutil.which("chromium")}
        if dark:
            options["args"].append("--force-dark-mode")
        if phone:
            options["mobileEmulation"] = {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}}
        answer = driver.http.post("/session", json={"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        assert answer.status_code == 200, answer.text
        self.base = "/session/" + answer.json()["value"]["sessionId"]

    def command(self, method, path, **body):
        answer = self.driver.http.request(method, self.base + path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path} {body}: {value.get('error')}: {value.get('message', '').splitlines()[:1]}")
        return value

    def open(self, url):
        self.command("POST", "/url", url=url)

    def run(self, script, *args):
        """The value of JavaScript with `arguments`."""
        return self.command("POST", "/execute/sync", script=script, args=list(args))

    def find(self, css):
        return self.command("POST", "/element", using="css selector", value=css)[ELEMENT]

    def click(self, css):
        self.command("POST", f"/element/{self.find(css)}/click")

    def type(self, css, text, clear=False):
        element = self.find(css)
        if clear:
            self.command("POST", f"/element/{element}/clear")
        self.command("POST", f"/element/{element}/value", text=text)

    def text(self, css):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def content(self, css):
        """Text also of what is out of sight."""
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(n => n.innerText.trim())", css)

    def wait_text(self, css, text, timeout=10):
        wait_for(lambda: text in self.text(css), timeout, f"{css} says {text!r}, not {self.text(css)!r}")

    def wait_any(self, css, text, timeout=10):
        """Some element has exactly this text."""
        wait_for(lambda: text in self.texts(css), timeout, f"one of {css} is {text!r}: {self.texts(css)}")

    def shown(self, css):
        return self.run("return document.querySelector(arguments[0])?.checkVisibility() ?? false", css)

    def wait_shown(self, css, timeout=10):
        wait_for(lambda: self.shown(css), timeout, f"{css} is shown")

    def screenshot(self, name):
        """Kept only where PARLOUR_TEST_SHOTS names a directory."""
        if os.environ.get("PARLOUR_TEST_SHOTS"):
            with open(f"{os.environ['PARLOUR_TEST_SHOTS']}/{name}.png", "wb") as file:
                file.write(base64.b64decode(self.command("GET", "/screenshot")))

    def problems(self):
        """Errors in the console that are not answers of the server which the page handles (401, 404 ...)."""
        entries = self.command("POST", "/se/log", type="browser")
        return [e["message"] for e in entries if e["level"] == "SEVERE" and e.get("source") != "network"]

    def offline(self, is_offline):
        """Cuts new requests and lets the socket die, as a lost network does."""
        self.command("POST", "/goog/cdp/execute", cmd="Network.enable", params={})
        self.command("POST", "/goog/cdp/execute", cmd="Network.emulateNetworkConditions", params={
            "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})

    # ---- the chat page ----

    def register(self, url, name):
        self.open(url + "/")
        self.wait_shown("#door")
        self.click("#door-register")
        self.type("#door-name", name)
        self.type("#door-email", name + "@example.org")
        self.type("#door-password", PASSWORD)
        self.click("#door-go")
        self.wait_chat(name)
        return self

    def login(self, url, name, password):
        self.open(url + "/")
        self.wait_shown("#door")
        self.type("#door-name", name)
        self.type("#door-password", password)
        self.click("#door-go")
        self.wait_chat(name)
        return self

    def wait_chat(self, name):
        wait_for(lambda: self.content("#me-name") == name, 15, f"{name} is in: {self.text('#door-error')}")
        self.wait_text("#link", "Live")

    def room(self, name):
        """Opens a room of the list."""
        wait_for(lambda: self.run("const a = [...document.querySelectorAll('#rooms-list a')]"
                                  ".find(a => a.querySelector('.name').textContent === arguments[0]); a?.click(); return !!a", name),
                 10, f"room {name} is listed")
        self.wait_text("#room-title", name)
        wait_for(lambda: int(self.content("#here-count") or 0) > 0, 10, "presence came")

    def say(self, text):
        self.type("#text", text + ENTER)

    def messages(self, kind=""):
        return self.texts(f"#log .message{kind} .text")

    def quit(self):
        with contextlib.suppress(httpx.HTTPError, AssertionError):
            self.command("DELETE", "")


@pytest.fixture(scope="module")
def driver():
    process = Driver()
    yield process
    process.stop()


@pytest.fixture
def browsers(driver):
    """browsers(): a fresh browser, closed after the test; its console must hold no errors."""
    made = []

    def make(**how):
        made.append(driver.browser(**how))
        return made[-1]

    yield make
    problems = []
    for number, one in enumerate(made):
        with contextlib.suppress(AssertionError, httpx.HTTPError):
            one.screenshot(f"end-{number}-{secrets.token_hex(2)}")
            problems += one.problems()
        one.quit()
    assert not problems, problems


@pytest.fixture(scope="module")
def host(shared):
    """Owner of the test's rooms, by HTTP."""
    return shared.register("host" + secrets.token_hex(3))


@pytest.fixture(scope="module")
def lobby(host):
    """A public room with one AI role that answers when it is mentioned."""
    role = host.role("guide" + secrets.token_hex(3))
    room = host.room("room " + secrets.token_hex(3), role_ids=[role["id"]], reply_policy="mention")
    return {**room, "role": role["name"]}


def unique(word):
    return f"{word}-{secrets.token_hex(4)}"


def test_two_people_and_an_answer(browsers, shared, lobby):
    """Register here, log in there; both see each other, a message and an answer that streams."""
    cfo = shared.register("cfo" + secrets.token_hex(3), "demo demo").name
    ann, bob = browsers(), browsers()
    name = "ann" + secrets.token_hex(3)
    ann.register(shared.url, name)
    bob.login(shared.url, cfo, "demo demo")
    for one in (ann, bob):
        one.room(lobby["name"])
    for one in (ann, bob):
        wait_for(lambda one=one: {name, cfo} <= set(one.texts("#here-list .who > span")), 10, "both are here")
    text = unique("hello")
    ann.say(text)
    bob.wait_any("#log .message .text", text)
    ann.wait_any("#log .message.mine .text", text)
    bob.say(f"@{lobby['role']} count to 120")
    for one in (ann, bob):
        wait_for(lambda one=one: "10, 11" in one.text("#tail .message.running .text"), 15, "the answer streams")
    ann.screenshot("streaming")
    for one in (ann, bob):
        wait_for(lambda one=one: any("119, 120." in t for t in one.messages(".role")), 30, "the answer is whole")
        wait_for(lambda one=one: one.texts("#tail .message") == [], 5, "nothing is left at the end")
    assert len([t for t in ann.messages(".role") if "119, 120." in t]) == 1
    ann.screenshot("two-people")


def test_a_late_viewer_and_stop(browsers, shared, lobby):
    ann, bob = browsers(), browsers()
    ann.register(shared.url, "late" + secrets.token_hex(3))
    bob.register(shared.url, "later" + secrets.token_hex(3))
    ann.room(lobby["name"])
    ann.say(f"@{lobby['role']} count to 500")
    wait_for(lambda: "40, 41" in ann.text("#tail .message.running .text"), 15, "the answer streams")
    bob.room(lobby["name"])
    wait_for(lambda: "1, 2, 3, 4, 5" in bob.text("#tail .message.running .text"), 5, "a late viewer has the text from its start")
    assert not bob.shown("#tail .message.running .stop"), "only the asker, moderators and the owner stop an answer"
    ann.click("#tail .message.running .stop")
    for one in (ann, bob):
        wait_for(lambda one=one: "Stopped." in one.text("#log .message.role:last-of-type"), 10, "the text stays, marked as stopped")
        assert not one.shown("#tail .message")
    answer = bob.messages(".role")[-1]
    assert answer.startswith("1, 2, 3") and "500." not in answer


def test_markup_is_text(browsers, shared, lobby):
    """What people write is never HTML; light Markdown is nodes."""
    ann = browsers().register(shared.url, "mark" + secrets.token_hex(3))
    ann.room(lobby["name"])
    evil = f'<img src=x onerror="document.title=1"> <script>1</script> {unique("evil")}'
    ann.say(evil)
    ann.wait_any("#log .message .text", evil)
    assert ann.run("return document.querySelectorAll('#log img, #log script').length") == 0
    ann.say(f"**bold** `a<b` [site](https://example.org/) javascript:alert(1) {unique('md')}")
    wait_for(lambda: ann.run("return document.querySelectorAll('#log .text strong, #log .text code, #log .text a').length") == 3, 5,
             "bold, code and one link")
    assert ann.run("return [...document.querySelectorAll('#log .text a')].map(a => a.href)") == ["https://example.org/"]


def test_history_scrolls_back(browsers, shared, host):
    room = host.room("long " + secrets.token_hex(3))
    for i in range(130):
        host.say(room["id"], f"line {i}")
    ann = browsers().register(shared.url, "reader" + secrets.token_hex(3))
    ann.room(room["name"])
    ann.wait_any("#log .message .text", "line 129")
    assert len(ann.messages()) == 50
    for _ in range(2):
        count = len(ann.messages())
        ann.run("document.getElementById('scroller').scrollTop = 0")
        wait_for(lambda count=count: len(ann.messages()) > count, 5, "older messages")
    assert ann.messages() == [f"line {i}" for i in range(130)]
    ann.run("document.getElementById('scroller').scrollTop = 300")
    host.say(room["id"], "while reading above")
    wait_for(lambda: "1 new" in ann.text("#newest"), 5, "told, but not moved")
    ann.click("#newest")
    ann.wait_any("#log .message .text", "while reading above")


def test_lost_connection(browsers, shared, host, lobby):
    """Nothing is missed or doubled over a cut; what was written meanwhile is sent."""
    ann = browsers().register(shared.url, "cut" + secrets.token_hex(3))
    ann.room(lobby["name"])
    before, during, own = unique("before"), unique("during"), unique("own")
    ann.say(before)
    ann.wait_any("#log .message:not(.pending) .text", before)
    worker = next(iter(shared.workers().values())) if hasattr(shared, "workers") else None
    ann.offline(True)
    for pid in shared.workers().values() if worker else ():
        shared.kill_child(pid)
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    ann.say(own)
    ann.wait_text("#tail .message.pending .note", "connection is back")
    wait_for(lambda: shared.get("/readyz").status_code == 200, 20, "new workers")
    host.say(lobby["id"], during)
    ann.offline(False)
    ann.wait_text("#link", "Live", 45)
    ann.wait_any("#log .message .text", during)
    ann.wait_any("#log .message.mine .text", own)
    texts = ann.messages()
    assert [texts.count(t) for t in (before, during, own)] == [1, 1, 1]
    assert [m["content"] for m in host.get(f"/api/rooms/{lobby['id']}/messages").json()].count(own) == 1


def test_too_far_behind(browsers, parlour):
    """What was missed is more than the server replays: the page reads the newest history anew, without a hole."""
    daemon = parlour(recover_limit="10")
    host = daemon.register()
    room = host.room("busy")["id"]
    ann = browsers().register(daemon.url, "behind" + secrets.token_hex(3))
    ann.room("busy")
    ann.say("seen")
    ann.wait_any("#log .message.mine .text", "seen")
    ann.offline(True)
    for pid in daemon.workers().values():
        daemon.kill_child(pid)
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    wait_for(lambda: daemon.get("/readyz").status_code == 200, 20, "new workers")
    for i in range(70):
        host.say(room, f"missed {i}")
    ann.offline(False)
    ann.wait_any("#log .message .text", "missed 69", 45)
    ann.run("document.getElementById('scroller').scrollTop = 0")
    wait_for(lambda: ann.messages() == ["seen"] + [f"missed {i}" for i in range(70)], 10, "all of it, once, in order")


def test_restart_and_reload(browsers, parlour):
    """The page comes back by itself after HUP and after a restart."""
    daemon = parlour(listen="127.0.0.1:0")
    ann = browsers().register(daemon.url, "stays" + secrets.token_hex(3))
    daemon.register().room("stay")
    ann.command("POST", "/refresh")
    ann.room("stay")
    daemon.reload()
    ann.wait_text("#link", "Live", 30)
    ann.say("after reload")
    ann.wait_any("#log .message.mine:not(.pending) .text", "after reload", 20)
    daemon.configure(listen=f"127.0.0.1:{daemon.port}")
    daemon.stop()
    wait_for(lambda: "Live" not in ann.text("#link"), 15, "the page knows that it is cut off")
    daemon.start()
    ann.wait_text("#link", "Live", 45)
    ann.say("after restart")
    ann.wait_any("#log .message.mine:not(.pending) .text", "after restart")


def test_too_fast(browsers, parlour):
    """Refused by the rate limit: shown, tried again by itself, each written once."""
    daemon = parlour(rate_send="60/min burst 2")
    host = daemon.register()
    room = host.room("slow")["id"]
    ann = browsers().register(daemon.url, "fast" + secrets.token_hex(3))
    ann.room("slow")
    for i in range(4):
        ann.say(f"quick {i}")
    wait_for(lambda: ann.texts("#tail .message") == [] and len(ann.messages()) == 4, 20, "all four are sent")
    assert sorted(m["content"] for m in host.get(f"/api/rooms/{room}/messages").json()) == [f"quick {i}" for i in range(4)]


def test_expired_tokens_are_renewed(browsers, parlour):
    daemon = parlour(access_token_life="8s")
    user = daemon.register()
    room = user.room("short")
    ann = browsers().register(daemon.url, "renew" + secrets.token_hex(3))
    ann.room("short")
    first = ann.run("return JSON.parse(sessionStorage.getItem('parlour.session')).access")
    wait_for(lambda: ann.run("return JSON.parse(sessionStorage.getItem('parlour.session')).access") != first, 20, "a new token")
    text = unique("still-here")
    ann.wait_text("#link", "Live")
    ann.say(text)
    ann.wait_any("#log .message.mine .text", text)
    assert user.get(f"/api/rooms/{room['id']}/messages").json()[-1]["content"] == text


def test_a_session_that_is_ended(browsers, shared):
    name = "ended" + secrets.token_hex(3)
    ann = browsers().register(shared.url, name)
    other = shared.login(name, PASSWORD)
    assert other.post("/api/auth/logout", {"scope": "global"}).status_code == 204
    ann.wait_shown("#door", 15)
    wait_for(lambda: "Log in again" in ann.text("#door-error"), 5, "it says why")


def test_rooms_and_roles(browsers, shared):
    """Make a role and a room, let the role take part, leave."""
    ann = browsers().register(shared.url, "maker" + secrets.token_hex(3))
    role, room = "critic" + secrets.token_hex(3), "den " + secrets.token_hex(3)
    ann.click("#roles-open")
    ann.wait_shown("#roles-dialog")
    ann.click("#role-new summary")
    ann.type("#role-name", role)
    ann.type("#role-text", "You are a critic.")
    ann.click("#role-form .primary")
    wait_for(lambda: role in ann.text("#roles-list"), 10, "the role is listed")
    ann.click("#roles-dialog [data-close]")
    ann.click("#rooms-new")
    ann.wait_shown("#room-dialog")
    ann.type("#new-name", room)
    ann.click("#room-form .primary")
    ann.wait_text("#room-title", room)
    ann.wait_shown("#room-roles-change")
    ann.click("#room-roles-change")
    wait_for(lambda: ann.run("const b = [...document.querySelectorAll('#roles-list li')].find(li => li.innerText.includes(arguments[0]))"
                             "?.querySelector('button'); b?.click(); return !!b", role), 5, "a button to let it take part")
    ann.wait_text("#room-roles", role)
    ann.click("#roles-dialog [data-close]")
    ann.say("help")
    wait_for(lambda: ann.messages(".role"), 20, "with one role in the room it answers everything")
    ann.screenshot("own-room")


def test_private_room(browsers, shared):
    """The owner adds somebody by number, and removes them again."""
    guest = browsers().register(shared.url, "guest" + secrets.token_hex(3))
    owner = browsers().register(shared.url, "owner" + secrets.token_hex(3))
    room = "cellar " + secrets.token_hex(3)
    owner.click("#rooms-new")
    owner.wait_shown("#room-dialog")
    owner.type("#new-name", room)
    owner.click("#room-form input[value=private]")
    owner.click("#room-form .primary")
    owner.wait_text("#room-title", room)
    owner.wait_shown("#member-add")
    owner.type("#member-number", guest.content("#me-number").split()[1])
    owner.click("#member-add button")
    wait_for(lambda: len(owner.texts("#member-list li")) == 2, 10, "two members")
    guest.command("POST", "/refresh")
    guest.room(room)
    owner.say("between us")
    guest.wait_any("#log .message .text", "between us")
    owner.click("#member-list li button")
    wait_for(lambda: "no longer in this room" in guest.text("#notices"), 10, "the guest is told")
    assert room not in guest.texts("#rooms-list .name") and guest.messages() == []


def test_errors_are_sentences(browsers, shared):
    ann = browsers()
    ann.open(shared.url + "/")
    ann.wait_shown("#door")
    ann.type("#door-name", "nobody-at-all")
    ann.type("#door-password", "wrong wrong")
    ann.click("#door-go")
    ann.wait_text("#door-error", "Incorrect username or password")
    ann.click("#door-register")
    ann.type("#door-email", "x@example.org")
    ann.type("#door-password", "short", clear=True)
    ann.click("#door-go")
    ann.wait_text("#door-error", "Password must have at least 8 bytes.")
    assert "{" not in ann.text("#door-error")


def test_a_telephone(browsers, shared, lobby):
    ann = browsers(phone=True).register(shared.url, "phone" + secrets.token_hex(3))
    in_sight = "return document.querySelector(arguments[0]).checkVisibility({visibilityProperty: true})"
    assert not ann.run(in_sight, "#rooms-list")
    ann.click("#rooms-toggle")
    wait_for(lambda: ann.run(in_sight, "#rooms-list"), 5, "the list of rooms slides in")
    ann.room(lobby["name"])
    text = unique("thumb")
    ann.type("#text", text)
    ann.click("#send")
    ann.wait_any("#log .message.mine .text", text)
    assert ann.run("return document.documentElement.scrollWidth <= innerWidth"), "something is wider than the screen"
    ann.screenshot("telephone")
    ann.click("#people-toggle")
    wait_for(lambda: ann.run(in_sight, "#here-list"), 5, "who is here slides in")
    assert not ann.run(in_sight, "#rooms-list")


def test_reference(browsers, shared):
    """/docs lists every route of openapi.json, and its form works."""
    described = {f"{method.upper()} {path}" for path, item in shared.get("/openapi.json").json()["paths"].items() for method in item}
    for path in ("/docs", "/redoc"):
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
