# SPDX-License-Identifier: ISC
"""Behavior of model servers that no specification describes, and what users expect of an answer nevertheless."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from asking import (HALF, SETTINGS, STALL, Provider, answer, as_read, ask, listen, listen_on, message_of, room_of, say,
                    text_of)
from parlour import SLOW, wait_for

QUICK = "[[ok,tokens=2,pace=0]]"


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def modelled(parlour, provider):
    """modelled(**settings) starts a daemon whose default upstream is the provider, and creates a user."""
    def make(section=None, **settings):
        provider.reset()
        daemon = parlour(upstreams={"peer": provider.section(**(section or {}))},
                         **{**SETTINGS, "guest": "on", "session_form": "", "sessions_per_user": "1000", **settings})
        return daemon, daemon.register()
    return make


def chat(user, message, session=None, **how):
    body = {"message": message, **({"session_id": session} if session else {})}
    return user.post("/api/chat", body, **how)


class Asked(threading.Thread):
    """Sends a question to the chatbot without waiting for the reply."""

    def __init__(self, user, message, session):
        super().__init__(daemon=True)
        self.user, self.message, self.session, self.answer = user, message, session, None
        self.start()

    def run(self):
        self.answer = self.user.request("POST", "/api/chat", {"message": self.message, "session_id": self.session})

    def done(self):
        self.join(30)
        assert self.answer is not None, "no answer"
        return self.answer


# ---- places in shared memory ----

def test_place_of_an_answer_that_ended_is_taken(modelled):
    """Texts stay for viewers of other workers for 2 s; with four places, the fifth quick answer takes the place of one
    that has ended."""
    daemon, ann = modelled(generations=4)
    rooms = [room_of(ann) for _ in range(6)]
    for room in rooms:
        with listen(ann, room) as sock:
            end = ask(sock, room, QUICK)
            assert end.state == "done", end.last
    for _ in range(6):
        assert chat(ann, QUICK).status_code == 200


def test_form_is_stopped_without_a_place(modelled, provider, rows):
    """A form question to the model is stopped, and the text of the form is stored and sent."""
    daemon, ann = modelled(generations=4, session_form="contact")
    running = []
    for _ in range(4):
        room = room_of(ann)
        sock = listen(ann, room)
        say(sock, room, STALL)
        running.append((sock, sock.expect("generation", state="started")))
    for slot in (0, 1):
        ident = ann.post("/api/sessions", {"kind": "guided"}).json()["id"]
        provider.reset()
        asked = Asked(ann, "What is this? People call me Ann [[stall-body]]", ident)
        provider.wait(streams=1)
        with daemon.only_worker(slot):
            assert daemon.once("POST", f"/api/sessions/{ident}/cancel", headers=ann.auth).status_code == 204
        reply = asked.done()
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert body["state"] == "cancelled" and body["message"].endswith("?"), body
        assert said(rows, ident)[-1] == ("assistant", body["message"], "cancelled")
    for sock, frame in running:
        ann.post(f"/api/generations/{frame['generation_id']}/cancel")
        answer(sock, [frame])
        sock.drop()


def test_answers_that_run_keep_their_places(modelled, provider):
    daemon, ann = modelled(generations=4)
    running = []
    for _ in range(4):
        room = room_of(ann)
        sock = listen(ann, room)
        say(sock, room, STALL)
        running.append((sock, sock.expect("generation", state="started")))
    late = room_of(ann)
    with listen(ann, late) as sock:
        assert ask(sock, late, QUICK).error == "busy"
    for sock, frame in running:
        ann.post(f"/api/generations/{frame['generation_id']}/cancel")
        assert answer(sock, [frame]).state == "cancelled"
        sock.drop()


# ---- stopping what the chatbot says ----

def said(rows, ident):
    return [tuple(r) for r in rows(f"SELECT author, content, state FROM session_messages WHERE session_id = '{ident}' ORDER BY seq")]


@pytest.mark.parametrize("way", ["cancel", "end"])
@pytest.mark.parametrize("slot", [0, 1])
def test_chatbot_answer_is_stopped(modelled, provider, rows, way, slot):
    """A route or the end of the session stops the answer from either worker: the upstream is closed, and the text so
    far is stored."""
    daemon, ann = modelled()
    ident = ann.post("/api/sessions", {"kind": "chat"}).json()["id"]
    asked = Asked(ann, STALL, ident)
    provider.wait(streams=1)
    with daemon.only_worker(slot):
        if way == "cancel":
            answer = daemon.once("POST", f"/api/sessions/{ident.upper()}/cancel", headers=ann.auth)
        else:
            answer = daemon.once("DELETE", f"/api/sessions/{ident}", headers=ann.auth)
    assert answer.status_code == 204
    provider.wait(aborted=1)
    body = asked.done().json()
    assert body["state"] == "cancelled" and HALF.startswith(body["message"]) and body["model"] == "peer-1"
    usage = body["usage"]
    assert usage["stop"] == "cancelled" and usage["estimated"] is True and usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] == (len(body["message"]) + 3) // 4
    assert rows(f"SELECT estimated, completion_tokens FROM session_messages WHERE session_id = '{ident}' AND author = 'assistant'") == [
        (True, usage["completion_tokens"])]
    assert said(rows, ident)[1:] == [("assistant", body["message"], "cancelled")]
    after = chat(ann, QUICK, ident)
    assert after.status_code == (200 if way == "cancel" else 409)


def test_form_question_to_a_model_is_stopped(modelled, provider):
    """The end of the session also stops a form question to a model before the answer begins."""
    daemon, ann = modelled(session_form="contact")
    ident = ann.post("/api/sessions", {"kind": "guided"}).json()["id"]
    provider.queue("stall-headers")
    asked = Asked(ann, "people know me as Ann Lee", ident)
    provider.wait(streams=1)
    assert ann.delete(f"/api/sessions/{ident}").status_code == 204
    provider.wait(aborted=1)
    assert asked.done().status_code == 409
    assert chat(ann, "people know me as Ann Lee", ident).status_code == 409
    assert provider.stats()["requests"] == 1, "for a session that is over no model is asked"


def test_tokens_of_a_stopped_form_question_are_estimated(modelled, provider, rows):
    daemon, ann = modelled(session_form="contact")
    ident = ann.post("/api/sessions", {"kind": "guided"}).json()["id"]
    provider.queue("stall-headers")
    asked = Asked(ann, "people know me as Ann Lee", ident)
    provider.wait(streams=1)
    assert ann.post(f"/api/sessions/{ident}/cancel").status_code == 204
    usage = asked.done().json()["usage"]
    assert usage["estimated"] is True and usage["prompt_tokens"] > 0
    assert rows(f"SELECT estimated, prompt_tokens FROM session_messages WHERE session_id = '{ident}' AND author = 'assistant' "
                "ORDER BY seq DESC LIMIT 1") == [(True, usage["prompt_tokens"])]


def test_who_may_stop_a_session(modelled):
    daemon, ann = modelled()
    bob = daemon.register()
    ident = ann.post("/api/sessions", {"kind": "chat"}).json()["id"]
    assert bob.post(f"/api/sessions/{ident}/cancel").status_code == 404
    assert daemon.post(f"/api/sessions/{ident}/cancel").status_code == 404
    assert ann.post(f"/api/sessions/{ident}/cancel").status_code == 204, "nothing runs: there is nothing to do"
    assert ann.post("/api/sessions/nonsense/cancel").status_code == 404


def test_model_and_usage_of_a_chatbot_answer(modelled):
    daemon, ann = modelled()
    whole = chat(ann, "[[ok,tokens=3,pace=0]]").json()
    assert whole["model"] == "peer-1" and whole["state"] == "done"
    usage = whole["usage"]
    assert usage["completion_tokens"] == 3 and usage["prompt_tokens"] > 0 and usage["stop"] == "stop"
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3
    stream = chat(ann, "[[ok,tokens=3,pace=0]]", headers={"Accept": "text/event-stream"})
    last = json.loads(stream.text.strip().rsplit("data: ", 1)[1])
    assert last["model"] == "peer-1" and last["usage"] == usage


# ---- options that a model refuses ----

@pytest.mark.parametrize("refused,left", [
    pytest.param("temperature", {"max_tokens", "stream_options"}, id="models that refuse temperature"),
    ("max_tokens", {"temperature", "max_completion_tokens", "stream_options"}),
    ("stream_options", {"temperature", "max_tokens"}),
    ("temperature+max_tokens+stream_options", {"max_completion_tokens"})])
def test_models_that_refuse(modelled, provider, refused, left):
    """The question is repeated without the refused options, and the next question omits them; the breaker does not
    count it."""
    daemon, ann = modelled({"breaker_failures": "1"}, workers=1)
    room = ann.room(role_ids=[ann.role(temperature=0.5, max_tokens=100)["id"]])["id"]
    names = {"temperature", "max_tokens", "max_completion_tokens", "stream_options"}
    with listen(ann, room) as sock:
        for requests in (1 + refused.count("+") + 1, 1):
            provider.reset()
            assert ask(sock, room, f"[[picky,bar={refused},tokens=2,pace=0]]").text == "Parlour keeps"
            stats = provider.stats()
            assert stats["requests"] == requests
            assert set(stats["bodies"][-1]) & names == left
    assert "option=" in daemon.log_text() and "are paused" not in daemon.log_text()


def test_a_refusal_that_only_names_an_option(modelled, provider):
    """A value out of range is omitted for this question only; once it was omitted for a day and for all users."""
    daemon, ann = modelled(workers=1)
    room = ann.room(role_ids=[ann.role(temperature=0.5)["id"]])["id"]
    with listen(ann, room) as sock:
        for _ in range(2):
            provider.reset()
            assert ask(sock, room, "[[picky,bar=temperature,range=1,tokens=2,pace=0]]").text == "Parlour keeps"
            assert ["temperature" in body for body in provider.stats()["bodies"]] == [True, False]
        assert ask(sock, room, "[[ok,tokens=2,pace=0]]").text == "Parlour keeps"
    assert provider.stats()["bodies"][-1]["temperature"] == 0.5


def test_text_held_back_when_the_stream_breaks(modelled, provider):
    """Text that could have been the start of reasoning is part of the answer when the stream breaks."""
    daemon, ann = modelled()
    room = room_of(ann)
    with listen(ann, room) as sock:
        end = ask(sock, room, "[[cut-rst,say=<thi]]")
        assert end.state == "failed" and end.text == "<thi" and message_of(sock, end.id)["content"] == "<thi"
    assert provider.stats()["requests"] == 3, "before the first text it is asked again"


def test_form_and_a_model_that_refuses_temperature(modelled, provider):
    """The form question to the model has temperature 0: if the model refuses that, the form repeats it without."""
    daemon, ann = modelled(session_form="contact", workers=1)
    ident = ann.post("/api/sessions", {"kind": "guided"}).json()["id"]
    found = json.dumps({"slots": {"name": "Ann Lee"}})
    body = chat(ann, f"people know me as Ann Lee {found} [[picky,bar=temperature,echo=1]]", ident).json()
    assert body["data_collected"]["name"] is True
    assert provider.stats()["requests"] == 2 and "temperature" not in provider.stats()["bodies"][-1]


def test_other_refusals_are_told(modelled, provider):
    daemon, ann = modelled()
    room = ann.room(role_ids=[ann.role(temperature=0.5)["id"]])["id"]
    with listen(ann, room) as sock:
        assert ask(sock, room, "[[400]]").error == "upstream_error"
        assert ask(sock, room, "[[picky,bar=messages]]").error == "upstream_error"
    assert provider.stats()["requests"] == 2


# ---- characters and thoughts ----

@pytest.mark.parametrize("mode,text", [("halves", "a\U0001f600b\U0001f600c"), ("tagged", "Parlour keeps"),
                                       ("think,tokens=2,pace=0", "Parlour keeps")])
def test_text_that_comes_in_odd_pieces(modelled, provider, mode, text):
    """Characters split across two deltas are joined; reasoning of the model is neither shown nor sent back."""
    daemon, ann = modelled()
    room = room_of(ann)
    with listen(ann, room) as sock:
        assert ask(sock, room, f"[[{mode}]]").text == text
        assert ask(sock, room, QUICK).text == "Parlour keeps"
    assert [m["content"] for m in provider.stats()["bodies"][-1]["messages"] if m["role"] == "assistant"] == [text]


# ---- what a model thinks ----

def test_thoughts_stand_beside_the_message(modelled, provider, rows):
    daemon, ann = modelled()
    room = room_of(ann)
    with listen(ann, room) as sock, ann.ws(f"/ws/chat/{room}", native=False) as old:
        end = ask(sock, room, "[[tagged]]")
        live = message_of(sock, end.id)
        assert live["reasoning"] == "Let me see." and live["content"] == "Parlour keeps" == end.text
        frame = old.expect("message", is_ai=True)
        assert frame["content"] == "Parlour keeps" and "Let me see" not in json.dumps(frame)
        plain = ask(sock, room, QUICK)
        assert "reasoning" not in message_of(sock, plain.id)
    stored = ann.get(f"/api/rooms/{room}/messages").json()
    assert stored[1] == as_read(live) and "reasoning" not in stored[3]
    assert "Let me see" not in json.dumps(provider.stats()["bodies"][-1])
    assert rows(f"SELECT reasoning, meta ? 'reasoning' FROM messages WHERE room_id = {room} AND seq = {live['seq']}") == [
        ("Let me see.", False)]
    with ann.ws() as late:      # the log, as read by a client that reconnects
        late.send("subscribe", topic=f"room:{room}", since=0, epoch=1)
        assert message_of(late, end.id) == live
    assert rows(f"SELECT status FROM message_delete({room}, {live['seq']}, {ann.id}, true)")[0] == ("ok",)
    assert rows(f"SELECT reasoning FROM messages WHERE room_id = {room} AND seq = {live['seq']}") == [(None,)]


def test_thoughts_in_the_chatbot(modelled, provider):
    daemon, ann = modelled()
    ident = ann.post("/api/sessions", {"kind": "chat"}).json()["id"]
    body = chat(ann, "[[think,tokens=2,pace=0]]", ident).json()
    assert body["message"] == "Parlour keeps" and body["reasoning"] == "hmhm"
    said_ = ann.get(f"/api/sessions/{ident}/messages").json()
    assert said_[1]["reasoning"] == "hmhm" and said_[1]["content"] == "Parlour keeps" and "reasoning" not in said_[0]
    with ann.ws() as sock:
        sock.send("subscribe", topic=f"session:{ident}", since=0, epoch=0)
        assert sock.expect("answer")["message"]["reasoning"] == "hmhm"
    provider.queue("think-error")
    again = chat(ann, QUICK, ident).json()
    assert again["message"] == "Parlour keeps" and "reasoning" not in again, "what an attempt that failed thought is not kept"
    assert "hmhm" not in json.dumps(provider.stats()["bodies"][-1])


# ---- tokens of answers that were stopped, and reasons of those that failed ----

@pytest.mark.parametrize("dialect, prompt", [("openai", None), ("anthropic", 10)])
def test_tokens_of_a_stopped_answer_are_estimated(modelled, rows, dialect, prompt):
    """Anthropic reports the prompt tokens before the answer; its count of answer tokens at that time is not used."""
    daemon, ann = modelled({"dialect": dialect})
    room = room_of(ann)
    with listen(ann, room) as sock:
        say(sock, room, STALL)
        frames = text_of(sock, len(HALF))
        ann.post(f"/api/generations/{frames[0]['generation_id']}/cancel")
        end = answer(sock, frames)
        usage = message_of(sock, end.id)["usage"]
    assert usage["estimated"] is True and usage["completion_tokens"] == (len(HALF) + 3) // 4
    assert usage["prompt_tokens"] > 0 and prompt in (None, usage["prompt_tokens"])
    row = wait_for(lambda: (g := ann.get(f"/api/generations/{end.id}").json())["ended_at"] and g)
    assert row["estimated"] is True and row["completion_tokens"] == usage["completion_tokens"]
    assert rows(f"SELECT prompt_tokens, completion_tokens FROM usage WHERE generation_id = '{end.id}'") == [
        (usage["prompt_tokens"], usage["completion_tokens"])]


@pytest.mark.parametrize("directive,says", [("error-first,error=x", "provider went away"), ("error-line", "out of slots"),
                                            ("quota", "no credit left"), ("400", None)])
def test_reason_of_the_provider(modelled, provider, directive, says):
    """The asker sees the reason of the provider on all sockets of both workers and kinds, except that of 400, which
    contains our key. Nobody else in the room sees it, not even its owner."""
    daemon, ann = modelled()
    owner, bob = daemon.register(), daemon.register()
    role = owner.role()
    room = owner.room(role_ids=[role["id"]], reply_policy="mention")["id"]
    provider.queue(*[directive] * 3)
    with listen(ann, room) as sock, listen_on(daemon, 0, ann, room) as near, listen_on(daemon, 1, ann, room) as far, \
            listen_on(daemon, 0, bob, room) as bobs, listen_on(daemon, 1, owner, room) as owners, \
            ann.ws(f"/ws/chat/{room}", native=False) as compat, bob.ws(f"/ws/chat/{room}", native=False) as bobs_compat:
        for one in (compat, bobs_compat):
            one.send_text('{"message": "here"}')
            one.expect("message", content="here")    # it listens
        seq = say(sock, room, f"@{role['name']} why?")
        end, others = answer(sock, reply_to=seq), [answer(one, reply_to=seq) for one in (near, far)]
        strangers = [answer(one, reply_to=seq) for one in (bobs, owners)]
        told = compat.expect("error")
        assert bob.say(room, "over").status_code == 201
        frames = [bobs_compat.recv()]
        while frames[-1].get("content") != "over":
            frames.append(bobs_compat.recv())
    assert {frame["type"] for frame in frames} == {"message"}, "who did not ask hears of no failure"
    row = ann.get(f"/api/generations/{end.id}").json()
    for detail in (end.last["error"]["detail"], *(one.last["error"]["detail"] for one in others), row["error_detail"], told["message"]):
        assert says in detail if says else detail == "The upstream refused with status 400.", detail
    assert told["code"] == end.last["error"]["code"] == row["error"]
    for one in strangers:
        assert one.last["state"] == "failed" and one.last["error"]["code"] == row["error"]
        assert not says or says not in json.dumps(one.frames)
        assert "status 400" not in json.dumps(one.frames)
    for user in (owner, bob):
        seen = user.get(f"/api/generations/{end.id}").json()
        assert (seen["state"], seen["error"], seen["error_detail"]) == ("failed", row["error"], None)
    assert not row["estimated"] or row["completion_tokens"] is not None


@pytest.mark.parametrize("agent", [False, True], ids=["chatbot", "agent chat"])
def test_reason_on_the_sockets_of_sessions(modelled, provider, agent):
    daemon, ann = modelled()
    provider.queue(*["quota"] * 3)
    session = ann.post("/api/sessions", {}).json()["session_id"]
    with ann.ws(f"/ws/{session}", native=False) as sock:
        sock.expect("message")
        if agent:
            sock.send("start_session", payload={})
            sock.expect("session_started")
            sock.send("send_message", payload={"content": "why?"})
        else:
            sock.send_text('{"message": "why?"}')
        assert "no credit left" in sock.expect("error", timeout=20)["message"]
        assert daemon.workers()


# ---- lists of models ----

def test_hanging_upstreams_and_the_list_of_models(parlour, provider):
    """All upstreams are asked at once, with a short time-out, and not again for the next caller."""
    provider.reset()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        daemon = parlour(workers=1, upstreams={"one": {"url": url, "model": "m-1"}, "two": {"url": url, "model": "m-2"},
                                               "three": {"url": url}, "peer": provider.section()})
        ann = daemon.register()
        began = time.monotonic()
        first = ann.get("/api/llm/models").json()
        assert 2.5 < time.monotonic() - began < 3 * SLOW + 3
        assert [(m["upstream"], m["id"]) for m in first] == [
            ("local", "local-1"), ("one", "m-1"), ("two", "m-2"), ("peer", "peer-1"), ("peer", "peer-2")]
        took = []
        for _ in range(3):      # each would take three seconds
            began = time.monotonic()
            assert ann.get("/api/llm/models").json() == first
            took.append(time.monotonic() - began)
        assert min(took) < 2.5, "the failure is remembered"
        assert provider.stats()["models"] == 1


# ---- what a section adds ----

def test_headers_and_parameters_of_a_section(parlour, provider):
    provider.reset()
    section = provider.section(parameter='reasoning_effort: "low"\nparameter = metadata: {"app": "parlour"}',
                               header="OpenAI-Organization: org-1\nheader = X-Trace: a: b")
    daemon = parlour(upstreams={"peer": section}, **SETTINGS)
    ann = daemon.register()
    room = room_of(ann)
    with listen(ann, room) as sock:
        assert ask(sock, room, QUICK).state == "done"
    stats = provider.stats()
    assert stats["bodies"][-1]["reasoning_effort"] == "low" and stats["bodies"][-1]["metadata"] == {"app": "parlour"}
    assert stats["headers"][-1]["openai-organization"] == "org-1" and stats["headers"][-1]["x-trace"] == "a: b"
    ann.get("/api/llm/models")
    assert provider.stats()["headers"][-1]["openai-organization"] == "org-1"


@pytest.mark.parametrize("name,value,rule", [
    ("header", "no colon", "NAME: VALUE"), ("header", "Host: x", "set by Parlour"), ("header", "Bad name: x", "NAME: VALUE"),
    ("parameter", "top_p: low", "NAME: JSON"), ("parameter", "stream: false", "set by Parlour"), ("proxy", "x:1", "proxy:"),
    ("proxy", "http://user:pw@h:1", "proxy:"), ("ca_file", "/nowhere.pem", "cannot be read")])
def test_bad_lines_of_a_section(parlour, provider, name, value, rule):
    daemon = parlour(start=False, upstreams={"peer": provider.section(**{name: value})})
    checked = subprocess.run([daemon.binaries["parlourd"], "-t", "-c", daemon.config], capture_output=True, text=True)
    assert checked.returncode != 0 and rule in checked.stderr


def test_proxy_of_a_section(parlour, provider):
    """The request to the proxy contains the complete address."""
    provider.reset()
    hidden = {**provider.section(proxy=provider.url), "url": "http://models.invalid/v1"}
    daemon = parlour(upstreams={"peer": hidden}, **SETTINGS)
    ann = daemon.register()
    room = room_of(ann)
    with listen(ann, room) as sock:
        assert ask(sock, room, QUICK).state == "done"
    assert provider.stats()["headers"][-1]["host"] == "models.invalid"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    """Starts a model server with TLS and an unknown certificate: (certificate, port)."""
    place = tmp_path_factory.mktemp("tls")
    cert, key = place / "cert.pem", place / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    place.chmod(0o755)
    cert.chmod(0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"model": "tls-1", "choices": [{"message": {"content": "Sealed."}, "finish_reason": "stop"}]})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield cert, server.server_port
    server.shutdown()
    server.server_close()


def test_authorities_of_a_section(parlour, tls_server):
    """An unknown authority is refused at once; a section may name its authorities."""
    cert, port = tls_server
    url = {"url": f"https://127.0.0.1:{port}/v1", "model": "tls-1"}
    copy = f"{tempfile.mkdtemp(prefix='pl-ca-')}"
    os.chmod(copy, 0o755)
    shutil.copy(cert, copy)
    daemon = parlour(upstreams={"peer": url, "known": {**url, "ca_file": f"{copy}/cert.pem"}}, **SETTINGS)
    ann = daemon.register()
    rooms = {name: ann.room(role_ids=[ann.role(upstream=name)["id"]])["id"] for name in ("peer", "known")}
    with listen(ann, rooms["peer"]) as sock:
        assert "not trusted" in ask(sock, rooms["peer"], "Hello").last["error"]["detail"]
    with listen(ann, rooms["known"]) as sock:
        assert ask(sock, rooms["known"], "Hello").text == "Sealed."
    shutil.rmtree(copy)


# ---- every case that once went wrong, by its name ----

def two_people_talk(ann, daemon, sock, room, provider):
    bob = daemon.register()
    bob.post(f"/api/rooms/{room}/join")
    for user in (ann, bob):
        user.say(room, "Hello [[strict,tokens=2,pace=0]]")
        assert answer(sock).text == "Parlour keeps"
    provider.queue("400")
    assert ask(sock, room, "fails").state == "failed"
    assert ask(sock, room, "[[strict,tokens=2,pace=0]]").text == "Parlour keeps"


def refusal_is_not_temporary(ann, daemon, sock, room, provider):
    for directive, temporary in (("400", False), ("404", False), ("quota", False), ("500,after=0", True)):
        provider.queue(*[directive] * (3 if temporary else 1))
        assert ask(sock, room, "x").last["error"]["temporary"] is temporary, directive
    provider.queue("400")
    assert chat(ann, "x").json()["temporary"] is False


def no_text_is_an_error(ann, daemon, sock, room, provider):
    provider.queue("wordless")
    assert ask(sock, room, QUICK).text == "Parlour keeps", "asked again"
    provider.queue(*["wordless"] * 3)
    assert ask(sock, room, "x").last["error"]["detail"] == "The model returned an empty answer."
    provider.queue(*["wordless"] * 3)
    assert chat(ann, "x").status_code == 502


def reasons_in_capitals(ann, daemon, sock, room, provider):
    for finish, stop in (("MAX_TOKENS", "length"), ("STOP", "stop"), ("SAFETY", "content_filter")):
        end = ask(sock, room, f"[[ok,tokens=2,pace=0,finish={finish}]]")
        assert message_of(sock, end.id)["usage"]["stop"] == stop


def halves_are_joined(ann, daemon, sock, room, provider):
    assert ask(sock, room, "[[halves]]").text == "a\U0001f600b\U0001f600c"


def gemini_is_understood(ann, daemon, sock, room, provider):
    usage = message_of(sock, ask(sock, room, "[[gemini]]").id)["usage"]
    assert usage["prompt_tokens"] == 3 and usage["completion_tokens"] == 2 and "estimated" not in usage
    assert "no such model" in ask(sock, room, "[[gemini-error]]").last["error"]["detail"]


def thoughts_are_apart(ann, daemon, sock, room, provider):
    for directive in ("tagged", "think,tokens=2,pace=0"):
        end = ask(sock, room, f"[[{directive}]]")
        assert end.text == "Parlour keeps" and message_of(sock, end.id)["reasoning"]
    ask(sock, room, QUICK)
    assert not any(word in json.dumps(provider.stats()["bodies"][-1]) for word in ("Let me see", "hmhm"))


@pytest.mark.parametrize("case", [
    pytest.param(two_people_talk, id="two user messages in a row and a strict chat template"),
    pytest.param(refusal_is_not_temporary, id="a refusal that will not pass is not called temporary"),
    pytest.param(no_text_is_an_error, id="a reason to stop and no text"),
    pytest.param(reasons_in_capitals, id="MAX_TOKENS and STOP in capitals"),
    pytest.param(halves_are_joined, id="a surrogate pair split over two deltas"),
    pytest.param(gemini_is_understood, id="Gemini - error as an array, usage as 3.0 and after [DONE]"),
    pytest.param(thoughts_are_apart, id="think tags in the text and reasoning_content")])
def test_case(modelled, provider, case):
    daemon, ann = modelled()
    room = room_of(ann, reply_policy="all")
    with listen(ann, room) as sock:
        case(ann, daemon, sock, room, provider)


@pytest.mark.parametrize("case", [pytest.param(0, id="Anthropic-compatible stream without event lines")])
def test_anthropic_case(parlour, provider, case):
    provider.reset()
    daemon = parlour(upstreams={"peer": provider.section(dialect="anthropic")}, **SETTINGS)
    ann = daemon.register()
    room = room_of(ann)
    with listen(ann, room) as sock:
        assert ask(sock, room, "[[nameless,tokens=2,pace=0]]").text == "Parlour keeps"
    assert provider.stats()["requests"] == 1
