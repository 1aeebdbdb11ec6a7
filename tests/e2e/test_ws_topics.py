# SPDX-License-Identifier: ISC
"""The other topics of the native socket: session:UUID, metrics, sessions, call:N; across workers, and permissions."""

import json
import time
import uuid

import pytest

from parlour import SLOW, wait_for
from usagedata import analyst, day, send, session

SETTINGS = {"watchdog": "10min", "sessions_per_user": "1000"}


@pytest.fixture(scope="module")
def daemon(request, workdir):
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(**SETTINGS)
    finish(made, request.session.testsfailed > 0)


@pytest.fixture(scope="module")
def ann(daemon):
    return daemon.register()


def subscribe(sock, topic, **fields):
    sock.send("subscribe", topic=topic, **fields)
    return sock.expect("subscribed", topic=topic)


def on_worker(daemon, slot, user, topic, **fields):
    """Opens a socket on this worker that subscribes to the topic; returns it and the reply."""
    with daemon.only_worker(slot):
        sock = user.ws()
    assert sock.authed["worker"] == slot
    return sock, subscribe(sock, topic, **fields)


def new_session(user, **body):
    return user.post("/api/sessions", body).json()["id"]


def chat(user, mine, message):
    answer = user.post("/api/chat", {"message": message, "session_id": mine})
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- sessions ----

def test_a_session_from_both_workers(daemon, ann):
    mine = new_session(ann, kind="chat")
    topic = f"session:{mine}"
    socks = []
    for slot in (0, 1):
        sock, head = on_worker(daemon, slot, ann, topic, id="s")
        assert head == {"type": "subscribed", "id": "s", "topic": topic, "epoch": 0, "seq": 0, "was_recovering": False,
                        "recovered": False, "state": "open", "data_collected": {}, "is_complete": False}
        socks.append(sock)
    said = [chat(ann, mine, f"hello {n}")["response"] for n in range(3)]
    for sock in socks:
        for n in range(3):
            asked, answer = sock.expect("message", topic=topic), sock.expect("answer", topic=topic)
            assert asked["seq"] == 2 * n + 1 and answer["seq"] == 2 * n + 2
            assert set(asked["message"]) == {"session_id", "seq", "author", "content", "created_at"}
            assert asked["message"]["author"] == {"kind": "user", "id": ann.id, "name": ann.name}
            assert asked["message"]["content"] == f"hello {n}" and asked["message"]["session_id"] == mine
            assert answer["message"]["author"] == {"kind": "assistant"} and answer["message"]["content"] == said[n]
            assert answer["message"]["state"] == "done" and answer["message"]["model"] == "local-1"
        assert not sock.inbox, "nothing twice"
    assert ann.delete(f"/api/sessions/{mine.upper()}").status_code == 204
    for sock in socks:
        assert sock.expect("end") == {"type": "end", "topic": topic, "state": "ended"}
        sock.close()


def test_what_the_form_learns(ann, rows):
    mine = new_session(ann)
    topic = f"session:{mine}"
    with ann.ws() as sock:
        head = subscribe(sock, topic)
        assert head["data_collected"] == {"name": False, "email": False, "income": False} and not head["is_complete"]
        chat(ann, mine, "My name is Ann Example.")
        assert sock.expect("data_collected", topic=topic) == {
            "type": "data_collected", "topic": topic, "data_collected": {"name": True, "email": False, "income": False},
            "is_complete": False}
        chat(ann, mine, "ann@example.org")
        assert sock.expect("data_collected")["data_collected"]["email"] is True
        done = chat(ann, mine, "I earn 54321 euros")
        assert done["is_complete"], done
        assert sock.expect("completion", topic=topic) == {
            "type": "completion", "topic": topic, "data_collected": {"name": True, "email": True, "income": True},
            "is_complete": True}
        assert "54321" not in json.dumps(sock.inbox), "sensitive values stay sealed"
        sock.send("unsubscribe", topic=topic, id="u")
        assert sock.expect("unsubscribed") == {"type": "unsubscribed", "id": "u", "topic": topic}
        sock.inbox.clear()
        chat(ann, mine, "and now?")
        sock.send("ping")
        sock.expect("pong")
        assert not [f for f in sock.inbox if f.get("topic") == topic]


def test_a_session_is_caught_up(ann, daemon, rows):
    mine = new_session(ann, kind="chat")
    topic = f"session:{mine}"
    for n in range(4):
        chat(ann, mine, f"m{n}")
    with ann.ws() as sock:
        head = subscribe(sock, topic, since=3)
        assert (head["seq"], head["was_recovering"], head["recovered"]) == (8, True, True)
        assert [sock.expect("message", "answer")["seq"] for _ in range(5)] == [4, 5, 6, 7, 8]
        head = subscribe(sock, topic, since=99)
        assert (head["was_recovering"], head["recovered"]) == (True, False)
        assert subscribe(sock, topic)["was_recovering"] is False
        sock.send("subscribe", topic=topic, since=-1)
        assert sock.expect("error")["code"] == "validation_error"
    other, _ = on_worker(daemon, 0, ann, topic)
    # stored, but its event was lost with its worker
    rows(f"WITH s AS (UPDATE sessions SET last_seq = last_seq + 1 WHERE id = '{mine}' RETURNING id, last_seq) "
         "INSERT INTO session_messages (session_id, seq, author, content) SELECT id, last_seq, 'user', 'nobody was told' FROM s")
    victim = daemon.workers()[1]
    daemon.kill_child(victim)
    assert other.expect("message", timeout=15)["message"]["content"] == "nobody was told"
    other.close()
    wait_for(lambda: daemon.workers().get(1) not in (None, victim))
    daemon.settled()


def test_a_session_expires(ann, rows):
    mine = new_session(ann, kind="chat")
    rows(f"UPDATE sessions SET expires_at = now() + interval '4 seconds' WHERE id = '{mine}'")
    with ann.ws() as sock:
        assert subscribe(sock, f"session:{mine}")["state"] == "open"
        assert sock.expect("end", timeout=9)["state"] == "expired"
        assert subscribe(sock, f"session:{mine}")["state"] == "expired"
        assert sock.expect("end")["state"] == "expired"


def test_sessions_of_others_do_not_exist(daemon, ann, rows):
    ben, boss = daemon.register(), analyst(daemon, rows)
    mine = new_session(ann, kind="chat")
    usage = rows("INSERT INTO sessions (kind, source, external_id) VALUES ('usage', 'import', 'ext-1') RETURNING id::text")[0][0]
    guests = rows("INSERT INTO sessions (kind, guest, expires_at) VALUES ('chat', true, now() + interval '1 hour') "
                  "RETURNING id::text")[0][0]
    for user in (ben, boss):
        with user.ws() as sock:
            for key in (mine, usage, guests, "ext-1", str(uuid.uuid4()), "", "x"):
                sock.send("subscribe", topic=f"session:{key}", id="q")
                error = sock.expect("error")
                assert error["code"] == "not_found" and error["id"] == "q", (key, error)
    chat(ann, mine, "secret")
    rows(f"DELETE FROM sessions WHERE id IN ('{usage}', '{guests}')")


def test_a_session_that_goes_away(ann, rows):
    mine = new_session(ann, kind="chat")
    with ann.ws() as sock:
        subscribe(sock, f"session:{mine}")
        with ann.ws(f"/ws/{mine}", native=False) as page:
            page.expect("message")
        rows(f"DELETE FROM sessions WHERE id = '{mine}'")
        sock.send("subscribe", topic=f"session:{mine}")
        assert sock.expect("error")["code"] == "not_found"


def test_a_socket_has_a_hundred_sessions_at_most(ann, rows):
    keys = [r[0] for r in rows("INSERT INTO sessions (kind, user_id, expires_at) SELECT 'chat', "
                               f"{ann.id}, now() + interval '1 hour' FROM generate_series(1, 101) RETURNING id::text")]
    with ann.ws() as sock:
        for key in keys[:100]:
            subscribe(sock, f"session:{key}")
        sock.send("subscribe", topic=f"session:{keys[100]}")
        assert "100 sessions" in sock.expect("error")["detail"]
        subscribe(sock, f"session:{keys[7]}")
    rows(f"DELETE FROM sessions WHERE user_id = {ann.id}")


# ---- metrics, sessions ----

def test_figures_on_the_native_socket(parlour, rows):
    daemon = parlour(workers=1)
    boss = analyst(daemon, rows)
    rows("DELETE FROM sessions")    # of the previous tests
    with boss.ws() as sock, boss.ws("/ws/metrics", native=False) as old:
        plain, started = {"epoch": 0, "seq": 0, "was_recovering": False, "recovered": False}, time.monotonic()
        for topic in ("metrics", "sessions"):
            assert subscribe(sock, topic, id="f") == {"type": "subscribed", "id": "f", "topic": topic, **plain}
        first = sock.expect("metrics")
        assert set(first) == {"type", "topic", "data", "timestamp"} and first["topic"] == "metrics"
        assert first["data"] == old.expect("metrics")["data"]
        assert sock.expect("sessions", topic="sessions")["data"] == {"items": []}
        assert sock.expect("heartbeat", timeout=8)["topic"] == "metrics"
        assert 4.9 < time.monotonic() - started < 5 + 2 * SLOW
        send(boss, [session(n, day(1)) for n in range(20)])
        assert sock.expect("metrics", timeout=12)["data"]["cost_per_session"]["value"] == 0.25
        assert len(sock.expect("sessions", timeout=14)["data"]["items"]) == 20
        sock.send("subscribe", topic="sessions")
        assert len(sock.expect("sessions")["data"]["items"]) == 20, "again: the data again"
        for topic in ("metrics", "sessions"):
            sock.send("unsubscribe", topic=topic)
            sock.expect("unsubscribed", topic=topic)
        sock.inbox.clear()
        with boss.ws() as other:    # started later and checked as often
            subscribe(other, "metrics")
            other.expect("heartbeat")
        sock.ping_pong()
        assert not sock.inbox
    with daemon.register().ws() as sock:
        subscribe(sock, "sessions")
        assert sock.expect("sessions")["data"] == {"items": []}, "users see what is theirs"
    with daemon.ws() as sock:
        sock.send("subscribe", topic="metrics")
        assert sock.expect("error")["code"] == "unauthorized"


def test_figures_without_a_token(parlour, rows):
    daemon = parlour(workers=1, anonymous="sessions", ws_auth_timeout=f"{round(2000 * SLOW)}ms")
    boss = analyst(daemon, rows)
    rows("DELETE FROM sessions")
    send(boss, [session(n, day(1), developer_id="secret-dev") for n in range(3)])
    with daemon.ws() as sock:
        sock.send("subscribe", topic="metrics")
        assert sock.expect("error")["code"] == "unauthorized", "the setting does not name it"
        subscribe(sock, "sessions")
        assert "secret-dev" not in json.dumps(sock.expect("sessions"))
        for frame in ({"type": "subscribe", "topic": "user:me"}, {"type": "subscribe", "topic": "session:" + str(uuid.uuid4())},
                      {"type": "stop", "topic": "sessions", "generation_id": str(uuid.uuid4())},
                      {"type": "send", "topic": "sessions", "content": "x"}, {"type": "join", "topic": "sessions"}):
            sock.send_text(json.dumps(frame))
            assert sock.expect("error")["code"] == "unauthorized", frame
        with daemon.ws() as other:  # started later and has no pending work
            assert other.wait_closed() == 4408
        sock.send("ping")
        sock.expect("pong")
        sock.send("auth", token=boss.access)
        sock.expect("authed")
        assert "secret-dev" in json.dumps(sock.expect("sessions"))
    with daemon.ws() as sock:
        subscribe(sock, "sessions")
        sock.send("unsubscribe", topic="sessions")
        assert sock.wait_closed(10) == 4408, "nothing is open to it any more"
    with daemon.ws() as sock:
        subscribe(sock, "sessions")
        sock.expect("sessions")
        daemon.configure(anonymous="")
        daemon.reload()
        assert sock.expect("unsubscribed", timeout=14) == {"type": "unsubscribed", "topic": "sessions", "code": "unauthorized"}
        assert sock.wait_closed(10) == 4408


# ---- calls ----

def test_a_call_across_workers_and_dialects(daemon, ann):
    bob, cyd = daemon.register(), daemon.register()
    room = ann.room()["id"]
    for user in (bob, cyd):
        assert user.post(f"/api/rooms/{room}/join").status_code == 200
    topic = f"call:{room}"
    a, head = on_worker(daemon, 0, ann, topic)
    assert len(head["peer"]) == 16 and head["seq"] == 0
    b, other = on_worker(daemon, 1, bob, topic)
    old = cyd.ws(f"/ws/signaling/{room}", native=False)
    a.send("join", topic=topic)
    a.ping_pong()
    b.send("join", topic=topic, id="j", media={"video": True})
    joined = a.expect("join")
    assert joined == {"topic": topic, "type": "join", "media": {"video": True}, "from": other["peer"], "user_id": bob.id,
                      "username": bob.name}
    a.send("offer", topic=topic, to=other["peer"], sdp="v=0")
    offer = b.expect("offer")
    assert offer["topic"] == topic and offer["from"] == head["peer"] and offer["sdp"] == "v=0" and offer["to"] == other["peer"]
    b.send("answer", topic=topic, to=offer["from"], sdp="v=0 too")
    assert a.expect("answer")["sdp"] == "v=0 too"
    for n in range(10):
        a.send("candidate", topic=topic, to=other["peer"], candidate=n)
    assert [b.expect("candidate")["candidate"] for _ in range(10)] == list(range(10))
    old.send("join", topic="call:1", id="spoof", **{"from": "me"})
    third = a.expect("join")
    assert "id" not in third, "id is the mark of direct answers"
    assert third["topic"] == topic and third["user_id"] == cyd.id and b.expect("join")["from"] == third["from"]
    a.send("offer", topic=topic, to=third["from"], sdp="x")
    assert old.expect("offer") == {"type": "offer", "to": third["from"], "sdp": "x", "from": head["peer"], "user_id": ann.id,
                                   "username": ann.name}, "compatible sockets have no topics"
    b.send("leave", topic=topic)
    assert a.expect("leave")["from"] == other["peer"]
    a.drop()
    assert old.expect("leave", **{"from": head["peer"]})
    old.close()
    b.close()


def test_calls_are_for_members(daemon, ann):
    bob = daemon.register()
    public, private = ann.room()["id"], ann.room(visibility="private")["id"]
    with bob.ws() as sock:
        for room, code in ((public, "forbidden"), (private, "not_found"), (99999999, "not_found"), ("x", "not_found")):
            sock.send("subscribe", topic=f"call:{room}", id="c")
            error = sock.expect("error")
            assert error["code"] == code and error["id"] == "c"
        bob.post(f"/api/rooms/{public}/join")
        subscribe(sock, f"call:{public}")
        sock.send("offer", topic=f"call:{public}", to="0" * 16)
        assert "join must be the first frame" in sock.expect("error")["detail"]
        sock.send("offer", topic=f"call:{public}", id="o")
        error = sock.expect("error")
        assert error["id"] == "o" and "to is required" in error["detail"]
        for topic in (f"call:{private}", f"room:{public}", "call:x", None):
            sock.send("join", topic=topic)
            assert sock.expect("error")["detail"].startswith("topic must be a call,")
        with ann.ws() as other:
            subscribe(other, f"call:{public}")
            other.send("join", topic=f"call:{public}")
            other.ping_pong()
            sock.send("join", topic=f"call:{public}")
            other.expect("join")
            assert ann.delete(f"/api/rooms/{public}/members/{bob.id}").status_code in (200, 204)
            assert sock.expect("unsubscribed") == {"type": "unsubscribed", "topic": f"call:{public}", "code": "not_found"}
            assert other.expect("leave")
            other.send("unsubscribe", topic=f"call:{public}")
            other.expect("unsubscribed")
            other.send("leave", topic=f"call:{public}")
            assert other.expect("error")["code"] == "validation_error"


# ---- none of these ----

@pytest.mark.parametrize("topic", ["nothing:1", "", "metric", "sessions:1", "user:7", None, 7, "room", "Call:1"])
def test_unknown_topics_name_the_kinds(ann, topic):
    with ann.ws() as sock:
        for verb in ("subscribe", "unsubscribe"):
            sock.send(verb, topic=topic, id="t")
            error = sock.expect("error")
            assert error["code"] == "validation_error" and error["id"] == "t"
            for kind in ("room:", "user:me", "session:", "call:", "metrics", "sessions"):
                assert kind in error["detail"]
        sock.send("send", topic="metrics", content="x")
        assert "room" in sock.expect("error")["detail"]
