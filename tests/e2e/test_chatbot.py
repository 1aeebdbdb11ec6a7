# SPDX-License-Identifier: ISC
"""The chatbot: the clients printed in document 003, guided forms, streams, and answers whose worker dies."""

import asyncio
import json
import subprocess
import time
import uuid
from urllib.parse import quote

import httpx
import pytest
import websockets

from asking import HALF, SETTINGS, STALL, WHOLE, Provider
from parlour import PLAIN, SLOW, wait_for

SLOTS = {"name": False, "email": False, "income": False}


@pytest.fixture
def guests(parlour):
    return parlour(guest="on", guest_sessions_per_address="1000")


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def modelled(parlour, provider):
    """modelled(**settings): a daemon whose default upstream is the provider, and a user."""
    def make(**settings):
        provider.reset()
        daemon = parlour(upstreams={"peer": provider.section()}, guest="on", guest_sessions_per_address="1000",
                         **{**SETTINGS, **settings})
        return daemon, daemon.register()
    return make


def chat(api, message, session=None, **how):
    answer = api.post("/api/chat", {"message": message, **({"session_id": session} if session else {})}, **how)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["response"] == body["message"]
    return body


def collected(rows, session):
    return dict(rows(f"SELECT slot, value FROM v_session_data WHERE session = '{session[:8]}'"))


def said(rows, session):
    return [tuple(r) for r in rows("SELECT author, content, state FROM session_messages "
                                   f"WHERE session_id = '{session}' ORDER BY seq")]


# ---- document 003, as printed ----

def test_printed_python_client(guests):
    """Runs the example under "WebSocket Testing" with our port instead of 8000."""
    received = []
    text = '''
async def test_websocket():
    async with websockets.connect('ws://localhost:8000/ws/test-session-id') as websocket:
        # Receive greeting
        greeting = await websocket.recv()
        print(f"Received: {greeting}")

        # Send message
        await websocket.send(json.dumps({"message": "Hello!"}))

        # Receive response
        response = await websocket.recv()
        print(f"Received: {response}")

asyncio_run(test_websocket())
'''.replace("localhost:8000", f"{guests.host}:{guests.port}")
    exec(text, {"websockets": websockets, "json": json, "asyncio_run": asyncio.run,  # pylint: disable=exec-used
                "print": received.append})
    greeting, response = (json.loads(line.removeprefix("Received: ")) for line in received)
    assert set(greeting) == {"type", "message", "data_collected", "is_complete", "session_id"}
    assert set(response) == {"type", "message", "data_collected", "is_complete"}
    for frame in (greeting, response):
        assert frame["type"] == "message" and frame["message"]
        assert frame["data_collected"] == SLOTS and frame["is_complete"] is False


def curl(daemon, line):
    done = subprocess.run(line.replace("http://localhost:8000", daemon.url).replace("\\\n", " "), shell=True,
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_printed_curl_lines(guests):
    assert curl(guests, "curl http://localhost:8000/health")["status"] == "healthy"
    made = curl(guests, "curl -X POST http://localhost:8000/api/sessions")
    assert made["data_collected"] == SLOTS
    line = '''curl -X POST http://localhost:8000/api/chat \\
  -H "Content-Type: application/json" \\
  -d '{"message": "Hello!", "session_id": "your-session-id"}' '''
    assert curl(guests, line)["code"] == "not_found", "the placeholder is nobody's session"
    answer = curl(guests, line.replace("your-session-id", made["id"]))
    assert answer["session_id"] == made["id"] and answer["response"] and answer["data_collected"] == SLOTS
    assert curl(guests, f"curl http://localhost:8000/api/sessions/{made['id']}")["messages"] == 2
    assert curl(guests, "curl http://localhost:8000/api/greeting")["message"]


def test_greetings_differ(guests):
    assert len({guests.get("/api/greeting").json()["message"] for _ in range(60)}) == 3


# ---- the form, offline ----

def test_form_from_first_word_to_lead(guests, rows):
    one = chat(guests, "Hello!")
    ident = one["session_id"]
    assert one["message"].startswith("Hello") and one["message"].endswith("\n\nWhat is your name?"), one["message"]
    assert one["data_collected"] == SLOTS
    aside = chat(guests, "I am looking for momentum trading ideas", ident)["message"]
    assert "What is your name?" not in aside and "recognize" not in aside, "no try at a name, and it was asked just before"
    assert chat(guests, "yes", ident)["message"].startswith("I did not recognize a name")
    assert chat(guests, "what is 12 * 7?", ident)["message"] == "12 * 7 = 84", "a question in between"
    assert chat(guests, "what is 2 * 2?", ident)["message"] == "2 * 2 = 4"
    assert chat(guests, "what is 3 * 3?", ident)["message"] == "3 * 3 = 9\n\nWhat is your name?", "then the form returns"
    three = chat(guests, "I'm ann lee, write to Ann.Lee@Example.ORG", ident)
    assert three["data_collected"] == {"name": True, "email": True, "income": False} and not three["is_complete"]
    assert "What is your yearly income?" in three["message"]
    four = chat(guests, "rather a lot", ident)
    assert four["message"].startswith("I need a number") and not four["data_collected"]["income"]
    five = chat(guests, "Oh no, my email is ann@lee.org", ident)
    assert five["message"].startswith("Corrected: e-mail address ann@lee.org.")
    six = chat(guests, "about 123,456 a year", ident)
    assert six["is_complete"] and all(six["data_collected"].values())
    assert collected(rows, ident) == {"name": "Ann Lee", "email": "ann@lee.org", "income": "sealed"}
    info = guests.get(f"/api/sessions/{ident}").json()
    assert info["is_complete"] and info["data_collected"] == six["data_collected"] and info["state"] == "open"
    assert rows(f"SELECT tries FROM session_slots WHERE session_id = '{ident}' AND name = 'name'") == [(1,)]
    seven = chat(guests, "what did I say?", ident)
    assert "123" not in seven["message"] and "[income]" in seven["message"], "the history has no sealed value"
    eight = chat(guests, "Please change my name to Bob Miller", ident)
    assert eight["message"] == "Corrected: name Bob Miller." and eight["is_complete"]
    assert collected(rows, ident)["name"] == "Bob Miller"


def test_all_at_once(guests, rows):
    answer = chat(guests, "My name is Jane Doe, my email is jane42@doe.io and I make $1.5 million")
    assert answer["is_complete"] and "That is all I need" in answer["message"]
    assert collected(rows, answer["session_id"]) == {"name": "Jane Doe", "email": "jane42@doe.io", "income": "sealed"}


def test_sealed_is_nowhere(parlour, rows):
    daemon = parlour(guest="on", guest_sessions_per_address="1000", log_level="debug", access_log="-")
    answer = chat(daemon, "My name is Jane Doe, jane42@doe.io, and I earn 987654 dollars")
    ident = answer["session_id"]
    for table in ("sessions", "session_messages", "session_slots"):
        assert rows(f"SELECT 1 FROM {table} t WHERE t::text LIKE '%987654%'") == []
    assert "987654" not in daemon.log_text() and "987654" not in answer["message"]
    (sealed,) = rows(f"SELECT value, raw, octet_length(sealed) FROM session_slots WHERE session_id = '{ident}' "
                     "AND name = 'income'")
    assert sealed == (None, None, 6 + 37)
    assert said(rows, ident)[0][1] == "My name is Jane Doe, jane42@doe.io, and I earn [income] dollars"


def test_sealed_is_masked_when_it_is_said_again(parlour, rows):
    daemon = parlour(guest="on", guest_sessions_per_address="1000", log_level="debug", access_log="-")
    for value in ("987654321", "987 654 321", "987,654,321"):
        ident = chat(daemon, f"My name is Jane Doe, jane42@doe.io, my income is {value}")["session_id"]
        for again in (f"so {value} is what I said", "again 987654321 and 987 654 321 in 2020", "987654.321k and 987.654321 million"):
            chat(daemon, again, ident)
        assert [content for author, content, _ in said(rows, ident) if author == "user"][1:] == [
            "so [income] is what I said", "again [income] and [income] in 2020", "[income] and [income]"], value
        assert rows(f"SELECT 1 FROM session_slots t WHERE session_id = '{ident}' AND t::text LIKE '%654321%'") == []
    ident = chat(daemon, "My name is Jane Doe, jane42@doe.io, my income is 987.65 million")["session_id"]
    chat(daemon, "is 987650000 much?", ident)
    assert [content for author, content, _ in said(rows, ident) if author == "user"] == [
        "My name is Jane Doe, jane42@doe.io, my income is [income]", "is [income] much?"]
    assert rows("SELECT 1 FROM session_messages m WHERE m.content ~ '987.?65'") == []
    assert "987654321" not in daemon.log_text() and "987650000" not in daemon.log_text()


# ---- the socket ----

def test_socket_form_and_rest_share_a_session(guests):
    ident = guests.post("/api/sessions").json()["id"]
    with guests.ws(f"/ws/{ident}", protocols=()) as sock:
        greeting = sock.expect("message")
        assert greeting["session_id"] == ident and greeting["message"].endswith("What is your name?")
        for text in ("Zoë", "zoe@example.org", "90k"):
            sock.send(message=text)
        frames = [sock.recv() for _ in range(3)]
        assert [list(f["data_collected"].values()) for f in frames] == [
            [True, False, False], [True, True, False], [True, True, True]]
        assert [f["is_complete"] for f in frames] == [False, False, True] and "Zoë" in frames[0]["message"]
    assert guests.get(f"/api/sessions/{ident}").json()["is_complete"]
    with guests.ws(f"/ws/{ident}", protocols=()) as sock:
        assert sock.expect("message")["is_complete"], "whoever comes back finds it as it was"


def test_socket_ids(guests, rows):
    user, other = guests.register(), guests.register()
    mine = user.post("/api/sessions").json()["id"]
    with user.ws(f"/ws/{mine}", native=False) as sock:
        assert sock.expect("message")["session_id"] == mine
    with other.ws(f"/ws/{mine}", native=False) as sock:
        assert sock.expect("message")["session_id"] != mine, "a foreign id gets a new session"
    for key in ("x", "k" * 64, "ü" * 64, "\U0001f98a" * 64, str(uuid.uuid4())):
        with guests.ws(f"/ws/{quote(key)}", protocols=()) as sock:
            assert sock.expect("message")["session_id"] != key
    with guests.ws(f"/ws/{mine}", protocols=()) as sock:
        sock.send(type_="auth", token=user.access)
        assert sock.expect("message")["session_id"] == mine, "a user's session waits for its user"
    wait_for(lambda: rows("SELECT count(*) FROM sessions WHERE last_seq = 0 AND kind = 'guided'") == [(1,)], 10,
             "what sockets made and nobody used is gone; the user's own one stays")


@pytest.mark.parametrize("key", ["signaling", "chat", "me", "k" * 65, "%C3%BC" * 65, "%FF"])
def test_reserved_names(guests, key):
    import wire
    with pytest.raises(wire.Refused) as refused:
        guests.ws(f"/ws/{key}", protocols=())
    assert refused.value.status in ((404,) if key != "%FF" else (400, 404))


def test_socket_without_guests(parlour):
    daemon = parlour(ws_auth_timeout=f"{round(500 * SLOW)}ms")
    user = daemon.register()
    with daemon.ws("/ws/any", protocols=()) as sock:
        sock.send(message="Hello")
        assert sock.expect("error")["code"] == "unauthorized"
        sock.send(type_="auth", token=user.access)
        ident = sock.expect("message")["session_id"]
        sock.send(message="Hello")
        assert sock.expect("message")["data_collected"] == SLOTS
    assert user.get(f"/api/sessions/{ident}").json()["messages"] == 2
    with daemon.ws("/ws/any", protocols=()) as sock:
        assert sock.wait_closed() == 4408
    with daemon.ws("/ws/any", protocols=()) as sock:
        sock.send(type_="auth", token="nonsense")
        assert sock.wait_closed() == 4401


def test_socket_takes_messages_with_and_without_a_type(guests):
    with guests.ws("/ws/any", protocols=()) as sock:
        sock.expect("message")
        sock.send("message", message="Zoë")
        assert sock.expect("message")["data_collected"]["name"]
        sock.send(message="zoe@example.org")
        assert sock.expect("message")["data_collected"]["email"]


def test_socket_errors_keep_it_open(guests):
    with guests.ws("/ws/err", protocols=()) as sock:
        ident = sock.expect("message")["session_id"]
        for frame, code in (({"message": ""}, "validation_error"), ({"message": "x" * 16385}, "too_large"),
                            ({"message": 7}, "bad_frame"), ({}, "bad_frame"), ({"type": "subscribe"}, "unknown_type")):
            sock.send_text(json.dumps(frame))
            error = sock.expect("error")
            assert error["code"] == code and error["message"]
        sock.send(message="Ann")
        assert sock.expect("message")["data_collected"]["name"]
        guests.delete(f"/api/sessions/{ident}")
        sock.send(message="Still here?")
        assert sock.expect("error")["code"] == "conflict"


def test_socket_limit(parlour, rows):
    rows("UPDATE sessions SET state = 'ended', ended_at = now() WHERE state = 'open'")
    daemon = parlour(guest="on", guest_sessions_per_address="3", sessions_per_user="3", rate_ask_session="2/min")
    socks = [daemon.ws(f"/ws/s{i}", protocols=()) for i in range(3)]
    for sock in socks:
        sock.expect("message")
        sock.send(message="Ann")
        sock.expect("message")
    with daemon.ws("/ws/fourth", protocols=()) as sock:
        assert sock.expect("error")["code"] == "session_limit"
        assert sock.wait_closed() == 4429
    socks[0].send(message="ann@example.org")
    assert socks[0].expect("message")["data_collected"]["email"]
    socks[0].send(message="80k")
    assert socks[0].expect("error")["code"] == "rate_limited"
    for sock in socks:
        sock.close()


def test_what_guests_left_does_not_count(parlour, rows):
    """Sessions that guests left do not count against the limit of their address, nor do complete forms and guests who
    return."""
    rows("UPDATE sessions SET state = 'ended', ended_at = now() WHERE state = 'open'")
    daemon = parlour(guest="on", guest_sessions_per_address="3", sessions_per_user="3")
    numbers = []
    for _ in range(8):
        with daemon.ws("/ws/test-session-id", protocols=()) as sock:
            numbers.append(sock.expect("message")["session_id"])
            sock.send(message="Hello!")
            sock.expect("message")
        wait_for(lambda: rows(f"SELECT left_at FROM sessions WHERE id = '{numbers[-1]}'")[0][0])
    assert len(set(numbers)) == 8
    for number in numbers[:3]:  # returning is always possible, and what the guest says then counts again
        assert daemon.post("/api/chat", {"message": "Ann", "session_id": number}).status_code == 200
    assert daemon.post("/api/sessions").json()["code"] == "session_limit"
    for message in ("ann@example.org", "80k"):
        answer = daemon.post("/api/chat", {"message": message, "session_id": numbers[0]}).json()
    assert answer["is_complete"] and daemon.post("/api/sessions").status_code == 201


@pytest.mark.parametrize("guest", [True, False])
def test_a_closing_socket_takes_nothing_from_another(parlour, rows, guest):
    """Closing an old socket of a session does not affect a newer one, for instance with two tabs or after a
    reconnect."""
    rows("UPDATE sessions SET state = 'ended', ended_at = now() WHERE state = 'open'")
    daemon = parlour(guest="on", guest_sessions_per_address="3", sessions_per_user="3")
    user = daemon.register()

    def opened(path):
        return daemon.ws(path, protocols=()) if guest else user.ws(path, native=False)

    first = opened("/ws/anything")
    number = first.expect("message")["session_id"]
    with opened(f"/ws/{number}") as second:
        assert second.expect("message")["session_id"] == number
        first.close()
        second.send(message="Ann")
        assert second.expect("message")["data_collected"]["name"] is True
        assert rows(f"SELECT left_at FROM sessions WHERE id = '{number}'") == [(None,)], "somebody is there"
    if guest:
        wait_for(lambda: rows(f"SELECT left_at FROM sessions WHERE id = '{number}'")[0][0])


def test_sockets_do_not_get_round_the_limit_of_guests(parlour, rows):
    rows("UPDATE sessions SET state = 'ended', ended_at = now() WHERE state = 'open'")
    daemon = parlour(guest="on", guest_sessions_per_address="3", sessions_per_user="3")
    kept = []
    for _ in range(3):
        old = daemon.ws("/ws/x", protocols=())
        number = old.expect("message")["session_id"]
        old.send(message="Ann")
        old.expect("message")
        kept.append(daemon.ws(f"/ws/{number}", protocols=()))
        kept[-1].expect("message")
        old.close()
    with daemon.ws("/ws/x", protocols=()) as fourth:
        assert fourth.expect("error")["code"] == "session_limit"
    for sock in kept:
        sock.close()


# ---- streams ----

def events(response):
    """Parses a complete text/event-stream into [(event, data)]."""
    parts = [part for part in response.text.split("\n\n") if part]
    lines = [dict(line.split(": ", 1) for line in part.split("\n")) for part in parts]
    return [(line["event"], json.loads(line["data"])) for line in lines]


def test_stream(guests):
    answer = guests.post("/api/chat", {"message": "Who are you?"}, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
    got = events(answer)
    assert [name for name, _ in got[:-1]] == ["delta"] * (len(got) - 1) and len(got) > 10 and got[-1][0] == "done"
    assert "".join(data["delta"] for _, data in got[:-1]) == got[-1][1]["message"] == got[-1][1]["response"]
    assert got[-1][1]["message"].endswith("What is your name?") and got[-1][1]["data_collected"] == SLOTS


def test_stream_errors(modelled):
    daemon, user = modelled(session_form="")
    sse = {"Accept": "text/event-stream"}
    refused = user.post("/api/chat", {"message": "x", "session_id": str(uuid.uuid4())}, headers=sse)
    assert refused.status_code == 404 and refused.json()["code"] == "not_found"
    got = events(user.post("/api/chat", {"message": "[[cut-rst,tokens=8,pace=1]]"}, headers=sse))
    assert got[0][0] == "delta" and got[-1][0] == "error" and got[-1][1]["code"] == "upstream_truncated"
    whole = user.post("/api/chat", {"message": "[[500]]"})
    assert whole.status_code == 502, whole.text


def arrivals(daemon, user, message, until):
    """Returns [(seconds, what)] of a stream: "header", then each line, up to the first one that `until` accepts."""
    start, got = time.monotonic(), []
    with httpx.Client(base_url=daemon.url, **PLAIN) as client, client.stream(
            "POST", "/api/chat", json={"message": message}, headers={"Accept": "text/event-stream", **user.auth}) as answer:
        assert answer.status_code == 200 and answer.headers["X-Accel-Buffering"] == "no"
        got.append((time.monotonic() - start, "header"))
        for line in map(str.strip, answer.iter_lines()):
            if line:
                got.append((time.monotonic() - start, line))
            if until(got):
                return got
    raise AssertionError(got)


@pytest.mark.parametrize("form", ["", "contact"])
def test_silence_before_the_first_word(modelled, form):
    """While the model is silent, also during a form question, the header is sent at once, and then comment lines."""
    daemon, user = modelled(session_form=form, sse_ping="2s")
    got = arrivals(daemon, user, "[[stall-headers]]", lambda lines: [line for _, line in lines].count(":") == 2)
    assert [what for _, what in got] == ["header", ":", ":"]
    header, first, second = (at for at, _ in got)
    assert first - header > 1 and second - first > 1, got


# ---- with a model ----

def test_history_and_tokens(modelled, provider, rows):
    daemon, user = modelled()
    ident = user.post("/api/sessions", {"kind": "chat"}).json()["id"]
    one = chat(user, "First [[ok,tokens=3,pace=0]]", ident)
    assert one["message"] == "Parlour keeps every" and one["data_collected"] == {} and one["is_complete"] is False
    chat(user, "Second [[ok,tokens=2,pace=0]]", ident)
    messages = [(m["role"], m["content"]) for m in provider.stats()["bodies"][-1]["messages"]]
    assert messages[0][0] == "system" and messages[1:] == [
        ("user", "First [[ok,tokens=3,pace=0]]"), ("assistant", "Parlour keeps every"), ("user", "Second [[ok,tokens=2,pace=0]]")]
    info = user.get(f"/api/sessions/{ident}").json()
    sums = rows("SELECT sum(prompt_tokens + completion_tokens) FROM session_messages "
                f"WHERE session_id = '{ident}' AND author = 'assistant'")[0][0]
    assert info["total_tokens"] == sums > 0 and info["model"] == "peer-1"


def test_model_fills_slots(modelled, provider, rows):
    """Values from the model pass the validators of the form; a value that is not in the message is dropped."""
    daemon, user = modelled()
    ident = user.post("/api/sessions").json()["id"]
    found = json.dumps({"slots": {"name": "Ann Lee", "email": "nowhere", "income": "99999", "shoe": 1}})
    provider.queue("ok,tokens=1,pace=0")
    assert not any(chat(user, "people know me as Ann Lee", ident)["data_collected"].values()), "no JSON, unknown sentence"
    # echo: the peer answers with the message
    body = chat(user, f"people know me as Ann Lee {found.replace('99999', '-1')} [[ok,echo=1]]", ident)
    assert body["data_collected"] == {"name": True, "email": False, "income": False}
    assert collected(rows, ident)["name"] == "Ann Lee"
    assert "Copy each value" in provider.stats()["bodies"][-1]["messages"][0]["content"]


def test_form_goes_on_without_the_model(modelled, provider, rows):
    daemon, user = modelled()
    ident = user.post("/api/sessions").json()["id"]
    provider.queue(*["401"] * 6)
    one = chat(user, "My name is Ann Lee", ident)
    assert one["data_collected"]["name"] and "What is your e-mail address?" in one["message"]
    two = chat(user, "What do you think about momentum trading?", ident)
    assert two["message"] == "I cannot answer that right now.\n\nWhat is your e-mail address?"
    assert rows(f"SELECT errors FROM sessions WHERE id = '{ident}'") == [(1,)]


def test_asker_leaves(modelled, provider, rows):
    """The answer is stored, although its asker has disconnected."""
    daemon, user = modelled(session_form="")
    sock = user.ws("/ws/new", native=False)
    ident = sock.expect("message")["session_id"]
    sock.send(message="[[ok,tokens=19,pace=20]]")
    provider.wait(streams=1)
    sock.drop()
    wait_for(lambda: said(rows, ident)[1:] == [("assistant", WHOLE, "done")], 10, "it is stored")


# ---- processes ----

@pytest.mark.parametrize("workers", [1, 2])
def test_killed_worker(modelled, provider, rows, workers):
    """After kill -9 during an answer, its text so far is stored once, marked as interrupted, and the session
    continues."""
    daemon, user = modelled(session_form="", workers=workers, llm_delta="0ms")
    with daemon.only_worker(0):
        sock = user.ws("/ws/new", native=False)
    ident = sock.expect("message")["session_id"]
    sock.send(message=STALL)
    provider.half(sock.pong)
    daemon.kill_child(daemon.workers()[0])
    assert sock.wait_closed() == 1006
    lines = wait_for(lambda: (s := said(rows, ident))[1:] and s, 10, "the text is stored")
    assert lines[1:] == [("assistant", HALF, "interrupted")]
    wait_for(lambda: len(daemon.workers()) == workers)
    wait_for(daemon.is_ready)
    with user.ws(f"/ws/{ident}", native=False) as back:
        assert back.expect("message")["session_id"] == ident
        back.send(message="[[ok,tokens=2,pace=0]]")
        assert back.expect("message")["message"] == "Parlour keeps"
    assert len(said(rows, ident)) == 4
    assert [m["content"] for m in provider.stats()["bodies"][-1]["messages"][1:]] == [
        STALL, HALF, "[[ok,tokens=2,pace=0]]"]


def test_stop_during_an_answer(modelled, provider, rows):
    daemon, user = modelled(session_form="", stop_timeout="1s", llm_delta="0ms")
    sock = user.ws("/ws/new", native=False)
    ident = sock.expect("message")["session_id"]
    sock.send(message=STALL)
    provider.half(sock.pong)
    assert daemon.stop() == 0
    assert said(rows, ident)[1:] == [("assistant", HALF, "interrupted")]


def test_two_workers_one_session(modelled, rows):
    """With requests to the same session on both workers, message numbers have no gaps and every message is answered
    once."""
    daemon, user = modelled(session_form="")
    ident = user.post("/api/sessions", {"kind": "chat"}).json()["id"]
    socks = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            socks.append(user.ws(f"/ws/{ident}", native=False))
        socks[-1].expect("message")
    for i in range(10):
        socks[i % 2].send(message=f"{i} [[ok,tokens=3,pace=1]]")
    for i in range(10):
        assert socks[i % 2].expect("message")["message"] == "Parlour keeps every"
    assert rows(f"SELECT count(*), min(seq), max(seq) FROM session_messages WHERE session_id = '{ident}'") == [(20, 1, 20)]
    for sock in socks:
        sock.close()
