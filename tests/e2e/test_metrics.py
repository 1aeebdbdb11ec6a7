# SPDX-License-Identifier: ISC
"""The figures of /metrics have valid form and labels and count events; the access log is correct, too."""

import re
import shutil
import subprocess

import pytest

import exposition
from parlour import wait_for

PROMTOOL = shutil.which("promtool")


def scrape(daemon):
    return exposition.parse(daemon.ctl("metrics").stdout)


def figure(daemon, name, **labels):
    return exposition.value(scrape(daemon), name, **labels)


def test_requests_by_route(parlour):
    daemon = parlour()
    user = daemon.register()
    for room in (1, 2, 777):
        user.get(f"/api/rooms/{room}/messages")
    assert user.get("/api/auth/me").status_code == 200
    daemon.get("/no/such/thing")
    daemon.post("/api/auth/me", {})
    with daemon.ws(token=user.access) as sock:
        sock.expect("authed")
    route = {"route": "/api/rooms/{room_id}/messages", "method": "GET"}
    wanted = {(("status", "2xx"), ("route", "/api/auth/me"), ("method", "GET")): 1, (("status", "4xx"), *route.items()): 3,
              (("status", "4xx"), ("route", "none")): 2, (("status", "1xx"), ("route", "/ws")): 1}

    def counted():
        families = scrape(daemon)
        return {labels: exposition.value(families, "parlour_http_requests_total", **dict(labels)) for labels in wanted}

    wait_for(lambda: counted() == wanted, 5, f"each is counted below its route, whatever the room: {counted()}")
    families = scrape(daemon)
    assert exposition.value(families, "parlour_http_request_duration_seconds_count", **route) == 3
    assert 0 < exposition.value(families, "parlour_http_request_duration_seconds_sum", **route) < 60
    assert exposition.value(families, "parlour_http_request_duration_seconds_bucket", le="60", **route) == 3


@pytest.fixture
def asked(parlour, peer, rows):
    """Starts a daemon with one model that has a price: (daemon, ask); ask(text) asks it one question."""
    provider = peer()
    daemon = parlour(upstreams={"main": {"url": provider.url, "model": "m1", "models": "m1 m2", "breaker_failures": "2",
                                         "breaker_cooldown": "1h"}}, llm_default="main", guest="on", session_form="")
    return daemon, provider


def test_models_by_upstream(asked):
    daemon, _ = asked
    daemon.ctl("price", "set", "peer-1", "1000", "1000", "--dsn", daemon.dsn.replace("parlour_app", "parlour_owner"))
    user = daemon.register()
    role = user.post("/api/roles", {"name": "butler-" + user.name, "instructions": "Serve."}).json()["id"]
    room = user.post("/api/rooms", {"name": "tea " + user.name, "role_ids": [role]}).json()["id"]
    assert user.post("/api/chat", {"message": "Hello"}).status_code == 200
    user.post(f"/api/rooms/{room}/messages", {"content": "Hello?"})
    wait_for(lambda: figure(daemon, "parlour_llm_requests_total", upstream="main", outcome="done") == 2, 10, "both are counted")

    def tokens(families, kind):
        return exposition.value(families, "parlour_llm_tokens_total", upstream="main", type=kind)

    def billed():
        """A price of a thousand dollars per million tokens. Costs are counted when the answer is stored."""
        families = scrape(daemon)
        cost = exposition.value(families, "parlour_llm_cost_usd_total", upstream="main")
        return cost > 0 and abs(cost - (tokens(families, "prompt") + tokens(families, "completion")) / 1000) < 1e-6 and families

    families = wait_for(billed, 10, "the costs are those of the tokens")
    assert tokens(families, "prompt") > 0 and tokens(families, "completion") > 0
    assert exposition.value(families, "parlour_llm_request_duration_seconds_count", upstream="main") == 2
    assert exposition.value(families, "parlour_llm_first_token_seconds_count", upstream="main") == 2
    wait_for(lambda: figure(daemon, "parlour_generations_total", outcome="done") >= 1, 10, "the room's answer is counted")


def test_the_breaker(asked):
    daemon, provider = asked
    states = {(m, s): figure(daemon, "parlour_llm_breaker_state", upstream="main", model=m, state=s)
              for m in ("", "m1", "m2") for s in ("closed", "open", "half_open")}
    assert {key for key, value in states.items() if value == 1} == {("", "closed"), ("m1", "closed"), ("m2", "closed")}
    provider.stop()
    user = daemon.register()
    for _ in range(3):
        user.post("/api/chat", {"message": "Hello"})
    wait_for(lambda: figure(daemon, "parlour_llm_requests_total", upstream="main", outcome="unavailable") == 1, 10, "the third")
    families = scrape(daemon)
    assert exposition.value(families, "parlour_llm_requests_total", upstream="main", outcome="failed") == 2
    assert exposition.value(families, "parlour_llm_attempts_total", upstream="main") > 2, "each was tried again"
    assert exposition.value(families, "parlour_llm_breaker_state", model="m1", state="open") == 1
    assert exposition.value(families, "parlour_llm_breaker_state", model="m1", state="closed") == 0
    assert exposition.value(families, "parlour_llm_breaker_state", model="m2", state="closed") == 1, "its neighbor"


def test_what_users_name_is_no_label(parlour):
    """Names that users choose (models, rooms, users) create no series; names from the configuration are escaped."""
    daemon = parlour(upstreams={"one": {"url": "http://127.0.0.1:9/v1", "model": 'odd"model\\1'}})
    user = daemon.register()
    role = user.post("/api/roles", {"name": "r" + user.name, "instructions": "x", "upstream": "one", "model": "chosen-model"})
    assert role.status_code == 201, role.text
    room = user.post("/api/rooms", {"name": "x" + user.name, "role_ids": [role.json()["id"]]}).json()["id"]
    user.post(f"/api/rooms/{room}/messages", {"content": "Hello?"})
    wait_for(lambda: figure(daemon, "parlour_llm_requests_total", upstream="one", outcome="failed") == 1, 20, "it failed")
    text = daemon.ctl("metrics").stdout
    assert "chosen-model" not in text and user.name not in text
    assert 'model="odd\\"model\\\\1"' in text


def test_the_figures_outlive_a_worker(parlour):
    daemon = parlour(workers=1)
    for _ in range(5):
        assert daemon.once("GET", "/livez").status_code == 200
    wait_for(lambda: figure(daemon, "parlour_http_requests_total", route="/livez") == 5)
    [worker] = daemon.workers().values()
    daemon.kill_child(worker)
    wait_for(lambda: daemon.workers() and worker not in daemon.workers().values(), 10, "replaced")
    daemon.settled()
    assert figure(daemon, "parlour_http_requests_total", route="/livez") == 5


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (package prometheus) is not installed")
def test_promtool_agrees(asked):
    daemon, _ = asked
    daemon.register().post("/api/chat", {"message": "Hello"})
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=daemon.ctl("metrics").stdout, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr


# ---- the access log ----

COMBINED = re.compile(r'(\S+) - (\S+) \[(\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000)\] '
                      r'"([A-Z]+) (\S+) HTTP/1\.([01])" (\d{3}) (\d+) "((?:[^"\\]|\\x[0-9A-F]{2})*)" "((?:[^"\\]|\\x[0-9A-F]{2})*)"')


def lines_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def test_fields(parlour):
    daemon = parlour(start=False)
    path = daemon.dir + "/access.log"
    daemon.configure(access_log=path)
    daemon.start()
    answer = daemon.get("/livez")
    line = wait_for(lambda: next((t for t in lines_of(path) if answer.headers["X-Request-Id"] in t), None), 5, "its line")
    names = re.findall(r'(\w+)=(?:"[^"]*"|\S*)', line)
    assert names == ["t", "proc", "request_id", "addr", "user", "method", "target", "route", "status", "bytes", "us", "sql_us",
                     "limits", "error"], line


def test_combined(parlour):
    """The access log has one line per request in the format of nginx, whatever clients send."""
    daemon = parlour(start=False)
    path = daemon.dir + "/access.log"
    daemon.configure(access_log=path, access_log_format="combined")
    daemon.start()
    user = daemon.register()
    cases = [
        ({"User-Agent": 'odd " agent \\ x'}, "-", 'odd \\x22 agent \\x5C x'),
        ({"User-Agent": "", "Referer": "https://a.example/page?token=secret"}, "https://a.example/page", "-"),
        ({"User-Agent": "caf\u00e9".encode(), "Referer": "https://a.example/ws/01234567-89ab-cdef-0123-456789abcdef"},
         "https://a.example/ws/01234567...", "caf\\xC3\\xA9"),
    ]
    for i, (headers, referer, agent) in enumerate(cases):
        answer = user.get(f"/api/auth/me?n={i}", headers=headers)
        line = wait_for(lambda i=i: next((t for t in lines_of(path) if f"me?n={i} " in t), None), 5, "its line")
        found = COMBINED.fullmatch(line)
        assert found, line
        assert found.group(1, 2, 4, 5, 6, 7) == ("127.0.0.1", user.name, "GET", f"/api/auth/me?n={i}", "1", "200")
        assert int(found.group(8)) == len(answer.content) and found.group(9, 10) == (referer, agent), line
    assert all(COMBINED.fullmatch(line) for line in lines_of(path)), "and all the others"
    daemon.configure(access_log_format="fields")
    daemon.reload()
    wait_for(lambda: daemon.once("GET", "/livez") and any("route=/livez" in t for t in lines_of(path)), 5, "a reload changes it")


def test_combined_needs_a_file(parlour):
    daemon = parlour(start=False, access_log="-", access_log_format="combined")
    daemon.expect_error("not started")
    daemon.start(ready=False)
    assert daemon.wait_exit() == 78
    assert "access_log_format: combined needs a file" in daemon.log_text()
