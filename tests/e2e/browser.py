# SPDX-License-Identifier: ISC
"""Headless Chromium, driven by chromedriver over plain HTTP. Source of the protocol: W3C WebDriver."""

import base64
import contextlib
import os
import shutil
import subprocess
import tempfile

import httpx

from parlour import SLOW, wait_for

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER = "\ue007"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-GB"]
PASSWORD = "correct horse 9"


def installed():
    return bool(shutil.which("chromedriver") and shutil.which("chromium"))


class Driver:
    """One chromedriver process, which starts browsers."""

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
    """One Chromium with its own profile."""

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
            "timeouts": {"script": round(50000 * SLOW)}, "goog:loggingPrefs": {"browser": "ALL"}}}})
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
        """Runs JavaScript with `arguments` and returns its value."""
        return self.command("POST", "/execute/sync", script=script, args=list(args))

    def find(self, css):
        return self.command("POST", "/element", using="css selector", value=css)[ELEMENT]

    def click(self, css):
        """Clicks an element, and tries again if the page replaced it in between."""
        for left in range(4, -1, -1):
            try:
                return self.command("POST", f"/element/{self.find(css)}/click")
            except AssertionError as why:
                if left == 0 or "stale element" not in str(why):
                    raise

    def type(self, css, text, clear=False):
        element = self.find(css)
        if clear:
            self.command("POST", f"/element/{element}/clear")
        self.command("POST", f"/element/{element}/value", text=text)

    def text(self, css):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def content(self, css):
        """Returns the text of the element, also if it is hidden."""
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(n => n.innerText.trim())", css)

    def wait_text(self, css, text, timeout=10):
        wait_for(lambda: text in self.text(css), timeout, f"{css} says {text!r}, not {self.text(css)!r}")

    def wait_any(self, css, text, timeout=10):
        """Waits for an element with exactly this text."""
        wait_for(lambda: text in self.texts(css), timeout, f"one of {css} is {text!r}: {self.texts(css)}")

    def wait_list(self, css, check, timeout=15):
        """Waits until the texts of all such elements are as wanted, and returns them."""
        return wait_for(lambda: check(texts := self.texts(css)) and texts, timeout, f"{css}: {self.texts(css)}")

    def shown(self, css):
        return self.run("return document.querySelector(arguments[0])?.checkVisibility() ?? false", css)

    def wait_shown(self, css, timeout=10):
        wait_for(lambda: self.shown(css), timeout, f"{css} is shown")

    def screenshot(self, name):
        """Stores a screenshot if PARLOUR_TEST_SHOTS names a directory."""
        if os.environ.get("PARLOUR_TEST_SHOTS"):
            with open(f"{os.environ['PARLOUR_TEST_SHOTS']}/{name}.png", "wb") as file:
                file.write(base64.b64decode(self.command("GET", "/screenshot")))

    def problems(self):
        """Returns errors in the console, except replies of the server that the page handles (401, 404, ...)."""
        entries = self.command("POST", "/se/log", type="browser")
        return [e["message"] for e in entries if e["level"] == "SEVERE" and e.get("source") != "network"]

    def offline(self, is_offline):
        """Blocks new requests and makes the socket time out, like a lost network."""
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
        """Opens a room from the list."""
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
