# SPDX-License-Identifier: ISC
"""Rate limits are exact over all workers, reported to the client, and counted for the right user or address."""

import math
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import wire
from parlour import wait_for


def hammer(daemon, count, threads=12, **how):
    """Sends `count` requests on separate connections; returns (statuses, seconds from before the first to after the
    last)."""
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda _: daemon.once("GET", "/api/auth/me", **how), range(count)))
    return [a.status_code for a in answers], time.monotonic() - began


def login(daemon, address=None, name="nobody", **headers):
    if address:
        headers["X-Forwarded-For"] = address
    return daemon.post("/api/auth/login", {"username": name, "password": "wrong password"}, headers=headers)


# ---- exactness ----

@pytest.mark.parametrize("workers", [1, 4])
def test_exact_over_all_workers(parlour, workers):
    """Under constant demand, all workers together admit burst + floor(elapsed / interval) requests."""
    daemon = parlour(workers=workers, rate_read="20/min burst 50")
    user = daemon.register()
    statuses, elapsed = hammer(daemon, 200, headers=user.auth)
    admitted = statuses.count(200)
    assert set(statuses) == {200, 429}
    assert 50 <= admitted <= 50 + math.floor(elapsed / 3.0), (admitted, elapsed)


def test_exact_over_time(parlour):
    """At 20/s for about two seconds, the server admits exactly as many requests as the rule permits."""
    daemon = parlour(workers=4, rate_read="20/s burst 5")
    user = daemon.register()
    began, admitted, asked = time.monotonic(), 0, []

    def ask(_):
        sent = time.monotonic()
        answer = daemon.once("GET", "/api/auth/me", headers=user.auth)
        asked.append((sent, time.monotonic()))
        return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        while time.monotonic() - began < 2.0:
            admitted += list(pool.map(ask, range(12))).count(200)
    last_good = time.monotonic() - began
    asked.sort()
    # A bucket of 5 loses tokens while no request comes for longer than 0.25 s: each request was checked between both
    # times.
    lost = sum(max(0.0, end - start - 0.2) for (start, _), (_, end) in zip(asked, asked[1:]))
    assert admitted <= 5 + math.floor(last_good * 20)
    assert admitted >= 5 + math.floor((last_good - 0.5 - lost) * 20), "saturating demand gets what the rule gives"


def test_limits_outlive_a_worker(parlour):
    daemon = parlour(workers=2, rate_read="2/min burst 10")
    user = daemon.register()
    statuses, _ = hammer(daemon, 20, headers=user.auth)
    assert statuses.count(200) == 10
    for pid in daemon.workers().values():
        daemon.kill_child(pid)
    wait_for(lambda: daemon.workers() and all(daemon.once("GET", "/readyz").status_code == 200 for _ in range(6)))
    assert hammer(daemon, 5, headers=user.auth)[0] == [429] * 5


def test_off_is_off(parlour):
    daemon = parlour(rate_read="off")
    user = daemon.register()
    assert set(hammer(daemon, 60, headers=user.auth)[0]) == {200}
    assert "RateLimit" not in user.get("/api/auth/me").headers


# ---- what clients are told ----

def test_headers_of_the_limit(parlour):
    daemon = parlour(rate_read="10/min burst 4")     # the next one is admitted after six seconds
    user = daemon.register()
    answers = [user.get("/api/auth/me") for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 4 + [429] * 2
    for answer in answers:
        assert answer.headers["RateLimit"] and answer.headers["RateLimit-Policy"]
    refused = answers[-1]
    body = refused.json()
    assert body["code"] == "rate_limited" and body["temporary"] is True
    assert body["error"] == "Rate limit exceeded: 10 per 1 minute"
    assert 1 <= int(refused.headers["Retry-After"]) <= 7
    assert wait_for(lambda: user.get("/api/auth/me").status_code == 200, 9), "after Retry-After it goes on"


def test_probes_are_exempt(parlour):
    daemon = parlour(rate_read="1/min")
    for path in ("/livez", "/readyz", "/health"):
        answers = [daemon.get(path) for _ in range(10)]
        assert {a.status_code for a in answers} == {200}
        assert not any("RateLimit" in a.headers for a in answers)


def test_five_logins_a_minute(parlour):
    """The class login has a default of five requests a minute; the error names the limit."""
    daemon = parlour(rate_login="5/min")
    answers = [login(daemon) for _ in range(7)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 2
    assert answers[-1].json()["error"] == "Rate limit exceeded: 5 per 1 minute"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
    refused = daemon.post("/api/auth/register", {"username": "x9", "email": "x9@example.org", "password": "correct horse 9"})
    assert refused.status_code == 429, "registration counts in the same class"
    assert daemon.get("/openapi.json").status_code == 200


def test_refused_requests_cost_nothing(parlour):
    """Requests that are refused do not extend the wait."""
    daemon = parlour(rate_read="60/min burst 2")
    user = daemon.register()
    for _ in range(40):
        user.get("/api/auth/me")
    wait_for(lambda: user.get("/api/auth/me").status_code == 200, 2.5, "one a second is still let through")


# ---- whom they count against ----

def test_users_have_their_own(parlour):
    daemon = parlour(rate_read="2/min burst 6")
    one, two = daemon.register(), daemon.register()
    assert hammer(daemon, 10, headers=one.auth)[0].count(200) == 6
    assert two.get("/api/auth/me").status_code == 200
    assert daemon.login(one.name).get("/api/auth/me").status_code == 429, "another login session is the same user"


def test_addresses_behind_a_trusted_proxy(parlour):
    daemon = parlour(rate_login="2/min")
    assert [login(daemon, "203.0.113.7").status_code for _ in range(3)] == [401, 401, 429]
    assert login(daemon, "203.0.113.8").status_code == 401
    forged = [login(daemon, f"198.51.100.{i}, 203.0.113.7").status_code for i in range(3)]
    assert forged == [429] * 3, "what the client wrote itself, left of the proxy's word, does not count"
    assert [login(daemon, f"2001:db8:1:2::{i:x}").status_code for i in range(1, 4)] == [401, 401, 429], "one /64"
    assert login(daemon, "2001:db8:1:3::1").status_code == 401
    for odd in ("", "garbage", "1.2.3.4.5", ", ,", "203.0.113.9:8080", "[2001:db8::1]:80", "unknown", "x" * 3000):
        assert login(daemon, odd).status_code in (400, 401, 429), odd


def test_xff_of_strangers_is_ignored(parlour):
    daemon = parlour(rate_login="3/min", trusted_proxies="10.0.0.0/8")
    codes = [login(daemon, f"203.0.113.{i}").status_code for i in range(6)]
    assert codes == [401] * 3 + [429] * 3
    wait_for(lambda: "warn" in [r.get("level") for r in daemon.records() if "orwarded" in str(r)], 5, "a warning")


def test_sends_are_counted_on_every_way_in(parlour):
    """REST, the native, and the compatible socket share the rate class send of their user."""
    daemon = parlour(rate_send="6/min burst 6")
    user = daemon.register()
    room = user.room()["id"]
    with user.ws() as native, user.ws(f"/ws/chat/{room}", native=False) as compat:
        for i in range(2):
            native.send("send", topic=f"room:{room}", content=str(i), id=str(i))
            native.expect("ack", id=str(i))
            compat.send_text('{"message":"c"}')
            compat.expect("message", content="c")
            assert user.say(room, "r").status_code == 201
        native.send("send", topic=f"room:{room}", content="over", id="over")
        error = native.expect("error", id="over")
        assert error["code"] == "rate_limited" and error["temporary"] is True and error["retry_after"] >= 1
        compat.send_text('{"message":"over"}')
        assert compat.expect("error")["code"] == "rate_limited"
        assert user.say(room, "over").status_code == 429
        native.ping_pong()


def test_handshakes_are_counted(parlour):
    daemon = parlour(rate_read="2/min burst 5")
    user = daemon.register()
    codes = []
    for _ in range(7):
        try:
            daemon.ws("/ws", token=user.access).drop()
            codes.append(101)
        except wire.Refused as why:
            codes.append(why.status)
            assert why.headers["retry-after"]
    assert codes[:4] == [101] * 4 and codes[-1] == 429


def test_a_reload_changes_limits(parlour):
    daemon = parlour(workers=4, rate_read="off")
    user = daemon.register()
    assert set(hammer(daemon, 20, headers=user.auth)[0]) == {200}
    daemon.configure(rate_read="2/min burst 3")
    daemon.reload()
    wait_for(lambda: set(hammer(daemon, 8, headers=user.auth)[0]) == {429}, 10, "the new limit in every worker")


def test_refusals_reach_the_operator(parlour, rows):
    """The clerk stores refusals in limit_hits, with user or address, class, and number."""
    daemon = parlour(rate_read="2/min burst 2")
    user = daemon.register()
    for _ in range(9):
        user.get("/api/auth/me")
    found = wait_for(lambda: rows(f"SELECT class, sum(count) FROM limit_hits WHERE user_id = {user.id} GROUP BY 1"), 20)
    assert found[0][0] == "read" and found[0][1] >= 7
    assert "rate_refused" in daemon.ctl("metrics").stdout


@pytest.mark.parametrize("path, headers, status", [
    ("/api/rooms", {"Origin": "http://evil.example"}, 403), ("/livez", {"Host": "evil.example"}, 400)])
def test_what_is_refused_at_the_door_counts(parlour, path, headers, status):
    """A request that is refused before its route is known counts, and its reply has the headers of the limit."""
    daemon = parlour(rate_read="1/min burst 5", trusted_hosts="127.0.0.1")
    answers = [daemon.once("POST", path, headers=headers) for _ in range(7)]
    assert [a.status_code for a in answers] == [status] * 5 + [429] * 2
    assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=4", "r=3", "r=2", "r=1", "r=0", "r=0", "r=0"]
    assert all(a.headers["RateLimit-Policy"].startswith('"read";q=5') for a in answers)


def test_preflights_and_handshakes_tell_their_limit(parlour):
    daemon = parlour(rate_read="1/min burst 9", cors_origins="https://app.example.org")
    user = daemon.register()
    ask = {"Access-Control-Request-Method": "POST", "Origin": "https://app.example.org"}
    answer = daemon.http.options("/api/rooms", headers=ask)
    assert answer.status_code == 204 and answer.headers["RateLimit"].startswith('"read";r=')
    answer = daemon.http.options("/api/rooms", headers={**ask, "Origin": "https://evil.example"})
    assert answer.status_code == 403 and answer.headers["RateLimit"].startswith('"read";r=')
    request = (f"GET /ws HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
               f"Authorization: {user.auth['Authorization']}\r\n")
    with socket.create_connection(daemon.addr) as sock:
        sock.sendall((request + "\r\n").encode())
        head = sock.recv(4096).decode("latin-1")
    assert head.startswith("HTTP/1.1 101") and 'RateLimit: "read";r=' in head
    with socket.create_connection(daemon.addr) as sock:
        sock.sendall((request + "Origin: https://evil.example\r\n\r\n").encode())
        head = sock.recv(4096).decode("latin-1")
    assert head.startswith("HTTP/1.1 403") and 'RateLimit: "read";r=' in head
