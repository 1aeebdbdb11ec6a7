# SPDX-License-Identifier: ISC
"""The compatible room socket /ws/chat/{room_id} receives its own frames only."""

import re

import pytest

import wire
from parlour import wait_for

KEYS = {"type", "id", "room_id", "content", "user_id", "username", "user", "role_id", "is_ai", "message_type", "created_at",
        "timestamp"}


def chat(user, room, **how):
    return user.ws(f"/ws/chat/{room}", native=False, **how)


def test_talk(ann, bob):
    room = ann.room()["id"]
    with chat(ann, room) as a, chat(bob, room) as b:
        b.send_text('{"message":"are you there?"}')
        b.expect("message")
        a.expect("message")
        a.send_text('{"type":"message","content":"hällo"}')
        for sock in (a, b):
            frame = sock.recv()
            assert set(frame) == KEYS and frame["type"] == "message"
            assert frame["content"] == "hällo" and frame["room_id"] == room
            assert frame["user_id"] == ann.id and frame["username"] == ann.name
            assert frame["role_id"] is None and frame["is_ai"] is False
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}\.\d{6}Z", frame["created_at"])
        assert not a.inbox and not b.inbox


def test_what_is_said_after_the_handshake_is_heard(shared, ann, bob):
    """Messages sent directly after the handshake are received, however long the token check and the subscription
    take."""
    room = ann.room()["id"]
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        ann.say(room, "said before the token came")
        sock.send("auth", token=bob.access)
        assert sock.recv()["content"] == "said before the token came"


def test_only_its_own_frames(ann, bob):
    """Whatever happens in the room, this socket receives no subscribed, ack, presence, typing, or joined."""
    room = ann.room()["id"]
    with chat(ann, room) as a, bob.ws() as native:
        native.send("subscribe", topic=f"room:{room}")
        native.expect("subscribed")
        native.send("typing", topic=f"room:{room}")
        native.send("send", topic=f"room:{room}", content="last")
        native.expect("ack")
        frame = a.recv()
        assert frame["type"] == "message" and frame["content"] == "last" and not a.inbox


def test_whoever_asks_too_often_is_told(parlour):
    daemon = parlour(rate_ask_session="2/min")
    ann, bob = daemon.register(), daemon.register()
    room = ann.room(role_ids=[ann.role()["id"]])["id"]
    with chat(ann, room) as a, chat(bob, room) as b:
        for _ in range(2):
            a.send_text('{"message":"what is 2 + 2?"}')
            a.expect("message", is_ai=True)
        a.send_text('{"message":"what is 2 + 2?"}')
        refused = a.expect("error")
        assert refused["code"] == "rate_limited" and set(refused) == {"type", "message", "code"}
        b.send_text('{"message":"the end"}')
        seen = [b.recv() for _ in range(6)]
        assert {f["type"] for f in seen} == {"message"}, "only who asked is told"


def test_both_surfaces_see_each_other(ann, bob):
    room = ann.room()["id"]
    with chat(ann, room) as compat, bob.ws() as native:
        native.send("subscribe", topic=f"room:{room}")
        native.expect("subscribed")
        compat.send_text('{"message":"from the old front end"}')
        assert native.expect("message")["message"]["content"] == "from the old front end"
        assert compat.recv()["content"] == "from the old front end"


def test_native_by_subprotocol(ann):
    """With the subprotocol parlour.v1, the same path is a native socket without subscriptions."""
    room = ann.room()["id"]
    with ann.ws(f"/ws/chat/{room}") as sock:
        assert sock.subprotocol == "parlour.v1"
        ann.say(room, "not for this socket")
        sock.ping_pong()
        assert not [f for f in sock.inbox if f["type"] == "message"]


def test_opening_joins_and_private_rooms_do_not_exist(ann, bob):
    room, private = ann.room()["id"], ann.room(visibility="private")["id"]
    chat(bob, room).drop()

    wait_for(lambda: bob.get(f"/api/rooms/{room}").json()["level"] == "member", 5, "bob is a member")
    for number in (private, 99999999):
        try:
            assert chat(bob, number).wait_closed() == 4404
        except wire.Refused as why:
            assert why.status == 404


def test_first_frame_authentication(shared, ann):
    room = ann.room()["id"]
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send("auth", token=ann.access)
        sock.send_text('{"message":"after auth"}')
        frame = sock.recv()
        assert frame["type"] == "message" and frame["content"] == "after auth", "a good token is answered with nothing"
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send("auth", token=ann.access + "x")
        assert sock.wait_closed() == 4401
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send_text('{"message":"without auth"}')
        try:
            frame = sock.recv(5)
            assert frame["type"] == "error"
        except wire.Closed as why:
            assert why.code == 4401
    assert [m["content"] for m in ann.get(f"/api/rooms/{room}/messages").json()] == ["after auth"]


def test_token_as_the_only_subprotocol(shared, ann):
    room = ann.room()["id"]
    with shared.ws(f"/ws/chat/{room}", protocols=(), token=ann.access, via="subprotocol") as sock:
        assert sock.subprotocol == "bearer." + ann.access, "a browser insists on one of those it offered"
        sock.send_text('{"message":"hi"}')
        assert sock.expect("message")["content"] == "hi"


@pytest.mark.parametrize("text", ["", "x", "5", "null", "[]", "{}", '{"message":5}', '{"message":null}', '{"message":""}',
                                  '{"type":"message"}', '{"type":"nothing"}', '{"type":"message","content":[]}', "{",
                                  '{"message":"a\\u0000b"}', '{"message":"\\ud800"}'])
def test_failures_are_frames(ann, text):
    room = ann.room()["id"]
    with chat(ann, room) as sock:
        sock.send_text(text)
        error = sock.recv()
        assert error["type"] == "error" and isinstance(error["message"], str) and error["code"]
        sock.send_text('{"message":"still here"}')
        assert sock.expect("message")["content"] == "still here"


def test_too_large_is_a_frame(ann):
    room = ann.room()["id"]
    with chat(ann, room) as sock:
        sock.send("message", content="x" * 16385)
        assert sock.expect("error")["code"] == "too_large"
        sock.send("message", content="x" * 16384)
        assert len(sock.expect("message")["content"]) == 16384


def test_archived_and_rate(parlour):
    daemon = parlour(rate_send="60/min burst 3")
    user = daemon.register()
    room = user.room()["id"]
    with chat(user, room) as sock:
        for i in range(5):
            sock.send("message", content=str(i))
        frames = [sock.recv() for _ in range(5)]
        errors = [f for f in frames if f["type"] == "error"]
        assert len(errors) == 2 and {e["code"] for e in errors} == {"rate_limited"}


def test_a_removed_member_is_cut_off(ann, bob):
    room = ann.room(visibility="private")["id"]
    ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    sock = chat(bob, room)
    sock.send_text('{"message":"x"}')
    sock.expect("message")
    assert ann.delete(f"/api/rooms/{room}/members/{bob.id}").status_code == 204
    ann.say(room, "secret")
    try:
        sock.send_text('{"message":"y"}')
        assert sock.expect("error")["code"] in ("not_found", "forbidden")
        assert not [f for f in sock.inbox if f.get("content") == "secret"]
    except (wire.Closed, OSError) as why:
        assert getattr(why, "code", 4404) in (4403, 4404, 4410)
        assert not [f for f in sock.inbox if f.get("content") == "secret"]
    sock.drop()


def test_own_topic_tells_of_memberships(ann, bob):
    """A user who is added to a private room, or removed from it, is informed on a socket that was already open
    (user:me)."""
    room = ann.room(visibility="private")["id"]
    with bob.ws() as sock:
        sock.send("subscribe", topic="user:me", id="m")
        assert sock.expect("subscribed")["topic"] == "user:me"
        ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
        joined = sock.expect("joined")
        assert joined["topic"] == "user:me" and joined["room_id"] == room and joined["seq"] > 1
        ann.delete(f"/api/rooms/{room}/members/{bob.id}")
        assert sock.expect("left")["room_id"] == room
        sock.send("unsubscribe", topic="user:me")
        sock.expect("unsubscribed")
        ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
        sock.send("ping", id="p")
        assert sock.expect("pong")["id"] == "p" and not [f for f in sock.inbox if f["type"] == "joined"]


def test_join_and_leave_frames(parlour):
    """With room_join_frames, a socket is informed when others come online and when they have been offline for 10 s."""
    daemon = parlour(room_join_frames="on")
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    with chat(ann, room) as one:
        one.send(message="first")
        one.expect("message")
        with chat(bob, room) as two:
            assert one.expect("join") == {"type": "join", "user": bob.name, "room_id": room}
            two.send(message="hello")
            two.expect("message")
            assert [f for f in two.inbox if f["type"] == "join" and f["user"] == bob.name] == [], "not about oneself"
        assert one.expect("leave", timeout=40) == {"type": "leave", "user": bob.name, "room_id": room}


def test_without_the_setting_nobody_is_told_who_comes(ann, bob):
    """By default there are no such frames. When a native socket in the room has its event, the frames would have
    arrived."""
    room = ann.room()["id"]
    with chat(ann, room) as one, ann.ws() as native:
        native.send("subscribe", topic=f"room:{room}")
        native.expect("subscribed")
        with chat(bob, room) as two:
            wait_for(lambda: bob.id in native.expect("presence").get("joined", []), 10, "presence came")
            for sock in (one, two):
                sock.send(message="quiet")
            for sock in (one, two):
                sock.expect("message", content="quiet", user_id=bob.id)
            assert {f["type"] for f in one.inbox + two.inbox} <= {"message"}
