# SPDX-License-Identifier: ISC
"""The native socket: authentication, topics, recovery, sending, presence, slow readers, closing."""

import itertools
import json
import signal
import threading

import pytest

import wire
from parlour import SLOW, wait_for


def subscribe(sock, room, **fields):
    sock.send("subscribe", topic=f"room:{room}", **fields)
    return sock.expect("subscribed", topic=f"room:{room}")


def send(sock, room, content, client_id=None):
    sock.send("send", topic=f"room:{room}", content=content, **({"client_id": client_id} if client_id else {}))
    return sock.expect("ack", topic=f"room:{room}")


def contents(sock, count, timeout=10):
    return [sock.expect("message", timeout=timeout)["message"]["content"] for _ in range(count)]


# ---- authentication ----

def test_token_in_the_handshake(shared, ann):
    for via in ("header", "subprotocol"):
        with shared.ws("/ws", token=ann.access, via=via) as sock:
            authed = sock.expect("authed")
            assert sock.subprotocol == "parlour.v1", "the token is never echoed"
            assert authed["user"]["id"] == ann.id and authed["user"]["username"] == ann.name
            assert authed["login_session"] == ann.login_session
            assert authed["ping_s"] == 25 and authed["expires_at"].startswith("20") and authed["worker"] in (0, 1)


def test_token_in_the_first_frame(shared, ann):
    with shared.ws("/ws") as sock:
        sock.send("auth", token=ann.access, id="a1")
        assert sock.expect("authed")["id"] == "a1"
        sock.ping_pong()


def test_before_auth_all_is_refused(shared, ann):
    room = ann.room()["id"]
    with shared.ws("/ws") as sock:
        for frame in ({"type": "subscribe", "topic": f"room:{room}"}, {"type": "send", "topic": f"room:{room}", "content": "x"},
                      {"type": "ping"}, {"type": "typing", "topic": f"room:{room}"}):
            sock.send(**frame, id=frame["type"])
            assert sock.expect("error", id=frame["type"])["code"] == "unauthorized"
        sock.send("auth", token=ann.access)
        sock.expect("authed")
    assert ann.get(f"/api/rooms/{room}/messages").json() == []


def test_without_auth_in_time(parlour):
    daemon = parlour(ws_auth_timeout="300ms")
    with daemon.ws("/ws") as sock:
        assert sock.wait_closed() == 4408
    room = daemon.register().room()["id"]
    with daemon.ws(f"/ws/chat/{room}", protocols=()) as sock:
        assert sock.wait_closed() == 4408


def test_expiry_and_renewal(parlour):
    """A socket ends with its token; a new token on the socket extends that."""
    daemon = parlour(access_token_life="5s")
    user = daemon.register()
    keep, leave = user.ws(), user.ws()

    def prolong():
        user.take(user.refresh_now().json())
        keep.send("auth", token=user.access)
        return keep.expect("authed")["expires_at"]

    last = keep.authed["expires_at"]
    for _ in range(3):      # times have a precision of one second
        last = wait_for(lambda before=last: (now := prolong()) > before and now, 5, "a later expiry")
    assert leave.wait_closed(8) == 4401
    prolong()
    keep.ping_pong()
    assert keep.wait_closed(8) == 4401


def test_another_users_token_on_a_socket(shared, ann, bob):
    """A socket cannot change its user."""
    with ann.ws() as sock:
        sock.send("auth", token=bob.access, id="x")
        try:
            frame = sock.recv()
            assert frame["type"] == "error"
        except wire.Closed as why:
            assert why.code in (4401, 4403)


# ---- handshake ----

@pytest.mark.parametrize("headers,status", [
    ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Sec-WebSocket-Version": "12"}, 426),
    ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Key": "short"}, 400), ({"Upgrade": "h2c"}, None)])
def test_handshakes_that_are_refused(shared, ann, headers, status):
    with pytest.raises(wire.Refused) as refused:
        shared.ws("/ws", token=ann.access, headers=headers)
    assert refused.value.status == status or (status is None and refused.value.status in (400, 426))
    if status == 426:
        assert refused.value.headers["sec-websocket-version"] == "13"
    if "Upgrade" not in headers:
        assert refused.value.headers["connection"].lower() == "close"


def test_origins(parlour):
    daemon = parlour(cors_origins="https://app.example.org")
    user = daemon.register()
    for origin, good in (("https://app.example.org", True), (daemon.url, True), ("https://app.example.org.evil.com", False),
                         ("https://evilapp.example.org", False), ("http://app.example.org", False),
                         ("https://app.example.org:444", False), ("", False)):
        try:
            user.ws(headers={"Origin": origin}).drop()
            got = True
        except wire.Refused as why:
            assert why.status == 403, origin
            got = False
        assert got == good, origin


def test_origin_can_be_demanded(parlour):
    daemon = parlour(ws_no_origin="off")
    user = daemon.register()
    with pytest.raises(wire.Refused) as refused:
        user.ws()
    assert refused.value.status == 403
    user.ws(headers={"Origin": daemon.url}).drop()


def test_hosts(parlour):
    daemon = parlour(trusted_hosts="chat.example.org *.lan 127.0.0.1")
    user = daemon.register()
    for host, good in (("chat.example.org", True), ("chat.example.org:8000", True), ("a.lan", True), ("evil.org", False),
                       ("chat.example.org.evil.org", False), ("lan", False)):
        try:
            user.ws(headers={"Host": host}).drop()
            got = True
        except wire.Refused as why:
            assert why.status == 400, host
            got = False
        assert got == good, host


@pytest.mark.parametrize("path", ["/ws/" + "x" * 65, "/ws/chat/", "/ws/chat/x/y", "/ws/echo", "/WS", "/wsx", "/"])
def test_paths_without_a_socket(shared, ann, path):
    with pytest.raises(wire.Refused) as refused:
        shared.ws(path, token=ann.access)
    assert refused.value.status in (404, 426) or path == "/"


def test_plain_get_on_a_socket_path(shared):
    assert shared.get("/ws").status_code == 426


# ---- topics and messages ----

def test_send_and_receive(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a, bob.ws() as b:
        head = subscribe(a, room)
        assert head["was_recovering"] is False
        subscribe(b, room)
        a.send("send", topic=f"room:{room}", content="hällo", client_id="c1", id="s1")
        ack = a.expect("ack")
        assert ack["id"] == "s1" and ack["client_id"] == "c1" and ack["topic"] == f"room:{room}" and "created_at" in ack
        for sock in (a, b):
            frame = sock.expect("message")
            assert frame["seq"] == ack["seq"] and frame["topic"] == f"room:{room}"
            message = frame["message"]
            assert message["id"] == f"{room}.{ack['seq']}" and message["content"] == "hällo"
            assert message["author"] == {"kind": "user", "id": ann.id, "name": ann.name}
        b.ping_pong()
        assert not [f for f in b.inbox if f["type"] == "ack"], "an ack is for the sender alone"


def test_the_ack_comes_before_the_message(ann):
    room = ann.room()["id"]
    with ann.ws() as sock:
        subscribe(sock, room)
        for i in range(20):
            sock.send("send", topic=f"room:{room}", content=str(i), client_id=f"k{i}")
        got = []
        while len(got) < 40:
            frame = sock.recv()
            if frame["type"] in ("ack", "message"):
                got.append((frame["type"], frame["seq"]))
        for seq in {s for _, s in got}:
            assert got.index(("ack", seq)) < got.index(("message", seq))
        assert [s for t, s in got if t == "message"] == sorted({s for _, s in got})
        assert [s for t, s in got if t == "ack"] == sorted({s for _, s in got}), "order of sending is kept"


def test_rest_messages_arrive_live(ann, bob):
    room = ann.room()["id"]
    with bob.ws() as sock:
        subscribe(sock, room)
        seq = ann.say(room, "by REST").json()["seq"]
        assert sock.expect("message", seq=seq)["message"]["content"] == "by REST"


def test_client_ids_on_sockets(ann):
    room = ann.room()["id"]
    with ann.ws() as sock:
        first = send(sock, room, "x", "same")
        again = send(sock, room, "x", "same")
        assert again["seq"] == first["seq"] and again["duplicate"] is True and not first.get("duplicate")
        sock.send("send", topic=f"room:{room}", content="y", client_id="same", id="n")
        assert sock.expect("error", id="n")["code"] == "conflict"
        assert ann.say(room, "x", "same").status_code == 200, "one namespace with REST"


@pytest.mark.parametrize("frame,code", [
    ({"type": "send", "topic": "room:1", "content": "x" * 16385}, "too_large"),
    ({"type": "send", "topic": "room:999999", "content": "x"}, "not_found"),
    ({"type": "send", "topic": "room:x", "content": "x"}, None), ({"type": "send", "content": "x"}, None),
    ({"type": "send", "topic": "room:1"}, None), ({"type": "send", "topic": "room:1", "content": 5}, None),
    ({"type": "subscribe", "topic": "room:999999"}, "not_found"), ({"type": "subscribe", "topic": "nothing:1"}, None),
    ({"type": "subscribe", "topic": 7}, None), ({"type": "subscribe", "topic": "room:1", "since": -5}, None),
    ({"type": "rubbish"}, "unknown_type"), ({"type": "authed"}, "unknown_type"), ({"type": "stop", "generation_id": "x"}, None)])
def test_frames_that_are_errors_keep_the_socket(ann, frame, code):
    with ann.ws() as sock:
        sock.send(**frame, id="e1")
        error = sock.expect("error", id="e1")
        assert error["detail"] and isinstance(error["temporary"], bool)
        assert code is None or error["code"] == code
        sock.ping_pong()


@pytest.mark.parametrize("text", ["", "x", "5", "null", "[]", '"s"', "{", '{"type":5}', "{}", '{"type":"ping"}}', "[" * 500,
                                  '{"type":"ping","id":' + "9" * 5000 + "}", '{"type":"\\ud800"}'])
def test_texts_that_are_no_frames(ann, text):
    with ann.ws() as sock:
        sock.send_text(text)
        sock.send("ping", id="after")
        try:
            assert sock.expect("error", "pong")["type"] in ("error", "pong")
        except wire.Closed as why:
            assert why.code in (1007, 1008)


def test_ids_come_back(ann):
    with ann.ws() as sock:
        sock.send("ping", id="ü" * 32)
        assert sock.expect("pong")["id"] == "ü" * 32
        sock.send("ping")
        assert "id" not in sock.expect("pong")


def test_a_private_room_does_not_exist_on_sockets(ann, bob):
    room = ann.room(visibility="private")["id"]
    with bob.ws() as sock:
        errors = []
        for number in (room, 99999999):
            sock.send("subscribe", topic=f"room:{number}", id="p")
            errors.append(sock.expect("error", id="p"))
            sock.send("send", topic=f"room:{number}", content="x", id="q")
            errors.append(sock.expect("error", id="q"))
        assert {e["code"] for e in errors} == {"not_found"}
        assert len({json.dumps({k: v for k, v in e.items() if k != "id"}, sort_keys=True) for e in errors}) == 1


def test_removal_ends_the_subscription(ann, bob):
    room = ann.room(visibility="private")["id"]
    ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    with bob.ws() as sock, ann.ws() as own:
        subscribe(sock, room)
        subscribe(own, room)
        send(sock, room, "I was here")
        assert ann.delete(f"/api/rooms/{room}/members/{bob.id}").status_code == 204
        own.expect("left")
        seq = send(own, room, "he is gone")["seq"]
        own.expect("message", seq=seq)
        sock.ping_pong()
        assert not [f for f in sock.inbox if f.get("seq") == seq], "a removed member still listens"


def test_subscribing_joins(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a, bob.ws() as b:
        subscribe(a, room)
        subscribe(b, room)
        assert a.expect("joined", topic=f"room:{room}")["seq"] == 2
    assert bob.get(f"/api/rooms/{room}").json()["level"] == "member"


def test_changes_of_levels_and_roles_are_events(ann, bob):
    room, role = ann.room()["id"], ann.role()["id"]
    with ann.ws() as sock:
        subscribe(sock, room)
        for level in ("member", "moderator"):
            assert ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id, "level": level}).status_code in (200, 201)
        assert ann.put(f"/api/rooms/{room}/roles/{role}").status_code == 200
        assert ann.delete(f"/api/rooms/{room}/roles/{role}").status_code == 204
        first = sock.expect("joined", topic=f"room:{room}")["seq"]
        level = sock.expect("member_level", seq=first + 1)
        assert level["body"]["user_id"] == bob.id and level["body"]["level"] == "moderator"
        assert sock.expect("role_attached", seq=first + 2)["actor"]["id"] == ann.id
        assert sock.expect("role_detached", seq=first + 3)["topic"] == f"room:{room}"


def test_unsubscribe_and_subscribe_again(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a, bob.ws() as b:
        subscribe(b, room)
        subscribe(b, room)
        send(a, room, "one")
        assert contents(b, 1) == ["one"]
        b.ping_pong()
        assert not [f for f in b.inbox if f["type"] == "message"], "subscribing again replaces, it does not double"
        b.send("unsubscribe", topic=f"room:{room}")
        b.expect("unsubscribed", topic=f"room:{room}")
        send(a, room, "two")
        b.ping_pong()
        assert not [f for f in b.inbox if f["type"] == "message"]


# ---- recovery ----

def test_recovery_fills_the_gap(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a:
        seen = send(a, room, "0")["seq"]
        for i in range(1, 30):
            send(a, room, str(i))
        with bob.ws() as b:
            head = subscribe(b, room, since=seen, epoch=ann.get(f"/api/rooms/{room}").json()["epoch"])
            assert head["was_recovering"] is True and head["recovered"] is True
            assert contents(b, 29) == [str(i) for i in range(1, 30)]
            send(a, room, "live")
            assert contents(b, 1) == ["live"]


def test_recovery_while_others_write(ann, bob):
    """Nothing is missing or duplicated between the replay and live events."""
    room = ann.room()["id"]
    with ann.ws() as a:
        start = send(a, room, "start")["seq"]
        done, stored = threading.Event(), []

        def write():
            for i in range(300):        # a busy server may refuse some of these
                a.send("send", topic=f"room:{room}", content=str(i), id=str(i))
            replies = [a.expect("ack", "error") for _ in range(300)]
            assert all(f["type"] == "ack" or f["code"] == "busy" for f in replies), replies
            stored.extend(f["id"] for f in replies if f["type"] == "ack")
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        listeners = []
        for _ in range(8):
            sock = bob.ws()
            subscribe(sock, room, since=start, epoch=1)
            listeners.append(sock)
        writer.join()
        assert done.is_set() and stored
        for sock in listeners:
            got = []
            while len(got) < len(stored):
                frame = sock.recv()
                if frame["type"] == "message":
                    got.append(frame)
            assert [f["message"]["content"] for f in got] == stored
            seqs = [f["seq"] for f in got]
            assert seqs == sorted(set(seqs))
            sock.drop()


@pytest.mark.parametrize("fields", [{"since": 0, "epoch": 999}, {"since": 10 ** 6, "epoch": 1}])
def test_recovery_that_cannot_be(ann, bob, fields):
    room = ann.room()["id"]
    ann.say(room, "x")
    with bob.ws() as sock:
        head = subscribe(sock, room, **fields)
        assert head["was_recovering"] is True and head["recovered"] is False
        seq = ann.say(room, "live").json()["seq"]
        assert sock.expect("message")["seq"] == seq, "live from the head on"


def test_recover_limit(parlour):
    daemon = parlour(recover_limit="10")
    user = daemon.register()
    room = user.room()["id"]
    for i in range(15):
        user.say(room, str(i))
    head = user.get(f"/api/rooms/{room}").json()
    with user.ws() as sock:
        far = subscribe(sock, room, since=head["last_seq"] - 11, epoch=head["epoch"])
        assert far["recovered"] is False
        near = subscribe(sock, room, since=head["last_seq"] - 10, epoch=head["epoch"])
        assert near["recovered"] is True
        assert contents(sock, 10) == [str(i) for i in range(5, 15)]


def test_every_worker_delivers_in_order(parlour):
    daemon = parlour(workers=4, watchdog="10min")
    user = daemon.register()
    room = user.room()["id"]
    sockets = []
    for slot in range(4):
        with daemon.only_worker(slot):
            sockets.append(daemon.ws("/ws", token=user.access))
            assert sockets[-1].expect("authed")["worker"] == slot
            subscribe(sockets[-1], room)
    for i, sock in zip(range(200), itertools.cycle(sockets)):
        sock.send("send", topic=f"room:{room}", content=str(i))
    streams = []
    for sock in sockets:
        got = [sock.expect("message") for _ in range(200)]
        streams.append([(f["seq"], f["message"]["content"]) for f in got])
    assert all(s == streams[0] for s in streams), "all see the same order"
    assert [s for s, _ in streams[0]] == list(range(streams[0][0][0], streams[0][0][0] + 200))


# ---- typing, presence, read markers ----

def test_typing_and_read_markers(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a, bob.ws() as b:
        subscribe(a, room)
        subscribe(b, room)
        a.send("typing", topic=f"room:{room}")
        assert ann.name in json.dumps(b.expect("typing", topic=f"room:{room}"))
        seq = send(a, room, "x")["seq"]
        b.expect("message", seq=seq)
        b.send("read", topic=f"room:{room}", seq=seq)
        assert a.expect("read", topic=f"room:{room}")["seq"] == seq
    assert ann.get(f"/api/rooms/{room}").json()["last_seq"] == seq, "neither is in the log"


def test_presence(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a:
        subscribe(a, room)
        b = bob.ws()
        subscribe(b, room)
        wait_for(lambda: str(bob.id) in json.dumps(a.expect("presence", topic=f"room:{room}")), 5, "bob is present")
        members = {m["user_id"]: m["online"] for m in ann.get(f"/api/rooms/{room}/members").json()}
        assert members == {ann.id: True, bob.id: True}
        b.drop()
        wait_for(lambda: not {m["user_id"]: m["online"] for m in ann.get(f"/api/rooms/{room}/members").json()}[bob.id], 20,
                 "bob is offline")


# ---- pings, slow readers, closing ----

def test_pings(parlour):
    daemon = parlour(ws_ping="300ms", ws_pong=f"{round(500 * SLOW)}ms")
    user = daemon.register()
    mute = user.ws(auto_pong=False)
    assert mute.wait_closed(5) in (1001, 1006, 1008), "a socket that answers no ping is closed"
    assert len(mute.pings) >= 1
    with user.ws() as good:
        frames = []
        while len(good.pings) < 4:
            try:
                frames.append(good.message(1))
            except wire.Timeout:
                continue
        good.send_frame(wire.PING, b"hello")
        good.ping_pong()
        assert good.pongs == [b"hello"] and not frames, "pings keep a silent socket alive"


def test_a_slow_reader_is_cut_alone(parlour):
    daemon = parlour(ws_queue="64k", ws_slow="500ms", workers=1)
    user = daemon.register()
    room = user.room()["id"]
    slow = user.ws(rcvbuf=4096)
    subscribe(slow, room)
    with user.ws() as quick, user.ws() as talker:
        subscribe(quick, room)
        text, count = "x" * 16000, 0
        while "parlour_ws_slow_total 0" in daemon.ctl("metrics").stdout or count < 10:
            send(talker, room, f"{count} {text}")
            count += 1
            assert count < 1500, "the slow reader was never cut"
        assert [c.split(" ")[0] for c in contents(quick, count)] == [str(i) for i in range(count)]
    assert slow.wait_closed(20) == 1013


def test_clean_close(ann):
    for code in (1000, 1001, 3000, 4999):
        assert ann.ws().close(code, "bye") == code


def test_drain_closes(parlour):
    for number, code in ((signal.SIGTERM, 1001), (signal.SIGQUIT, 1012)):
        daemon = parlour()
        sockets = [daemon.register().ws() for _ in range(5)]
        daemon.send_signal(number)
        assert [s.wait_closed() for s in sockets] == [code] * 5
        assert daemon.wait_exit() == 0


def test_echo(parlour):
    daemon = parlour(ws_echo="on")
    with daemon.ws("/ws/echo", protocols=()) as sock:
        for text in ("x", "ü" * 1000, "y" * 100_000):
            sock.send_text(text)
            assert sock.message() == text
