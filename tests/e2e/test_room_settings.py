# SPDX-License-Identifier: ISC
"""Changing rooms: their settings, slow mode, archiving, and deletion; live and in the log."""

import time

import pytest

from parlour import wait_for


def member(room, owner, user, level="member"):
    assert owner.post(f"/api/rooms/{room}/members", {"user_id": user.id, "level": level}).status_code in (200, 201)
    return user


def listen(sock, room, **fields):
    sock.send("subscribe", topic=f"room:{room}", **fields)
    return sock.expect("subscribed")


def gone(sock, room):
    frame = sock.expect("unsubscribed", timeout=10)
    return (frame["topic"], frame["code"]) == (f"room:{room}", "not_found")


CHANGES = {"name": "Tea Ünion", "topic": "Oolong ☕", "description": "Line 1\nLine 2", "visibility": "private", "reply_policy": "off",
           "slow_mode_seconds": 5}


def test_settings_change_live_and_in_the_log(ann, bob, rows):
    room = ann.room()["id"]
    with bob.ws() as sock:
        since = listen(sock, room)["seq"]
        before = ann.get(f"/api/rooms/{room}").json()
        assert (before["topic"], before["description"], before["slow_mode_seconds"]) == (None, None, 0)
        changed = ann.patch(f"/api/rooms/{room}", CHANGES)
        assert changed.status_code == 200, changed.text
        want = {**before, **CHANGES, "last_seq": before["last_seq"] + 1, "last_at": changed.json()["last_at"]}
        assert changed.json() == want == ann.get(f"/api/rooms/{room}").json()
        listed = next(r for r in ann.get("/api/rooms?limit=200&after=" + str(room - 1)).json() if r["id"] == room)
        assert want == {field: listed[field] for field in want}
        frame = sock.expect("room_changed")
        assert frame["body"] == CHANGES and frame["actor"]["id"] == ann.id and frame["seq"] == want["last_seq"]
        same = ann.patch(f"/api/rooms/{room}", {"name": CHANGES["name"], "topic": CHANGES["topic"]})
        assert same.status_code == 200 and same.json()["last_seq"] == want["last_seq"], "nothing changed"
        removed = ann.patch(f"/api/rooms/{room}", {"topic": "", "description": ""})
        assert (removed.json()["topic"], removed.json()["description"]) == (None, None)
        assert sock.expect("room_changed")["body"] == {"topic": "", "description": ""}
    with bob.ws() as sock:
        assert listen(sock, room, since=since)["recovered"]
        assert [sock.expect("room_changed")["seq"] for _ in range(2)] == [since + 1, since + 2], "replayed to who was away"
    (before, after), = rows(f"SELECT before, after FROM audit WHERE target = 'room:{room}' AND action = 'room changed' ORDER BY id LIMIT 1")
    assert before == {"visibility": "public", "reply_policy": None, "slow_mode_seconds": 0}
    assert after == {"visibility": "private", "reply_policy": "off", "slow_mode_seconds": 5, "texts": ["description", "name", "topic"]}


def test_who_may_change_what(shared, ann, bob):
    room = ann.room()["id"]
    mod, stranger = member(room, ann, shared.register(), "moderator"), shared.register()
    member(room, ann, bob)
    owners = {"visibility": "private", "archived": True}
    everything = {**CHANGES, "archived": True}
    for field, value in everything.items():
        path, body = f"/api/rooms/{room}", {field: value}
        assert (bob.patch(path, body).status_code, stranger.patch(path, body).status_code) == (403, 403), field
        assert mod.patch(path, body).status_code == (403 if field in owners else 200), field
    assert bob.delete(f"/api/rooms/{room}").status_code == mod.delete(f"/api/rooms/{room}").status_code == 403
    assert mod.patch(f"/api/rooms/{room}", {"name": "half", "archived": True}).status_code == 403
    assert ann.get(f"/api/rooms/{room}").json()["name"] == CHANGES["name"], "nothing of a refused request is done"
    private = ann.room(visibility="private")["id"]
    assert [bob.patch(f"/api/rooms/{n}", {"name": "x"}).status_code for n in (private, 987654321)] == [404, 404]
    assert [bob.delete(f"/api/rooms/{n}").status_code for n in (private, 987654321)] == [404, 404]


@pytest.mark.parametrize("field, values", [
    ("name", ["", " ", "x" * 101, "a\u200bb", 5]),
    ("topic", ["x" * 251, "two\nlines", "\u200b", 5]),
    ("description", ["x" * 4001, "\u202e", []]),
    ("visibility", ["", "direct", True]),
    ("reply_policy", ["never", 1]),
    ("slow_mode_seconds", [-1, 86401, 1.5, "5"]),
    ("archived", ["true", 1])])
def test_wrong_settings_are_named(ann, field, values):
    room = ann.room()["id"]
    for value in values:
        answer = ann.patch(f"/api/rooms/{room}", {field: value})
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", field], (value, answer.text)
    assert ann.get(f"/api/rooms/{room}").json()["last_seq"] == 1


def test_an_archived_room_can_be_read_and_not_written(shared, ann, bob):
    room = ann.room(role_ids=[])["id"]
    role = ann.role()["id"]
    member(room, ann, bob)
    said = ann.say(room, "before").json()
    with bob.ws() as sock, bob.ws(f"/ws/chat/{room}", native=False) as old:
        listen(sock, room)
        assert ann.patch(f"/api/rooms/{room}", {"archived": True}).json()["archived"] is True
        assert sock.expect("room_changed")["body"] == {"archived": True}
        sock.send("send", topic=f"room:{room}", content="no", id="s")
        assert sock.expect("error", id="s")["code"] == "archived"
        old.send_text('{"message":"no"}')
        assert old.expect("error")["code"] == "archived", "the socket stays open"
        third = shared.register()
        tries = [ann.say(room, "no"), bob.say(room, "no"), ann.put(f"/api/rooms/{room}/roles/{role}"), third.post(f"/api/rooms/{room}/join"),
                 ann.post(f"/api/rooms/{room}/members", {"user_id": third.id}), ann.patch(f"/api/rooms/{room}", {"name": "no"}),
                 ann.patch(f"/api/rooms/{room}", {"name": "no", "archived": True}), ann.patch(f"/api/rooms/{room}/messages/{said['seq']}", {"content": "no"})]
        assert [(t.status_code, t.json()["code"]) for t in tries] == [(409, "archived")] * len(tries)
        assert [m["content"] for m in third.get(f"/api/rooms/{room}/messages").json()] == ["before"]
        assert room not in [r["id"] for r in third.get(f"/api/rooms?after={room - 1}").json()]
        assert room in [r["id"] for r in bob.get(f"/api/rooms?after={room - 1}").json()]
        assert ann.patch(f"/api/rooms/{room}", {"archived": True}).status_code == 200, "again"
        assert ann.patch(f"/api/rooms/{room}", {"archived": False, "topic": "open again"}).json()["topic"] == "open again"
        assert bob.say(room, "after").status_code == 201 and sock.expect("message")["message"]["content"] == "after"


def test_slow_mode(shared, ann, bob, rows):
    """One message in this time for each member; not for moderators, edits, and repeated messages."""
    room = ann.room()["id"]
    mod = member(room, ann, shared.register(), "moderator")
    member(room, ann, bob)
    ann.patch(f"/api/rooms/{room}", {"slow_mode_seconds": 600})
    first = bob.say(room, "one", "c-1")
    assert first.status_code == 201
    second = bob.say(room, "two", "c-2")
    assert (second.status_code, second.json()["code"]) == (429, "slow_mode") and "every 600 s" in second.json()["detail"]
    assert 500 < int(second.headers["Retry-After"]) <= 600 and second.json()["retry_after"] == int(second.headers["Retry-After"])
    again = bob.say(room, "one", "c-1")
    assert again.status_code == 200 and again.json()["duplicate"] is True
    assert bob.patch(f"/api/rooms/{room}/messages/{first.json()['seq']}", {"content": "one!"}).status_code == 200
    assert [user.say(room, "order").status_code for user in (ann, ann, mod, mod)] == [201] * 4
    assert [shared.register().say(room, "hello").status_code for _ in range(2)] == [201] * 2, "counted for each member"
    with bob.ws() as sock, bob.ws(f"/ws/chat/{room}", native=False) as old:
        sock.send("send", topic=f"room:{room}", content="two", id="s")
        frame = sock.expect("error", id="s")
        assert frame["code"] == "slow_mode" and frame["temporary"] is True and 500 < frame["retry_after"] <= 600
        old.send_text('{"message":"two"}')
        assert old.expect("error")["code"] == "slow_mode"
    rows(f"UPDATE members SET said_at = said_at - interval '600 s' WHERE room_id = {room} AND user_id = {bob.id}")
    assert [bob.say(room, "later").status_code for _ in range(2)] == [201, 429]
    ann.patch(f"/api/rooms/{room}", {"slow_mode_seconds": 0})
    assert [bob.say(room, "fast").status_code for _ in range(3)] == [201] * 3
    log = rows(f"SELECT seq FROM messages WHERE room_id = {room} UNION ALL SELECT seq FROM room_changes WHERE room_id = {room} ORDER BY 1")
    assert [r[0] for r in log] == list(range(1, len(log) + 1)), "the log stays dense"


def test_slow_mode_holds_for_messages_of_one_group(ann, bob, rows):
    """Messages that come together, over one socket: the first is stored."""
    room = ann.room()["id"]
    member(room, ann, bob)
    ann.patch(f"/api/rooms/{room}", {"slow_mode_seconds": 60})
    with bob.ws() as sock:
        for n in range(8):
            sock.send("send", topic=f"room:{room}", content=f"m{n}", id=f"s{n}")
        got = [sock.expect("ack", "error") for _ in range(8)]
    assert [g["id"] for g in got if g["type"] == "ack"] == ["s0"] and {g.get("code") for g in got} == {None, "slow_mode"}
    assert rows(f"SELECT content FROM messages WHERE room_id = {room}") == [("m0",)]


def test_a_deleted_room_ends_everywhere(parlour, rows):
    daemon = parlour(workers=2)
    ann, bob = daemon.register(), daemon.register()
    room = ann.room(role_ids=[])["id"]
    member(room, ann, bob)
    ann.say(room, "words that must go")
    socks = [bob.ws() for _ in range(6)]
    old = bob.ws(f"/ws/chat/{room}", native=False)
    for sock in socks:
        listen(sock, room)
        sock.send("subscribe", topic="user:me")
        sock.expect("subscribed")
    assert ann.patch(f"/api/rooms/{room}", {"topic": "words of the topic"}).status_code == 200
    assert ann.delete(f"/api/rooms/{room}").status_code == 204
    start = time.monotonic()
    for sock in socks:
        assert gone(sock, room)
        assert sock.expect("left")["room_id"] == room
    assert old.wait_closed() == 4404 and time.monotonic() - start < 4, "at once, not at the next comparison"
    for user, path in ((ann, ""), (bob, ""), (ann, "/messages"), (ann, "/members")):
        assert user.get(f"/api/rooms/{room}{path}").status_code == 404
    assert ann.delete(f"/api/rooms/{room}").status_code == 404 and ann.say(room, "x").status_code == 404
    assert room not in [r["id"] for r in ann.get(f"/api/rooms?after={room - 1}").json()]
    assert rows(f"SELECT action, actor_id FROM audit WHERE target = 'room:{room}' AND action = 'room deleted'") == [("room deleted", ann.id)]
    for table in ("messages", "room_changes", "members", "room_texts"):
        assert rows(f"SELECT count(*) FROM {table} WHERE room_id = {room}") == [(0,)], table
    for sock in [*socks, old]:
        sock.drop()


def test_a_room_that_becomes_private_is_gone_for_others(parlour):
    """Also for those who listen without being members, because they came while the room was archived."""
    daemon = parlour(workers=2)
    ann, bob, reader = (daemon.register() for _ in range(3))
    room = ann.room()["id"]
    member(room, ann, bob)
    ann.patch(f"/api/rooms/{room}", {"archived": True})
    readers, mine = [reader.ws() for _ in range(4)], bob.ws()
    for sock in [*readers, mine]:
        listen(sock, room)
    assert reader.get(f"/api/rooms/{room}").json()["level"] is None
    assert ann.patch(f"/api/rooms/{room}", {"archived": False, "visibility": "private"}).status_code == 200
    for sock in readers:
        assert gone(sock, room)
    assert reader.get(f"/api/rooms/{room}").status_code == 404 and reader.say(room, "x").status_code == 404
    with reader.ws() as sock:
        sock.send("subscribe", topic=f"room:{room}", since=0, id="q")
        assert sock.expect("error", id="q")["code"] == "not_found"
    assert ann.say(room, "for members").status_code == 201
    assert mine.expect("message")["message"]["content"] == "for members"
    assert ann.patch(f"/api/rooms/{room}", {"visibility": "public"}).status_code == 200
    wait_for(lambda: reader.get(f"/api/rooms/{room}").status_code == 200)
    for sock in [*readers, mine]:
        sock.drop()
