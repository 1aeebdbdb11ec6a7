# SPDX-License-Identifier: ISC
"""Answers longer than one page of shared memory: their length, their end, their readers, and processes that die
meanwhile."""

import json
import threading

import pytest

import exposition
from asking import (SETTINGS, Provider, answer, listen, listen_on, message_of, modules_daemon, room_of, say, text_of)
from parlour import wait_for
from provider_replies import long_text

LONGEST = 256 * 1024
SLOW = ",piece=600"


@pytest.fixture(scope="module")
def both(request, workdir):
    with modules_daemon(request, workdir, rate_ask="1000/min", rate_ask_session="1000/min") as pair:
        yield pair


@pytest.fixture(scope="module")
def daemon(both):
    return both[0]


@pytest.fixture
def peer(both):
    both[1].reset()
    return both[1]


@pytest.fixture(scope="module")
def ann(daemon):
    return daemon.register()


@pytest.fixture(scope="module")
def bob(daemon):
    return daemon.register()


@pytest.fixture
def own(request, parlour):
    """own(**settings) starts a separate daemon with a provider."""
    provider = Provider()
    request.addfinalizer(provider.stop)

    def make(**settings):
        return parlour(upstreams={"peer": provider.section()}, **{**SETTINGS, **settings}), provider
    return make


def memory(daemon):
    """Returns the bytes of texts of running answers: used and free."""
    found = exposition.parse(daemon.ctl("metrics").stdout)
    return tuple(exposition.value(found, "parlour_answer_memory_bytes", state=state) for state in ("used", "free"))


def cut_off(daemon, kind):
    return exposition.value(exposition.parse(daemon.ctl("metrics").stdout), "parlour_answers_cut_total", kind=kind)


# ---- how long ----

@pytest.mark.parametrize("size", [4095, 4096, 4097, 65535, 65536, 65537, 200 * 1024, LONGEST - 1, LONGEST])
def test_whole(daemon, ann, bob, size):
    """Viewers of both workers receive the text in small deltas; the message, the list, and the route of the answer have
    the complete text."""
    room = room_of(ann)
    with listen_on(daemon, 0, ann, room) as sock, listen_on(daemon, 1, bob, room) as other:
        say(sock, room, f"[[ok,bytes={size},pace=0{SLOW}]]")
        for viewer in (sock, other):
            end = answer(viewer)
            assert end.state == "done" and end.text == long_text(size)
            assert max(len(f.get("delta", "").encode()) for f in end.frames) <= 16384
            message = message_of(viewer, end.id)
            assert message["content"] == end.text and message["usage"]["stop"] == "stop"
    assert ann.get(f"/api/rooms/{room}/messages").json()[-1]["content"] == long_text(size)


@pytest.mark.parametrize("size", [60000, 70000, LONGEST])
def test_message_before_done(daemon, ann, bob, size):
    """Other workers read a message that is too long for the ring from the log; the end of the answer waits until they
    have."""
    room = room_of(ann)
    viewers = [listen_on(daemon, slot, user, room) for slot, user in ((0, ann), (1, bob))]
    for _ in range(3):
        say(viewers[0], room, f"[[ok,bytes={size},pace=0{SLOW}]]")
        for sock in viewers:
            kinds = []
            while not kinds or kinds[-1] != "done":
                frame = sock.recv()
                if frame["type"] == "generation":
                    kinds.append(frame["state"])
                elif frame["type"] == "message" and "generation_id" in frame["message"]:
                    kinds.append("message")
            assert kinds[-3:] == ["delta", "message", "done"], kinds
    for sock in viewers:
        sock.drop()


@pytest.mark.parametrize("more", [1, 2, 3, 4, 100, 100000])
def test_longer_than_max_answer(daemon, ann, bob, more):
    """The text is cut between characters and marked, and the daemon stops reading from the upstream."""
    room = room_of(ann)
    before = cut_off(daemon, "max_answer")
    with listen_on(daemon, 0, ann, room) as sock, listen_on(daemon, 1, bob, room) as other:
        say(sock, room, f"[[ok,bytes={LONGEST + more},pace=0{SLOW}]]")
        for viewer in (sock, other):
            end = answer(viewer)
            assert end.state == "done" and LONGEST - 3 <= len(end.text.encode()) <= LONGEST
            assert long_text(LONGEST + more).startswith(end.text)
            message = message_of(viewer, end.id)
            assert message["content"] == end.text and message["usage"]["stop"] == "length"
    assert cut_off(daemon, "max_answer") == before + 1


@pytest.mark.parametrize("mode", ["json", "ok"])
def test_in_one_event(own, mode):
    """The upstream may send the whole text in one event, or in a reply that is not streamed."""
    daemon, _ = own(max_answer="1M", ws_queue="8M", workers=1)
    user = daemon.register()
    room = room_of(user)
    with listen(user, room) as sock:
        for size, stop in ((1 << 20, "stop"), ((1 << 20) + 300, "length")):
            say(sock, room, f"[[{mode},bytes={size},pace=0,piece=2000000]]")
            end = answer(sock)
            assert end.state == "done" and long_text(size).startswith(end.text) and len(end.text.encode()) >= (1 << 20) - 3
            assert message_of(sock, end.id)["usage"]["stop"] == stop


@pytest.mark.parametrize("value", ["1k", "4096", "4097", "4M"])
def test_max_answer(own, value):
    daemon, _ = own(max_answer=value, ws_queue="32M", workers=1)
    size = {"1k": 1024, "4M": 4 << 20}.get(value) or int(value)
    user = daemon.register()
    room = room_of(user)
    with listen(user, room) as sock:
        say(sock, room, f"[[ok,bytes={size},pace=0,piece=5000]]")
        end = answer(sock)
        assert end.text == long_text(size) and message_of(sock, end.id)["usage"]["stop"] == "stop"
        say(sock, room, f"[[ok,bytes={size + 4},pace=0,piece=5000]]")
        end = answer(sock)
        assert len(end.text.encode()) >= size - 3 and message_of(sock, end.id)["usage"]["stop"] == "length"
    found, url = [], f"/api/rooms/{room}/messages"
    while url:      # a page ends before its messages become too large
        reply = user.get(url)
        found[:0], url = reply.json(), reply.links.get("next", {}).get("url")
    assert [len(m["content"].encode()) for m in found[1::2]] == [size, len(end.text.encode())]


def test_max_answer_is_reloaded(own):
    daemon, _ = own(max_answer="2k")
    user = daemon.register()
    room = room_of(user)
    with listen(user, room) as sock:
        say(sock, room, "[[ok,bytes=20000,pace=0]]")
        assert len(answer(sock).text) < 2048
        daemon.configure(max_answer="100k")
        daemon.reload()
        say(sock, room, "[[ok,bytes=20000,pace=0]]")
        assert answer(sock).text == long_text(20000)


def test_context_of_the_next_question(daemon, ann, peer):
    """The context of the next question contains the end of a long answer, within llm_context."""
    room = room_of(ann)
    with listen(ann, room) as sock:
        say(sock, room, f"[[ok,bytes={LONGEST},pace=0{SLOW}]]")
        answer(sock)
        say(sock, room, "go on [[ok,tokens=2,pace=0]]")
        assert answer(sock).state == "done"
    messages = peer.stats()["bodies"][-1]["messages"]
    assert [m["role"] for m in messages] == ["system", "assistant", "user"]
    text = messages[1]["content"]
    assert text.startswith("[...] ") and long_text(LONGEST).endswith(text[6:])
    assert 40000 < len(text.encode()) <= 48 * 1024


# ---- who reads ----

def test_late_viewers(daemon, ann, bob, peer):
    """A viewer that subscribes in the middle receives the text so far in several deltas, on either worker, with or
    without other viewers."""
    room = room_of(ann)
    with listen_on(daemon, 0, ann, room) as asker:
        say(asker, room, "[[ok,bytes=200000,pace=1,piece=600,gate=1]]")
        frames = text_of(asker, 50000)
        ident = frames[0]["generation_id"]
        late = [listen_on(daemon, slot, user, room) for slot in (1, 0) for user in (bob, ann)]
        now = ann.get(f"/api/generations/{ident}").json()
        assert now["state"] == "running" and len(now["text"].encode()) >= 50000 and long_text(200000).startswith(now["text"])
        peer.open()
        assert answer(asker, frames).text == long_text(200000)
        for sock in late:
            end = answer(sock)
            assert end.frames[0]["state"] == "delta" and end.frames[0]["offset"] == 0
            assert end.text == long_text(200000) and end.state == "done"
            assert max(len(f.get("delta", "").encode()) for f in end.frames) <= 16384
            sock.drop()


def test_late_viewer_without_room(own):
    """If the text so far exceeds what may wait for a socket, it continues where it stopped and does not start again."""
    daemon, _ = own(max_answer="4M", ws_queue="64k", workers=1)
    user = daemon.register()
    room = room_of(user)
    with listen(user, room) as asker:
        say(asker, room, "[[stall-mid,bytes=8000000,pace=0,piece=20000]]")
        ident = asker.expect("generation", state="started")["generation_id"]
        wait_for(lambda: len(user.get(f"/api/generations/{ident}").json()["text"] or "") > 900000, 20)
        late = user.ws()
        late.send("subscribe", topic=f"room:{room}")
        late.expect("subscribed")
        seen = text_of(late, 3990000)
        user.post(f"/api/generations/{ident}/cancel")
        end = answer(late, seen)
        assert end.state == "cancelled" and long_text(8000000).startswith(end.text)
        assert message_of(late, ident)["content"] == end.text
        late.drop()


def test_stopped(daemon, ann, bob, peer):
    room = room_of(ann)
    with listen_on(daemon, 0, ann, room) as sock, listen_on(daemon, 1, bob, room) as other:
        say(sock, room, "[[stall-mid,bytes=200000,pace=0,piece=600]]")
        frames = text_of(sock, 99000)
        seen = text_of(other, frames[-1]["offset"] + len(frames[-1]["delta"].encode()))
        ann.post(f"/api/generations/{frames[0]['generation_id']}/cancel")
        ends = answer(sock, frames), answer(other, seen)
        assert ends[0].text == ends[1].text and long_text(200000).startswith(ends[0].text)
        message = message_of(sock, ends[0].id)
        assert message["content"] == ends[0].text and message["usage"]["stop"] == "cancelled"
        peer.wait(aborted=1)


def test_recovery(daemon, ann, bob):
    """A client that missed long messages receives all of them in order."""
    room = room_of(ann)
    sizes = [LONGEST, 70000, 200000, 10, LONGEST]
    with listen_on(daemon, 0, ann, room) as sock:
        for size in sizes:
            say(sock, room, f"[[ok,bytes={size},pace=0{SLOW}]]")
            assert answer(sock).state == "done"
        with daemon.only_worker(1):
            late = bob.ws()
        late.send("subscribe", topic=f"room:{room}", since=0)
        assert late.expect("subscribed")["recovered"] is True
        for size in sizes:
            late.expect("message")
            assert late.expect("message")["message"]["content"] == long_text(size)
        late.drop()
    pages, url = [], f"/api/rooms/{room}/messages?limit=3"
    while url:
        reply = ann.get(url)
        pages[:0], url = reply.json(), reply.links.get("next", {}).get("url")
    assert [m["content"] for m in pages[1::2]] == [long_text(size) for size in sizes]


# ---- who dies ----

def test_killed_worker(own, rows):
    """After kill -9 of the worker in the middle, another worker adopts the complete text in shared memory, stores it,
    and marks it."""
    daemon, _ = own()
    user = daemon.register()
    room = room_of(user)
    viewer, asker = listen_on(daemon, 1, user, room), listen_on(daemon, 0, user, room)
    say(asker, room, "[[stall-mid,bytes=400000,pace=0,piece=600]]")
    frames, seen = text_of(asker, 199000), text_of(viewer, 199000)
    ident = frames[0]["generation_id"]
    assert memory(daemon)[0] >= 199000
    daemon.kill_child(daemon.workers()[0])
    end = answer(viewer, seen)
    assert end.state == "interrupted" and long_text(400000).startswith(end.text) and len(end.text.encode()) >= 199000
    message = message_of(viewer, ident)
    assert message["content"] == end.text and message["usage"]["stop"] == "interrupted"
    wait_for(lambda: memory(daemon)[0] == 0, 10, "its memory is free again")
    viewer.drop()


# ---- memory ----

def test_memory_used_up(own):
    """When many long answers use up the memory, those without memory are cut and marked; short answers always have
    memory."""
    daemon, provider = own(answer_memory="512k", workers=2, rate_ask="1000/min", rate_ask_session="1000/min")
    user = daemon.register()
    rooms = [room_of(user) for _ in range(6)]
    socks = [listen_on(daemon, number % 2, user, room) for number, room in enumerate(rooms)]
    used, free = memory(daemon)
    assert used == 0 and free == 512 * 1024 + 256 * 4096
    assert "text of running answers: 0 of 1536 kB" in daemon.ctl("status").stdout
    for sock, room in zip(socks, rooms):
        say(sock, room, f"[[ok,bytes={LONGEST},pace=1,piece=1000,gate=1]]")
    wait_for(lambda: cut_off(daemon, "answer_memory") > 0, 20, "one finds no memory while the others keep theirs")
    provider.open()
    ends = [answer(sock) for sock in socks]
    stops = [message_of(sock, end.id)["usage"]["stop"] for sock, end in zip(socks, ends)]
    assert {end.state for end in ends} == {"done"} and "length" in stops
    for end, stop in zip(ends, stops):
        assert long_text(LONGEST).startswith(end.text) and (stop == "stop") == (len(end.text.encode()) == LONGEST)
    assert cut_off(daemon, "answer_memory") == stops.count("length")
    wait_for(lambda: memory(daemon)[0] == 0, 10, "all memory is free again")
    say(socks[0], rooms[0], f"[[ok,bytes={LONGEST},pace=0{SLOW}]]")
    assert answer(socks[0]).text == long_text(LONGEST)
    for sock in socks:
        sock.drop()


def test_largest_settings(own):
    """The daemon starts with the largest values and uses memory only when answers need it."""
    daemon, _ = own(max_answer="4M", answer_memory="1G", generations=4096, workers=1)
    assert memory(daemon) == (0, (1 << 30) + 4096 * 4096)


def test_short_answers_while_memory_is_used_up(own):
    """An answer of up to 4 KiB needs no shared pages."""
    daemon, _ = own(answer_memory="64k", workers=2)
    user = daemon.register()
    rooms = [room_of(user) for _ in range(4)]
    with listen_on(daemon, 0, user, rooms[0]) as sock:
        say(sock, rooms[0], "[[stall-mid,bytes=400000,pace=0,piece=600]]")
        end = answer(sock)
        assert end.state == "done" and 64 * 1024 <= len(end.text.encode()) <= 68 * 1024
        say(sock, rooms[0], "[[stall-mid,bytes=135000,pace=0,piece=100]]")
        text_of(sock, 66000)
        for room in rooms[1:]:
            with listen_on(daemon, 1, user, room) as other:
                say(other, room, "[[ok,bytes=4096,pace=0]]")
                assert answer(other).text == long_text(4096)
                say(other, room, "[[ok,bytes=4097,pace=0]]")
                assert len(answer(other).text.encode()) >= 4093


# ---- the chatbot ----

@pytest.fixture(scope="module")
def chatbot(request, workdir):
    with modules_daemon(request, workdir, rate_ask="1000/min", rate_ask_session="1000/min", session_form="",
                        sessions_per_user="1000") as pair:
        yield pair[0], pair[0].register()


def session_of(user):
    return user.post("/api/sessions", {"kind": "chat"}).json()["id"]


@pytest.mark.parametrize("size,stop", [(65535, "stop"), (65537, "stop"), (200 * 1024, "stop"), (LONGEST, "stop"), (LONGEST + 1, "length")])
def test_chat(chatbot, rows, size, stop):
    _, user = chatbot
    ident = session_of(user)
    body = user.post("/api/chat", {"message": f"[[ok,bytes={size},pace=0{SLOW}]]", "session_id": ident}).json()
    whole = long_text(size) if stop == "stop" else long_text(size).encode()[:LONGEST].decode(errors="ignore")
    assert body["message"] == body["response"] == whole and body["usage"]["stop"] == stop
    assert user.get(f"/api/sessions/{ident}/messages").json()[-1]["content"] == whole
    assert rows(f"SELECT octet_length(content), state FROM session_messages WHERE session_id = '{ident}' AND author = 'assistant'") == [
        (len(whole.encode()), "done")]
    again = user.post("/api/chat", {"message": "go on [[ok,tokens=2,pace=0]]", "session_id": ident})
    assert again.json()["message"] == "Parlour keeps"


def test_chat_stream(chatbot):
    _, user = chatbot
    question = {"message": f"[[ok,bytes={LONGEST + 4},pace=0{SLOW}]]"}
    got = [part.split("\n") for part in user.post("/api/chat", question, headers={"Accept": "text/event-stream"}).text.split("\n\n") if part]
    data = [json.loads(line[6:]) for part in got for line in part if line.startswith("data: ")]
    assert len(data) > 100 and "".join(d["delta"] for d in data[:-1]) == data[-1]["message"] and got[-1][0] == "event: done"
    assert LONGEST - 3 <= len(data[-1]["message"].encode()) <= LONGEST and data[-1]["usage"]["stop"] == "length"
    plain = [json.loads(line[6:]) for line in user.post("/api/chat/stream", question).text.split("\n") if line.startswith("data: ")]
    chunks = [d for d in plain if d["type"] == "chunk"]
    assert plain[-1]["type"] == "done" and "".join(d["content"] for d in chunks) == data[-1]["message"]


def test_chat_sockets(chatbot):
    """The compatible socket, the topic, and the agent chat receive the complete answer in one frame."""
    daemon, user = chatbot
    ident = session_of(user)
    with daemon.only_worker(1):
        watcher = user.ws()
    watcher.send("subscribe", topic=f"session:{ident}")
    watcher.expect("subscribed")
    with daemon.only_worker(0):
        sock = user.ws(f"/ws/{ident}", native=False)
    sock.expect("message")
    for size in (70000, LONGEST):
        sock.send(message=f"[[ok,bytes={size},pace=0{SLOW}]]")
        assert sock.expect("message")["message"] == long_text(size)
        assert watcher.expect("answer")["message"]["content"] == long_text(size)
    sock.drop()
    watcher.send("subscribe", topic=f"session:{ident}", since=0)
    for size in (70000, LONGEST):
        assert watcher.expect("answer")["message"]["content"] == long_text(size)
    watcher.drop()
    with user.ws(f"/ws/{ident}", native=False) as agent:
        agent.send("start_session", payload={})
        assert agent.expect("session_started")["payload"]["messages"][-1]["content"] == long_text(LONGEST)
        agent.send("send_message", payload={"content": f"[[ok,bytes={LONGEST - 4},pace=0{SLOW}]]"})
        assert agent.expect("session_update")["payload"]["messages"][-1]["content"] == long_text(LONGEST - 4)


def test_frames_larger_than_ws_queue(own):
    """One frame may be larger than ws_queue: no socket is closed because of a long answer."""
    daemon, _ = own(max_answer="2M", ws_queue="64k", workers=1, session_form="")
    user = daemon.register()
    ident, room = session_of(user), room_of(user)
    sock = user.ws(f"/ws/{ident}", native=False)
    sock.expect("message")
    for size in (300000, 2 << 20):
        sock.send(message=f"[[ok,bytes={size},pace=0,piece=5000]]")
        assert sock.expect("message")["message"] == long_text(size)
    sock.drop()
    with listen(user, room) as viewer:
        say(viewer, room, f"[[ok,bytes={2 << 20},pace=0,piece=5000]]")
        while (message := viewer.expect("message")["message"])["author"]["kind"] != "role":
            pass
        assert message["content"] == long_text(2 << 20)
        viewer.ping_pong()


def test_form_behind_a_full_answer(own):
    """The answer of the model is cut early enough for the question of the form."""
    daemon, _ = own(max_answer="8k", session_form="contact")
    user = daemon.register()
    ident = user.post("/api/sessions", {"kind": "guided"}).json()["id"]
    body = user.post("/api/chat", {"message": "What do you sell? [[ok,bytes=20000,pace=0]]", "session_id": ident}).json()
    words, question = body["message"].split("\n\n")
    assert long_text(20000).startswith(words) and question.endswith("?")
    assert 8192 - 4 <= len(body["message"].encode()) <= 8192 and body["usage"]["stop"] == "length"


def test_killed_worker_of_a_session(own, rows):
    daemon, provider = own(session_form="", guest="on")
    user = daemon.register()
    ident = session_of(user)
    with daemon.only_worker(0):
        sock = user.ws(f"/ws/{ident}", native=False)
    sock.expect("message")
    sock.send(message="[[stall-mid,bytes=400000,pace=0,piece=600]]")
    wait_for(lambda: memory(daemon)[0] >= 196608, 20)
    daemon.kill_child(daemon.workers()[0])
    found = wait_for(lambda: rows("SELECT content, state FROM session_messages "
                                  f"WHERE session_id = '{ident}' AND author = 'assistant'"), 20)
    assert found[0][1] == "interrupted" and long_text(400000).startswith(found[0][0]) and len(found[0][0].encode()) > 180000
    wait_for(lambda: memory(daemon)[0] == 0, 10)


def test_many_sessions_without_memory(own):
    """Long answers without memory are cut and marked, and all askers get an answer."""
    daemon, provider = own(answer_memory="256k", session_form="", sessions_per_user="100", rate_ask="1000/min", rate_send="1000/s")
    user = daemon.register()
    idents, replies = [session_of(user) for _ in range(8)], {}

    def ask(ident):
        replies[ident] = user.request("POST", "/api/chat", {
            "message": f"[[ok,bytes={LONGEST},pace=1,piece=1500,gate=1]]", "session_id": ident})

    threads = [threading.Thread(target=ask, args=(ident,), daemon=True) for ident in idents]
    for thread in threads:
        thread.start()
    wait_for(lambda: cut_off(daemon, "answer_memory") > 0, 20, "one finds no memory while the others keep theirs")
    provider.open()
    for thread in threads:
        thread.join()
    assert len(replies) == 8 and {reply.status_code for reply in replies.values()} == {200}
    bodies = [reply.json() for reply in replies.values()]
    assert all(long_text(LONGEST).startswith(body["message"]) for body in bodies)
    cut = [body for body in bodies if body["usage"]["stop"] == "length"]
    assert cut and cut_off(daemon, "answer_memory") == len(cut)
    wait_for(lambda: memory(daemon)[0] == 0, 10)
