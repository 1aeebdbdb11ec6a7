# SPDX-License-Identifier: ISC
"""Agent chat on /ws/{session_id}: after start_session, each frame has the whole session."""

import json
import secrets

import psycopg
import pytest

import cluster
from conftest import finish, maker
from parlour import wait_for
from wire import TEXT

FIELDS = {"id", "userId", "status", "createdAt", "updatedAt", "preferredChannel", "messages", "feedbackRequests", "metadata"}
MESSAGE = {"id", "sessionId", "content", "type", "timestamp", "status", "channel"}


@pytest.fixture(scope="module", name="guests")
def fixture_guests(request, workdir):
    make, made = maker(request, workdir)
    yield make(guest="on", sessions_per_user="1000")
    finish(made, request.session.testsfailed > 0)


@pytest.fixture(scope="module", name="ann")
def fixture_ann(guests):
    return guests.register()


@pytest.fixture(scope="module", name="bob")
def fixture_bob(guests):
    return guests.register()


def unknown():
    return "tab-" + secrets.token_hex(8)


def socket_of(user, session):
    return user.ws(f"/ws/{session}", native=False)


def started(sock, **payload):
    """The greeting is the first frame, whatever the client sends."""
    sock.send("start_session", payload=payload)
    assert sock.recv()["type"] == "message"
    first = sock.recv()
    assert first["type"] == "session_started" and set(first["payload"]) == FIELDS
    return first["payload"]


def ask(sock, text):
    sock.send("send_message", payload={"content": text})
    frames = [sock.recv(timeout=20) for _ in range(3)]
    assert [f["type"] for f in frames] == ["agent_status", "session_update", "agent_status"], frames
    assert [frames[i]["payload"]["status"] for i in (0, 2)] == ["thinking", "idle"]
    assert set(frames[1]["payload"]) == FIELDS
    return frames[1]["payload"]


def test_a_whole_session(ann):
    with socket_of(ann, unknown()) as sock:
        first = started(sock, preferredChannel="slack", metadata={"page": "/pricing", "deep": [1, {"a": None}]})
        assert (first["userId"], first["status"], first["messages"], first["feedbackRequests"]) == (str(ann.id), "active", [], [])
        assert first["preferredChannel"] == "slack" and first["metadata"] == {"page": "/pricing", "deep": [1, {"a": None}]}
        for turn in (1, 2):
            session = ask(sock, f"hällo {turn}")
            assert session["id"] == first["id"] and session["createdAt"] == first["createdAt"] <= session["updatedAt"]
            assert session["metadata"] == first["metadata"]
            assert [m["type"] for m in session["messages"]] == ["user", "agent"] * turn
            for message in session["messages"]:
                assert set(message) == MESSAGE and message["sessionId"] == first["id"] and message["content"]
                assert (message["status"], message["channel"]) == ("sent", "web")
            assert session["messages"][-2]["content"] == f"hällo {turn}"
            assert len({m["id"] for m in session["messages"]}) == 2 * turn
        sock.send("ping")
        assert sock.recv()["type"] == "pong"
    with socket_of(ann, first["id"]) as sock:   # the page is reloaded
        again = started(sock)
        assert again["messages"] == session["messages"] and again["metadata"] == {} and again["preferredChannel"] == "web"


def test_the_greeting_comes_first(ann, guests):
    """The greeting is the first frame, also if the client sent start_session earlier, or has not sent auth yet; frames
    that follow at once are answered after it."""
    for auth in (False, True):
        session = ann.post("/api/sessions").json()["id"]    # a session of a user: a guest must present the token first
        with guests.ws(f"/ws/{session}", protocols=(), **({} if auth else {"token": ann.access})) as sock:
            if auth:
                sock.send("auth", token=ann.access)
            sock.send("start_session", payload={})
            sock.send("send_message", payload={"content": "at once"})
            kinds = [sock.recv(timeout=20)["type"] for _ in range(5)]
            assert kinds == ["message", "session_started", "agent_status", "session_update", "agent_status"], kinds


def test_without_start_session_nothing_changes(ann):
    """Without start_session, the socket sends the frames of the chatbot; if a client sends it later, the socket changes
    to session frames."""
    with socket_of(ann, unknown()) as sock:
        assert set(sock.recv()) == {"type", "message", "data_collected", "is_complete", "session_id"}
        sock.send(message="hello")
        assert sock.recv(timeout=20)["type"] == "message"
        sock.send("start_session")
        assert [m["content"] for m in sock.expect("session_started")["payload"]["messages"]][0] == "hello"
        assert len(ask(sock, "and now?")["messages"]) == 4
        wrong = {"type": "start_session", "payload": {"preferredChannel": "x" * 40, "metadata": [1]}}
        sock.send_frame(TEXT, json.dumps(wrong).encode())    # not as described, but accepted
        again = sock.expect("session_started")["payload"]
        assert (again["preferredChannel"], again["metadata"]) == ("web", {})


def test_guests(guests):
    with guests.ws(f"/ws/{unknown()}", protocols=()) as sock:
        first = started(sock)
        assert first["userId"] is None
        assert [m["type"] for m in ask(sock, "yes")["messages"]] == ["user", "agent"]
    with guests.ws(f"/ws/{first['id']}", protocols=()) as sock:
        assert len(started(sock)["messages"]) == 2


BAD = [({}, "payload"), ({"payload": None}, "payload"), ({"payload": "text"}, "payload.content"), ({"payload": {}}, "payload.content"),
       ({"payload": {"content": ""}}, "payload.content"), ({"payload": {"content": "  "}}, "payload.content"),
       ({"payload": {"content": 5}}, "payload.content"), ({"payload": {"content": "x" * 20000}}, "payload.content")]


@pytest.mark.parametrize("fields, word", BAD, ids=range(len(BAD)))
def test_what_is_refused(ann, fields, word):
    with socket_of(ann, unknown()) as sock:
        started(sock)
        sock.send("send_message", **fields)
        error = sock.expect("error")
        assert word in error["message"] and error["code"] in ("validation_error", "too_large"), error
        sock.send("start_session", payload=5)
        assert sock.expect("session_started")["payload"]["messages"] == []


def test_without_a_token(shared):
    """With guest = off, the server sends nothing before auth."""
    with shared.ws(f"/ws/{unknown()}", protocols=()) as sock:
        for kind in ("start_session", "send_message", "ping"):
            sock.send(kind, payload={"content": "x"})
            assert sock.recv()["code"] == "unauthorized"


def test_feedback_requests(ann, bob, guests):
    """The asker and the asked user receive feedback requests whose run_id is the session in feedbackRequests, live;
    others do not."""
    with socket_of(ann, unknown()) as sock:
        session = started(sock)["id"]
        for asker, run in ((bob, "another"), (ann, session), (bob, session)):
            asked = ann.name if asker is bob else bob.name
            made = asker.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": asked}, "run_id": run,
                                                         "question": f"May {asker.name} ship?", "options": ["yes", "no"]})
            assert made.status_code == 201, made.text

        first = next(f["payload"]["feedbackRequests"] for f in iter(sock.recv, None) if f["type"] == "session_update")
        assert [r["question"] for r in first][:1] == [f"May {ann.name} ship?"], "nothing is read for a request of another run"

        def update(count, status):
            return next((s for f in iter(lambda: sock.expect("session_update"), None) if (s := f["payload"]["feedbackRequests"])
                         and len(s) == count and s[-1]["status"] == status))
        found = update(2, "pending")
        assert [(r["question"], r["sessionId"], r["options"], r["channel"]) for r in found] == [
            (f"May {who.name} ship?", session, ["yes", "no"], "web") for who in (ann, bob)]
        assert found[0]["createdAt"] < found[0]["expiresAt"] and "response" not in found[0]
        answered = ann.post(f"/api/feedback-requests/{found[-1]['id']}/respond", {"answer": "no"})
        assert answered.status_code == 200, answered.text
        settled = update(2, "answered")[-1]
        assert (settled["id"], settled["response"]) == (found[-1]["id"], "no") and settled["respondedAt"]
        assert len(ask(sock, "hello")["feedbackRequests"]) == 2
    stranger = guests.register()
    with socket_of(stranger, unknown()) as sock:
        assert started(sock)["feedbackRequests"] == []


def test_feedback_requests_that_do_not_fit(ann, bob):
    """With the largest contexts, a frame contains the newest requests of at most 256 KiB, so that it fits into
    ws_queue."""
    session = ann.post("/api/sessions").json()["id"]
    made = [bob.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": ann.name}, "run_id": session,
                                                "question": f"No. {number}?", "context": "x" * 16000}) for number in range(20)]
    assert {answer.status_code for answer in made} == {201}, made[-1].text
    with socket_of(ann, session) as sock:
        found = [request["id"] for request in started(sock)["feedbackRequests"]]
        assert found == [answer.json()["id"] for answer in made][-16:]
        assert len(ask(sock, "hello")["feedbackRequests"]) == 16


def test_frames_leave_room_in_ws_queue(parlour):
    """With a small ws_queue, messages and requests in a frame each use at most a quarter of it, newest first, and at
    least one message is included."""
    daemon = parlour(ws_queue="64K", workers=1)
    ann, bob = daemon.register(), daemon.register()
    session = ann.post("/api/sessions").json()["id"]
    for number in range(8):
        made = bob.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": ann.name}, "run_id": session,
                                                   "question": f"No. {number}?", "context": "x" * 4000})
        assert made.status_code == 201, made.text
    with socket_of(ann, session) as sock:
        assert [r["question"] for r in started(sock)["feedbackRequests"]] == [f"No. {n}?" for n in range(4, 8)]
        for number in range(6):
            whole = ask(sock, f"{number}" + "y" * 4000)
        told = [m["content"] for m in whole["messages"]]
        assert 3 <= len([t for t in told if t.startswith(tuple("012345"))]) < 6 and sum(map(len, told)) <= 16384
    daemon.configure(ws_queue="8K")
    daemon.reload()
    with socket_of(ann, session) as sock:
        started(sock)
        told = ask(sock, "6" + "y" * 4000)["messages"]
        assert len(told) == 1 and told[0]["type"] == "agent"


def test_an_update_that_cannot_be_read_comes_later(parlour, pg, database):
    """If the database fails while no request waits, the client sees no error, and the update follows when it can be
    read."""
    daemon = parlour(workers=1)
    ann, bob = daemon.register(), daemon.register()
    session = ann.post("/api/sessions").json()["id"]
    with socket_of(ann, session) as sock:
        started(sock)
        with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
            conn.execute("LOCK TABLE session_messages IN ACCESS EXCLUSIVE MODE")
            made = bob.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": ann.name}, "run_id": session,
                                                       "question": "May it ship?"})
            assert made.status_code == 201, made.text
            reads = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            wait_for(lambda: pg.admin(reads, database) != [(0,)], 10, "the update is being read")
            wait_for(lambda: pg.admin(reads, database) == [(0,)], 20, "this failed")
        frame = sock.recv(timeout=20)
        assert frame["type"] == "session_update", frame
        assert [r["question"] for r in frame["payload"]["feedbackRequests"]] == ["May it ship?"]


def test_an_answer_that_fails(parlour):
    """If an answer fails, the client receives only an error, so that its spinner does not start."""
    daemon = parlour(rate_ask_session="1/h", workers=1)
    user = daemon.register()
    with socket_of(user, unknown()) as sock:
        started(sock)
        ask(sock, "one")
        sock.send("send_message", payload={"content": "two"})
        assert sock.expect("error")["code"] == "rate_limited"
        sock.send("ping")
        sock.expect("pong")
        assert [f for f in sock.inbox if f["type"] == "agent_status"] == [], "nobody began to think"
