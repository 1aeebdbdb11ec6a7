# SPDX-License-Identifier: ISC
"""What members set for themselves in a room: favorite, mute, and drafts; on all devices of the user, and for nobody else."""

from datetime import datetime, timedelta, timezone

import pytest

from parlour import wait_for
from test_feedback_requests import listener, listeners
from test_notifications import inbox

PATHS = ("favorite", "mute", "draft")


@pytest.fixture(name="pair")
def fixture_pair(shared):
    """Ann and bob in a room of ann."""
    ann, bob = shared.register(), shared.register()
    room = ann.room()["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    return ann, bob, room


def listed(user, room):
    return next(r for r in user.get("/api/rooms?limit=200").json() if r["id"] == room)


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json() if status != 204 else None


def at(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def test_favorites(pair, shared):
    ann, bob, room = pair
    socks = listeners(shared, bob)      # covers: native < room_settings
    assert ok(bob.put(f"/api/rooms/{room}/favorite")) == ok(bob.put(f"/api/rooms/{room}/favorite")) == {"room_id": room, "favorite": True, "muted": False}
    assert listed(bob, room)["favorite"] is True and listed(ann, room)["favorite"] is False
    for sock in socks:
        assert sock.expect("room_settings", favorite=True)["room_id"] == room
    assert ok(bob.delete(f"/api/rooms/{room}/favorite"))["favorite"] is False and listed(bob, room)["favorite"] is False
    for sock in socks:
        sock.expect("room_settings", favorite=False)
        sock.drop()


def test_mute(pair, rows):
    """A muted room notifies of mentions only, or of nothing; until a time, or indefinitely."""
    ann, bob, room = pair
    first = ok(bob.say(room, "a question"), 201)["seq"]

    def notified():
        """Kinds of what ann's mention, and ann's reply, notify bob of."""
        before = len(inbox(bob)["items"])
        ok(ann.say(room, f"@{bob.name}"), 201)
        ok(ann.say(room, "an answer", reply_to=first), 201)
        wait_for(lambda: rows(f"SELECT count(*) FROM notification_queue WHERE room_id = {room}") == [(0,)], 10)
        items = inbox(bob)["items"]
        return sorted(n["kind"] for n in items[:len(items) - before])

    assert notified() == ["mention", "reply"]
    assert ok(bob.put(f"/api/rooms/{room}/mute", {})) == {"room_id": room, "favorite": False, "muted": True, "muted_mentions": False}
    assert notified() == ["mention"]
    until = at(3600)
    got = ok(bob.put(f"/api/rooms/{room}/mute", {"until": until, "mentions": True}))
    assert got["muted_mentions"] is True and got["muted_until"][:19] == until[:19] == listed(bob, room)["muted_until"][:19]
    assert notified() == []
    rows(f"UPDATE member_marks SET muted_until = now() - interval '1 second' WHERE room_id = {room} AND user_id = {bob.id}")
    assert listed(bob, room)["muted"] is False and "muted_until" not in listed(bob, room)
    assert notified() == ["mention", "reply"], "its time is over"
    ok(bob.put(f"/api/rooms/{room}/mute", {}))
    assert listed(bob, room)["muted"] is True
    assert ok(bob.delete(f"/api/rooms/{room}/mute"))["muted"] is False
    assert notified() == ["mention", "reply"]
    for bad in ({"until": at(-5)}, {"until": "tomorrow"}, {"mentions": "x"}):
        answer = bob.put(f"/api/rooms/{room}/mute", bad)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", *bad], answer.text


def test_drafts(pair, shared):
    ann, bob, room = pair
    text = "Grüße,\n\nunfinished"
    socks, silent = listeners(shared, bob), listener(ann)      # covers: native < draft
    assert bob.get(f"/api/rooms/{room}/draft").status_code == 404
    stored = ok(bob.put(f"/api/rooms/{room}/draft", {"content": text}))
    assert (stored["content"], stored["room_id"]) == (text, room) and ok(bob.get(f"/api/rooms/{room}/draft")) == stored
    assert ann.get(f"/api/rooms/{room}/draft").status_code == 404, "nobody else sees it"
    for sock in socks:
        frame = sock.expect("draft", room_id=room)
        assert (frame["content"], frame["deleted"], frame["updated_at"]) == (text, False, stored["updated_at"])
    long = "x" * 16384
    assert ok(bob.put(f"/api/rooms/{room}/draft", {"content": long}))["content"] == long
    for bad in ("", None, 5, "x" * 100000):
        assert bob.put(f"/api/rooms/{room}/draft", {"content": bad}).status_code in (413, 422), bad
    assert ok(bob.get(f"/api/rooms/{room}/draft"))["content"] == long
    for _ in range(2):
        ok(bob.delete(f"/api/rooms/{room}/draft"), 204)
    assert bob.get(f"/api/rooms/{room}/draft").status_code == 404
    for sock in socks:
        frame = sock.expect("draft", deleted=True)
        assert frame["room_id"] == room and "content" not in frame
        sock.drop()
    silent.silent_until(silent.ping_pong, "draft", "room_settings")
    silent.drop()


def test_who_may(pair, shared):
    ann, _, room = pair
    cyd, secret = shared.register(), ann.room(visibility="private")["id"]
    for path in PATHS:
        body = {"content": "x"} if path == "draft" else {}
        for number, status in ((room, 403), (secret, 404), (999999999, 404)):
            assert cyd.put(f"/api/rooms/{number}/{path}", body).status_code == status, (path, number)
            assert cyd.delete(f"/api/rooms/{number}/{path}").status_code == status, (path, number)


@pytest.mark.parametrize("how", ["leave", "remove"])
def test_they_go_with_the_membership(pair, rows, how):
    ann, bob, room = pair
    ok(bob.put(f"/api/rooms/{room}/draft", {"content": "secret"}))
    ok(bob.put(f"/api/rooms/{room}/favorite"))
    if how == "leave":
        ok(bob.post(f"/api/rooms/{room}/leave"))
    else:
        ok(ann.delete(f"/api/rooms/{room}/members/{bob.id}"), 204)
    assert rows(f"SELECT count(*) FROM drafts WHERE user_id = {bob.id}") == [(0,)]
    ok(bob.post(f"/api/rooms/{room}/join"))
    assert bob.get(f"/api/rooms/{room}/draft").status_code == 404 and listed(bob, room)["favorite"] is False
