# SPDX-License-Identifier: ISC
"""Guests of one address: what counts against their limit, the rate of new sessions, and the race for the last place."""

import concurrent.futures
import secrets

import cluster
import psycopg
import pytest

from asking import SETTINGS, Provider
from parlour import wait_for

PROXY = {"guest": "on", "trusted_proxies": "127.0.0.1"}


@pytest.fixture(autouse=True)
def nobody_there(rows):
    rows("DELETE FROM sessions WHERE guest")


def made(api, **how):
    answer = api.post("/api/sessions", **how)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def say(api, session=None, **how):
    return api.post("/api/chat", {"message": "Ann", **({"session_id": session} if session else {})}, **how)


def by_socket(daemon):
    with daemon.ws("/ws/" + secrets.token_hex(4), protocols=()) as sock:
        return sock.expect("message")["session_id"]


@pytest.mark.parametrize("load", [made, by_socket], ids=["rest", "socket"])
def test_a_page_that_is_loaded_again_and_again(parlour, load):
    """With default settings except the rate, a visitor still gets an answer after a hundred loads of the page."""
    daemon = parlour(guest="on")
    last = [load(daemon) for _ in range(100)][-1]
    if load is made:
        assert say(daemon, last).status_code == 200
    assert say(daemon).status_code == 200


def test_what_counts(parlour, rows):
    """A session counts from its first message until it ends; meanwhile other guests of the address are refused."""
    daemon = parlour(guest_sessions_per_address="2", sessions_per_user="1", **PROXY)
    silent = [made(daemon) for _ in range(5)]
    talking = [made(daemon), say(daemon).json()["session_id"]]
    assert say(daemon, talking[0]).status_code == 200
    refused = [daemon.post("/api/sessions"), say(daemon), say(daemon, silent[0])]
    assert [(r.status_code, r.json()["code"]) for r in refused] == [(429, "session_limit")] * 3
    assert 86000 < int(refused[0].headers["Retry-After"]) <= 86400
    assert rows(f"SELECT last_seq FROM sessions WHERE id = '{silent[0]}'") == [(0,)], "what was refused is not stored"
    with daemon.ws(f"/ws/{silent[1]}", protocols=()) as sock:
        sock.expect("message")
        sock.send(message="Ann")
        assert sock.expect("error")["code"] == "session_limit"
    for session in talking:
        assert say(daemon, session).status_code == 200, "who is in goes on"
    elsewhere = {"X-Forwarded-For": "192.0.2.9"}
    assert say(daemon, headers=elsewhere).status_code == 200, "another address is not concerned"
    user = daemon.register()
    assert user.post("/api/sessions").status_code == 201 and user.post("/api/sessions").status_code == 429, "users have their own"
    assert daemon.delete(f"/api/sessions/{talking[0]}").status_code == 204
    assert say(daemon, silent[0]).status_code == 200
    assert say(daemon, silent[2]).json()["code"] == "session_limit"


def test_one_address_in_different_forms(parlour):
    """Addresses in the same IPv6 /64 count as one."""
    daemon = parlour(guest_sessions_per_address="1", **PROXY)
    codes = [say(daemon, headers={"X-Forwarded-For": address}).status_code
             for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
    assert codes == [200, 429, 200, 200, 429, 200]


def test_one_place_and_many_who_want_it(parlour):
    daemon = parlour(guest_sessions_per_address="3", workers=2, guest="on")
    sessions = [made(daemon) for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(lambda s: daemon.once("POST", "/api/chat", json={"message": "Ann", "session_id": s}).status_code,
                              sessions))
    assert sorted(codes) == [200] * 3 + [429] * 9


def test_two_first_messages_at_once(parlour, pg, database, rows):
    """Two first messages in one session without messages do not take two places."""
    daemon = parlour(guest_sessions_per_address="1", workers=2, guest="on")
    session = made(daemon)
    address, = rows(f"SELECT meta ->> 'address' FROM sessions WHERE id = '{session}'")[0]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
            conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('parlour guest ' || %s, 0))", (address,))
            asked = []
            for slot in (0, 1):
                with daemon.only_worker(slot):
                    asked.append(pool.submit(daemon.once, "POST", "/api/chat", json={"message": "Ann", "session_id": session}))
                    wait_for(lambda: rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                          "AND query LIKE '%session_say%'") == [(slot + 1,)], 10, "it waits for the lock")
        assert [a.result(30).status_code for a in asked] == [200, 200]
    assert say(daemon).status_code == 429, "the place is taken"


@pytest.fixture
def provider():
    made_one = Provider()
    yield made_one
    made_one.stop()


def test_a_guest_who_finds_no_place_costs_nothing(parlour, provider, rows):
    """The limit is checked before the model reads the form: all clients, also those of streams, get 429, and the model
    is not asked."""
    daemon = parlour(guest_sessions_per_address="1", guest="on", upstreams={"peer": provider.section()}, **SETTINGS)
    sessions = [made(daemon) for _ in range(2)]
    text = "my name is Ann Lee [[ok,tokens=1,pace=0]]"
    assert daemon.post("/api/chat", {"message": text, "session_id": sessions[0]}).status_code == 200
    asked = provider.stats()["requests"]
    assert asked > 0
    for headers in ({}, {"Accept": "text/event-stream"}):
        refused = daemon.once("POST", "/api/chat", json={"message": text, "session_id": sessions[1]}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (429, "session_limit"), refused.text
    with daemon.ws(f"/ws/{sessions[1]}", protocols=()) as sock:
        sock.expect("message")
        sock.send(message=text)
        assert sock.expect("error")["code"] == "session_limit"
    assert provider.stats()["requests"] == asked
    assert rows(f"SELECT last_seq, reserved_at FROM sessions WHERE id = '{sessions[1]}'") == [(0, None)]
    assert daemon.post("/api/chat", {"message": text, "session_id": sessions[0]}).status_code == 200, "who is in goes on"


def test_the_last_place_is_taken_before_the_model_is_asked(parlour, provider, rows):
    """While a model reads the first message, which has taken the last place, other guests of this address are refused
    without a request to the model."""
    daemon = parlour(guest_sessions_per_address="1", guest="on", upstreams={"peer": provider.section()}, **SETTINGS)
    first, second = made(daemon), made(daemon)
    provider.queue("stall-headers")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(daemon.once, "POST", "/api/chat", json={"message": "my name is Ann Lee", "session_id": first})
        provider.wait(requests=1)
        assert say(daemon, second).json()["code"] == "session_limit"
        assert daemon.post("/api/sessions").json()["code"] == "session_limit"
        assert provider.stats()["requests"] == 1
        # after ten minutes without the message, its place is free again
        rows(f"UPDATE sessions SET reserved_at = reserved_at - interval '11 minutes' WHERE id = '{first}'")
        assert daemon.post("/api/sessions").status_code == 201
        assert daemon.post(f"/api/sessions/{first}/cancel").status_code == 204
        slow.result(30)


def test_rate(parlour):
    daemon = parlour(rate_guest="5/h", guest_sessions_per_address="100", **PROXY)
    key = {"Idempotency-Key": secrets.token_hex(16)}
    first = made(daemon, headers=key)
    assert made(daemon, headers=key) == first, "asked again, nothing is made"
    for _ in range(3):
        made(daemon)
    with daemon.ws("/ws/fifth", protocols=()) as sock:
        sock.expect("message")
    for refused in (daemon.post("/api/sessions"), say(daemon)):
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.json()["error"] == "Rate limit exceeded: 5 per 1 hour" and int(refused.headers["Retry-After"]) > 600
        assert refused.headers["RateLimit"].startswith('"guest";r=0')
    with daemon.ws("/ws/sixth", protocols=()) as sock:
        assert sock.expect("error")["code"] == "rate_limited"
        assert sock.wait_closed() == 4429
    assert say(daemon, first).status_code == 200, "who is in goes on"
    with daemon.ws(f"/ws/{first}", protocols=()) as sock:
        assert sock.expect("message")["session_id"] == first
    assert daemon.post("/api/sessions", headers={"X-Forwarded-For": "192.0.2.9"}).status_code == 201
    user = daemon.register()
    assert [user.post("/api/sessions").status_code for _ in range(3)] == [201] * 3


def test_what_nobody_used_is_not_kept(parlour, rows):
    daemon = parlour(guest="on")
    silent, talking = made(daemon), made(daemon)
    assert say(daemon, talking).status_code == 200
    mine = made(daemon.register())
    rows(f"UPDATE sessions SET expires_at = clock_timestamp() WHERE id IN ('{silent}', '{talking}', '{mine}')")
    wait_for(lambda: rows("SELECT sessions_expire(100)") and rows(f"SELECT count(*) FROM sessions WHERE id = '{silent}'") == [(0,)])
    assert daemon.get(f"/api/sessions/{silent}").status_code == 404
    assert rows(f"SELECT state FROM sessions WHERE id IN ('{talking}', '{mine}')") == [("expired",)] * 2
