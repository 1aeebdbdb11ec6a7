# SPDX-License-Identifier: ISC
"""The socket of questions, /ws/chat/{username or me}, receives its own frames only."""

import re

import pytest

import wire
from parlour import SLOW, wait_for
from usagedata import analyst

STAGES = ["understanding", "querying", "answering"]
TIME = r"20\d\d-\d\d-\d\dT[\d:]{8}\.\d{6}Z"


@pytest.fixture(scope="module")
def ann(shared):
    return shared.register("Ann.Q-1")


@pytest.fixture(scope="module")
def bob(shared):
    return shared.register()


@pytest.fixture(scope="module")
def said(ann):
    room = ann.room(name="Tea room")["id"]
    for i in range(3):
        assert ann.say(room, f"hello {i}").status_code == 201
    return room


def questions(user, name="me", **how):
    sock = user.ws(f"/ws/chat/{name}", native=False, **how)
    assert sock.expect("system")["message"].startswith(f"You are {user.name}.")
    return sock


def ask(sock, text, **fields):
    """Returns the frames of one answer."""
    sock.send("query", query=text, **fields)
    frames = [sock.recv()]
    while frames[-1]["type"] == "progress":
        frames.append(sock.recv())
    return frames


def test_an_answer_in_full(ann, said):
    with questions(ann) as sock:
        frames = ask(sock, "messages per user today", id="q-1")
        assert frames[:-1] == [{"type": "progress", "stage": stage, "request_id": "q-1"} for stage in STAGES]
        got = frames[-1]
        assert list(got)[:2] == ["type", "request_id"] and got["type"] == "query_response" and got["request_id"] == "q-1"
        assert got["rows"] == [[ann.name, 3]] and not sock.inbox
        rest = ann.post("/api/query", {"query": "messages per user today"}).json()
        assert set(got) - {"type", "request_id"} == set(rest), "the fields of the route"
        for key in ("query", "columns", "rows", "truncated", "summary", "card"):
            assert got[key] == rest[key]
        for key in ("metric", "dimensions", "filters", "sort"):
            assert got["intent"][key] == rest["intent"][key]
        assert got["id"] == ann.get("/api/query/history").json()[1]["id"], "it is in the history"


def test_without_an_id_there_is_none(ann):
    with questions(ann, ann.name) as sock:
        frames = ask(sock, "messages")
        assert [f["type"] for f in frames] == ["progress"] * 3 + ["query_response"]
        assert not [f for f in frames if "request_id" in f]
        frames = ask(sock, "messages", id=None)
        assert frames[-1]["type"] == "query_response" and "request_id" not in frames[-1]


def test_ping(ann):
    with questions(ann) as sock:
        sock.send("ping")
        pong = sock.recv()
        assert set(pong) == {"type", "timestamp"} and pong["type"] == "pong" and re.fullmatch(TIME, pong["timestamp"])


def test_answers_come_in_order(ann, said):
    """Many concurrent questions each have their own stages, which do not mix."""
    with questions(ann) as sock:
        for i in range(20):
            sock.send("query", query="messages per day" if i % 3 else "nonsense", id=str(i))
        for i in range(20):
            frames = [sock.recv()]
            while frames[-1]["type"] == "progress":
                frames.append(sock.recv())
            assert {f["request_id"] for f in frames} == {str(i)}
            if i % 3:
                assert [f["stage"] for f in frames[:-1]] == STAGES and frames[-1]["type"] == "query_response"
            else:
                assert [f["stage"] for f in frames[:-1]] == STAGES[:1] and frames[-1]["code"] == "validation_error"


def test_no_more_than_32_wait(ann):
    with questions(ann) as sock:
        for i in range(60):
            sock.send("query", query="messages", id=str(i))
        ends = [sock.expect("query_response", "error") for _ in range(60)]
        assert sorted(int(f["request_id"]) for f in ends) == list(range(60)), "each is told"
        assert {f["code"] for f in ends if f["type"] == "error"} <= {"busy"}
        assert sum(f["type"] == "query_response" for f in ends) >= 33


@pytest.mark.parametrize("text,code", [
    ("", "bad_frame"), ("x", "bad_frame"), ("5", "bad_frame"), ("[]", "bad_frame"), ("{}", "bad_frame"),
    ('{"type":5}', "bad_frame"), ('{"type":"nothing"}', "unknown_type"), ('{"type":"message","content":"x"}', "unknown_type"),
    ('{"message":"x"}', "bad_frame"), ('{"type":"query"}', "validation_error"), ('{"type":"query","query":5}', "validation_error"),
    ('{"type":"query","query":null}', "validation_error"), ('{"type":"query","query":""}', "validation_error"),
    ('{"type":"query","query":"' + "x" * 501 + '"}', "validation_error"), ('{"type":"query","query":"hello"}', "validation_error"),
    ('{"type":"query","query":"messages","id":5}', "validation_error"),
    ('{"type":"query","query":"messages","id":"' + "i" * 65 + '"}', "validation_error")])
def test_failures_are_frames(ann, text, code):
    with questions(ann) as sock:
        sock.send_text(text)
        error = sock.expect("error")
        assert isinstance(error["message"], str) and error["message"]
        assert error["code"] == code, error
        assert ask(sock, "messages")[-1]["type"] == "query_response", "the socket stays open"


def test_what_is_not_understood_says_what_is(ann):
    with questions(ann) as sock:
        error = ask(sock, "messages next year", id="x")[-1]
        assert error["type"] == "error" and error["request_id"] == "x" and error["code"] == "validation_error"
        assert error["message"].startswith('query: Understood: messages. Not understood: "next", "year". Ask for messages')


def test_names(shared, ann, bob):
    for name in ("me", ann.name, ann.name.upper(), ann.name.lower()):
        questions(ann, name).drop()
    for name in (bob.name, "nobody.at.all", "Me", "x" * 33, "x" * 300, "-5", "1e3", "7.5", "user%20name"):
        with ann.ws(f"/ws/chat/{name}", native=False) as sock:
            assert sock.wait_closed() == 4403 and not sock.inbox, name
        with shared.ws(f"/ws/chat/{name}", protocols=()) as sock:
            sock.send("auth", token=ann.access)
            assert sock.wait_closed() == 4403 and not sock.inbox, name
    with ann.ws(f"/ws/chat/{bob.name}", native=False) as sock:
        try:
            sock.send("query", query="messages")
        except OSError:
            pass
        assert sock.wait_closed() == 4403 and not sock.inbox, "nothing is answered on the way out"


def test_digits_are_rooms(ann, said):
    with ann.ws(f"/ws/chat/{said}", native=False) as sock:
        sock.send_text('{"message":"a room"}')
        assert sock.expect("message")["content"] == "a room"
    for number in ("0", "99999999", "99999999999999999999"):
        try:
            assert ann.ws(f"/ws/chat/{number}", native=False).wait_closed() == 4404
        except wire.Refused as why:
            assert why.status == 404


def test_first_frame_authentication(parlour):
    daemon = parlour(ws_auth_timeout=f"{round(1000 * SLOW)}ms")
    ann = daemon.register()
    with daemon.ws("/ws/chat/me", protocols=()) as sock:
        sock.send("query", query="messages")
        assert sock.recv()["code"] == "unauthorized", "before auth"
        sock.send("auth", token=ann.access)
        assert sock.recv()["type"] == "system", "a good token is answered with nothing, but now the socket is open"
        assert ask(sock, "messages")[-1]["type"] == "query_response"
        sock.send("auth", token=ann.access)
        sock.send("ping")
        assert sock.recv()["type"] == "pong", "once more: nothing"
    with daemon.ws("/ws/chat/me", protocols=()) as sock:
        sock.send("auth", token=ann.access + "x")
        assert sock.wait_closed() == 4401
    with daemon.ws("/ws/chat/me", protocols=()) as sock:
        assert sock.wait_closed() == 4408 and not sock.inbox


def test_handshakes(shared, ann):
    with shared.ws("/ws/chat/me", protocols=(), token=ann.access, via="subprotocol") as sock:
        assert sock.subprotocol == "bearer." + ann.access and sock.expect("system")
    ticket = ann.post("/api/auth/ws-ticket").json()["ticket"]
    with shared.ws(f"/ws/chat/me?ticket={ticket}", protocols=()) as sock:
        assert sock.expect("system")
    for how, status in (({"token": ann.access + "x"}, 401), ({"token": ann.access, "headers": {"Origin": "http://evil.example"}}, 403)):
        with pytest.raises(wire.Refused) as why:
            shared.ws("/ws/chat/me", protocols=(), **how)
        assert why.value.status == status


def test_too_many_handshakes(parlour):
    user = parlour(rate_read="1/min burst 3").register()
    for _ in range(3):
        questions(user).drop()
    with pytest.raises(wire.Refused) as why:
        user.ws("/ws/chat/me", native=False)
    assert why.value.status == 429 and int(why.value.headers["retry-after"]) >= 1


def test_logged_out(shared):
    user = shared.register()
    with questions(user) as sock:
        assert user.post("/api/auth/logout").status_code == 204
        assert sock.wait_closed() == 4410


def test_native_by_subprotocol(ann, bob):
    """With the subprotocol parlour.v1, it is a native socket; the name in the path subscribes nothing and has no
    effect."""
    for name in ("me", ann.name, bob.name):
        with ann.ws(f"/ws/chat/{name}") as sock:
            assert sock.subprotocol == "parlour.v1"
            sock.send("query", query="messages", id="n")
            assert sock.expect("error", id="n")["code"] == "unknown_type"
            sock.ping_pong()
            assert not sock.inbox


def test_the_limit_is_that_of_the_route(parlour):
    """The limit of 30/min per user applies to socket and route together."""
    daemon = parlour(rate_ask="30/h", workers="2")
    user = daemon.register()
    with questions(user) as one, questions(user) as two:
        for _ in range(10):
            assert ask(one, "messages")[-1]["type"] == "query_response"
            assert user.post("/api/query", {"query": "messages"}).status_code == 200
            assert ask(two, "nonsense")[-1]["code"] == "validation_error", "what is not understood counts too"
        refused = ask(one, "messages", id="late")
        assert len(refused) == 1, "no stage was entered"
        assert refused[0]["type"] == "error" and refused[0]["code"] == "rate_limited" and refused[0]["request_id"] == "late"
        assert refused[0]["message"] == "Rate limit exceeded: 30 per 1 hour" and refused[0]["retry_after"] >= 1
        assert user.post("/api/query", {"query": "messages"}).status_code == 429
        one.send("ping")
        assert one.expect("pong"), "the socket is open"
    with questions(daemon.register()) as other:
        assert ask(other, "messages")[-1]["type"] == "query_response", "another user's are counted apart"


def test_whose_rows(shared, ann, rows, said):
    """Users see their own rows, analysts all, as over the route."""
    boss = analyst(shared, rows)
    with questions(boss) as sock:
        assert [ann.name] in [row[:1] for row in ask(sock, "messages per user today")[-1]["rows"]]
    with questions(shared.register()) as sock:
        assert ask(sock, "messages per user today")[-1]["rows"] == []


def test_closed_while_it_is_answered(shared, ann):
    """The client has disconnected when the answer is ready; the worker continues."""
    for _ in range(10):
        with questions(ann) as sock:
            for _ in range(10):
                sock.send("query", query="messages per day")
    assert ann.get("/api/query/history").status_code == 200
    assert len(shared.workers()) == 2


def test_the_database_is_away(parlour, rows):
    daemon = parlour()
    user = daemon.register()
    with questions(user) as sock:
        assert ask(sock, "messages")[-1]["type"] == "query_response"
        rows("ALTER TABLE query_history RENAME TO query_history_gone")
        try:
            daemon.expect_error(r"query_note|QUERY_NOTE|query_history")
            assert ask(sock, "messages", id="e")[-1]["code"] == "database_error"
            assert ask(sock, "nonsense")[-1]["code"] == "validation_error", "not understood stays so, noted or not"
        finally:
            rows("ALTER TABLE query_history_gone RENAME TO query_history")
        assert wait_for(lambda: ask(sock, "messages")[-1]["type"] == "query_response", 10)


@pytest.mark.parametrize("question, understood", [("messages per user today", True), ("colourless green ideas", False)])
def test_a_question_in_message_gets_one_frame(ann, said, question, understood):
    with questions(ann) as sock:
        sock.send("query", message=question, id="q-1")
        got = sock.recv()
        assert got["type"] == "response" and got["request_id"] == "q-1" and ("error" in got["data"]) is not understood
        sock.send("ping")
        assert sock.recv()["type"] == "pong"
