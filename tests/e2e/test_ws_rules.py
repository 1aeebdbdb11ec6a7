# SPDX-License-Identifier: ISC
"""What a socket may do before authentication, and the rates of its frames."""

import json
import threading
import time

import psycopg
import pytest

import cluster
import wire
from parlour import wait_for


def topic(room):
    return f"room:{room}"


def subscribe(sock, room, **fields):
    sock.send("subscribe", topic=topic(room), **fields)
    return sock.expect("subscribed", topic=topic(room))


def test_a_wish_to_listen_is_no_subscription(ann, bob):
    """A subscribe that will be refused is not a subscription: typing and read directly after it reach nobody."""
    room = ann.room(visibility="private")["id"]
    with ann.ws() as member, bob.ws() as stranger:
        subscribe(member, room)
        for _ in range(5):
            stranger.send("subscribe", topic=topic(room), id="s")
            stranger.send("typing", topic=topic(room), id="t")
            stranger.send("read", topic=topic(room), seq=1, id="r")
            for mark in ("s", "t", "r"):
                assert stranger.expect("error", id=mark)["code"] == ("not_found" if mark == "s" else "validation_error")
        ann.say(room, "the end")
        member.expect("message")
        assert not [f for f in member.inbox if f["type"] in ("typing", "read")]


def test_each_subscribe_is_answered(ann):
    """Each subscribe gets a reply, also if it is replaced or canceled before it was answered."""
    room = ann.room()["id"]
    with ann.ws() as sock:
        for _ in range(5):
            for mark in ("s0", "s1", "s2"):
                sock.send("subscribe", topic=topic(room), id=mark)
            sock.send("unsubscribe", topic=topic(room), id="u")
            for mark in ("s0", "s1", "s2"):
                answer = sock.expect("subscribed", "error", id=mark)
                assert answer["type"] == "subscribed" or answer["code"] == "cancelled"
            sock.expect("unsubscribed", id="u")
        sock.send("subscribe", topic=topic(room), id="a")
        sock.send("subscribe", topic=topic(room), id="b")
        sock.expect("subscribed", "error", id="a")
        sock.expect("subscribed", id="b")
        ann.say(room, "still listens")
        sock.expect("message")


@pytest.mark.parametrize("kind", ["session", "call"])
def test_each_subscribe_of_other_topics_is_answered(ann, kind):
    room = ann.room()["id"]
    name = f"call:{room}" if kind == "call" else "session:" + ann.post("/api/sessions", {"kind": "chat"}).json()["id"]
    frame = wire.pack_frame
    with ann.ws() as sock:
        for _ in range(5):
            marks = ["s0", "s1", "s2"]
            raw = b"".join(frame(wire.TEXT, json.dumps({"type": "subscribe", "topic": name, "id": m}).encode()) for m in marks)
            raw += frame(wire.TEXT, json.dumps({"type": "unsubscribe", "topic": name, "id": "u"}).encode())
            sock.send_raw(raw + frame(wire.TEXT, json.dumps({"type": "subscribe", "topic": name, "id": "last"}).encode()))
            answers = [sock.expect("subscribed", "error", id=mark) for mark in marks]
            assert all(a["type"] == "subscribed" or a["code"] == "cancelled" for a in answers)
            assert sock.expect("unsubscribed", id="u") and sock.expect("subscribed", id="last")
        sock.ping_pong()
        assert not [f for f in sock.inbox if f.get("id") in ("s0", "s1", "s2", "u", "last")], "one answer each"


def test_what_is_not_there_cannot_be_read(ann, bob):
    room = ann.room()["id"]
    with ann.ws() as a, bob.ws() as b:
        subscribe(a, room)
        subscribe(b, room)
        seq = ann.say(room, "x").json()["seq"]
        b.expect("message")
        for bad in (-1, 0, seq + 1, 100000, 2 ** 63 - 1, 2 ** 63, 1.5, "1", None):
            b.send("read", topic=topic(room), seq=bad, id=str(bad))
            assert b.expect("error", id=str(bad))["code"] == "validation_error", bad
        b.send("read", topic=topic(room), seq=seq)
        assert a.expect("read")["seq"] == seq
        assert not [f for f in a.inbox if f["type"] == "read"]


def test_typing_counts_by_room(ann, bob):
    """Each room accepts typing once a second, whatever happens in other rooms."""
    rooms = [ann.room()["id"] for _ in range(3)]
    with ann.ws() as a, bob.ws() as b:
        for room in rooms:
            subscribe(a, room)
            subscribe(b, room)
        a.send_raw(b"".join(wire.pack_frame(wire.TEXT, json.dumps({"type": "typing", "topic": topic(room)}).encode())
                            for room in rooms * 3))      # all within one second, whatever delays this process
        a.ping_pong()
        for room in rooms:
            b.expect("typing", topic=topic(room))
        ann.say(rooms[0], "the end")
        b.expect("message")
        assert not [f for f in b.inbox if f["type"] == "typing"]


def test_a_burst_before_the_compatible_room_is_open(parlour, pg, database):
    """The burst of the rate class send may be sent completely before the room is open."""
    user = parlour(rate_send="1/min burst 50", workers=1).register()
    room = user.room()["id"]
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
        other.execute("LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE")
        with user.ws(f"/ws/chat/{room}", native=False) as sock:
            for i in range(51):
                sock.send("message", content=f"{i:03d}")
            assert sock.expect("error")["code"] == "busy", "the 51st"
            other.rollback()
            assert [sock.recv()["content"] for _ in range(50)] == [f"{i:03d}" for i in range(50)]
            assert not sock.inbox


def kinds_of_errors(sock, send, native):
    """Returns how often each code came for 300 frames. The error for the limit is sent at once, and at most once a
    second after that."""
    began = time.monotonic()
    for _ in range(300):
        send()
    sock.pong()
    took, errors = time.monotonic() - began, [f for f in sock.inbox if f["type"] == "error"]
    sock.inbox.clear()
    assert all("detail" in f if native else "message" in f for f in errors)
    codes = [f["code"] for f in errors]
    assert codes.count("rate_limited") <= 1 + int(took)
    return {code: codes.count(code) for code in codes}


@pytest.mark.parametrize("text,code", [('{"type":"zzz"}', "unknown_type"), ("no json", "bad_frame"), ("{}", "bad_frame"),
                                       ('{"type":"ping","id":"' + "x" * 65 + '"}', "validation_error")])
def test_what_is_no_frame_counts(parlour, text, code):
    """An invalid frame counts in the rate class read; beyond the rate, the replies are few errors about the rate."""
    user = parlour(rate_read="1/min burst 20", workers=1).register()
    with user.ws() as sock:
        got = kinds_of_errors(sock, lambda: sock.send_text(text), True)
        assert 1 <= got.pop(code) <= 20 and set(got) == {"rate_limited"}


def test_what_comes_before_auth_counts(parlour):
    daemon = parlour(rate_read="1/min burst 20", workers=1)
    user = daemon.register()
    with daemon.ws("/ws") as sock:
        got = kinds_of_errors(sock, lambda: sock.send("ping"), True)
        assert 1 <= got.pop("unauthorized") <= 20 and set(got) == {"rate_limited"}
    room = user.room()["id"]
    with user.ws(f"/ws/chat/{room}", native=False) as sock:
        got = kinds_of_errors(sock, lambda: sock.send("zzz"), False)
        assert 1 <= got.pop("unknown_type") <= 20 and set(got) == {"rate_limited"}
        sock.send("message", content="messages count by themselves")
        sock.expect("message")


# ---- login sessions that end meanwhile ----

def test_a_login_that_ends_during_the_handshake(shared, pg, database):
    """The room is locked during the handshake, and the user logs out meanwhile: the handshake fails."""
    user = shared.register()
    room = user.room()["id"]
    refused = []

    def shake():
        try:
            refused.append(user.ws(f"/ws/chat/{room}", native=False).wait_closed())
        except wire.Refused as why:
            refused.append(why.status)

    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as lock, \
            psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as other:
        lock.execute("LOCK TABLE rooms")
        hand = threading.Thread(target=shake)
        hand.start()
        # Asked outside the transaction: inside one, pg_stat_activity does not change after its first read.
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_for(lambda: other.execute(waits).fetchone())
        assert shared.once("POST", "/api/auth/logout", headers=user.auth).status_code == 204
        lock.rollback()
    hand.join(20)
    assert refused in ([401], [4410])


@pytest.mark.parametrize("frame", ['{"type":"query","query":7}', '{"type":"zzz"}', '{"type":"query","query":"x","id":5}', "auth"])
def test_refused_questions_count(parlour, frame):
    daemon = parlour(rate_read="1/min burst 20", workers=1)
    user = daemon.register()
    with user.ws("/ws/chat/me", native=False) as sock:
        sock.expect("system")
        text = json.dumps({"type": "auth", "token": user.access}) if frame == "auth" else frame
        for _ in range(200):
            sock.send_text(text)
        seen = []
        while not seen or seen[-1].get("code") != "rate_limited":
            seen.append(sock.recv(5))
        assert len(seen) <= 21 and (frame != "auth" or len(seen) == 1), "a good token is answered by nothing"


def test_a_bad_token_ends_the_socket(shared):
    with shared.register().ws("/ws/chat/me", native=False) as sock:
        sock.expect("system")
        sock.send("auth", token="x.y.z")
        assert sock.wait_closed() == 4401
