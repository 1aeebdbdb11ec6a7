# SPDX-License-Identifier: ISC
"""Bans, the order of levels, and rooms that are handed over."""

import pytest

from parlour import wait_for
from test_room_settings import gone, listen, member


@pytest.fixture(name="crew")
def fixture_crew(shared):
    """A public room with an owner, two moderators, and a member."""
    owner, mod, peer, plain = (shared.register() for _ in range(4))
    room = owner.room()["id"]
    for user, level in ((mod, "moderator"), (peer, "moderator"), (plain, "member")):
        member(room, owner, user, level)
    return room, owner, mod, peer, plain


def without_id(answer):
    return answer.status_code, {k: v for k, v in answer.json().items() if k != "request_id"}


def levels(room, user):
    return {m["user_id"]: m["level"] for m in user.get(f"/api/rooms/{room}/members").json()}


def test_for_a_banned_user_the_room_does_not_exist(shared, crew, rows):
    room, owner, mod, _, plain = crew
    said = plain.say(room, f"hello @{owner.name}").json()
    invite = owner.post("/api/invites", {"room_id": room, "uses": 5}).json()["token"]
    assert owner.say(room, f"answer to @{plain.name}").status_code == 201
    wait_for(lambda: plain.get("/api/notifications").json()["items"][-1]["room_id"] == room)
    socks = [plain.ws() for _ in range(6)]
    old = plain.ws(f"/ws/chat/{room}", native=False)
    for sock in socks:
        listen(sock, room)
        sock.send("subscribe", topic="user:me")
        sock.expect("subscribed")
    with owner.ws() as watcher:
        since = listen(watcher, room)["seq"]
        assert mod.put(f"/api/rooms/{room}/bans/{plain.name}", {"reason": "spam"}).status_code == 204
        body = watcher.expect("left")["body"]
        assert body == {"user_id": plain.id, "username": plain.name, "level": "member", "banned": True}
    for sock in socks:
        assert gone(sock, room) and sock.expect("left", topic="user:me")["room_id"] == room
        sock.send("subscribe", topic=f"room:{room}", since=since, id="q")
        assert sock.expect("error", id="q")["code"] == "not_found", "recovery, too"
        sock.send("send", topic=f"room:{room}", content="x", id="s")
        assert sock.expect("error", id="s")["code"] == "not_found"
        sock.drop()
    assert old.wait_closed() == 4404
    for method, path, body in (("GET", "", None), ("GET", "/messages", None), ("GET", "/members", None), ("GET", f"/messages/{said['seq']}", None), ("GET", "/bans", None),
                               ("POST", "/join", {}), ("POST", "/leave", {}), ("POST", "/messages", {"content": "x"}), ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
                               ("PATCH", f"/messages/{said['seq']}", {"content": "x"}), ("DELETE", f"/messages/{said['seq']}", None), ("POST", "/members", {"user_id": mod.id}),
                               ("PUT", f"/bans/{mod.id}", {}), ("POST", "/owner", {"user_id": plain.id})):
        real, absent = (plain.request(method, f"/api/rooms/{n}{path}", body) for n in (room, 987654321))
        assert without_id(real) == without_id(absent) and real.status_code == 404, (method, path, real.text)
    for query in (f"after={room - 1}", "page=1&page_size=200"):
        listed = plain.get(f"/api/rooms?{query}").json()
        assert room not in [r["id"] for r in (listed if isinstance(listed, list) else listed["items"])]
    assert plain.post("/api/invites/accept", {"token": invite}).status_code == 422
    assert [n["room_id"] for n in plain.get("/api/notifications").json()["items"] if n["kind"] == "mention"] == [None]
    assert owner.post(f"/api/rooms/{room}/members", {"user_id": plain.id}).status_code == 409
    listed = mod.get(f"/api/rooms/{room}/bans").json()
    assert listed == [{"user_id": plain.id, "username": plain.name, "name": None, "banned_by": mod.id, "banned_by_username": mod.name,
                       "reason": "spam", "created_at": listed[0]["created_at"]}]
    assert owner.get(f"/api/rooms/{room}/bans?page=1&page_size=1").json()["total"] == 1
    assert shared.register().get(f"/api/rooms/{room}/bans").status_code == 403
    assert owner.delete(f"/api/rooms/{room}/bans/{plain.id}").status_code == 204
    assert owner.delete(f"/api/rooms/{room}/bans/{plain.id}").status_code == 404 and owner.get(f"/api/rooms/{room}/bans").json() == []
    assert plain.get(f"/api/rooms/{room}").json()["level"] is None, "not a member after the ban"
    assert plain.post(f"/api/rooms/{room}/join").status_code == 200 and plain.say(room, "back").status_code == 201
    acts = rows(f"SELECT action, actor_id FROM audit WHERE target = 'room:{room}' AND (action LIKE '%ban%' OR action = 'member removed') ORDER BY id")
    assert acts == [("member removed", mod.id), ("user banned", mod.id), ("ban lifted", owner.id)]


def test_bans_of_strangers_and_again(shared, crew):
    room, owner, mod, _, _ = crew
    stranger = shared.register()
    seq = owner.get(f"/api/rooms/{room}").json()["last_seq"]
    assert [mod.put(f"/api/rooms/{room}/bans/{stranger.id}", {"reason": text}).status_code for text in ("one", "two")] == [204, 204]
    assert mod.put(f"/api/rooms/{room}/bans/{stranger.id}", {}).status_code == 204
    assert owner.get(f"/api/rooms/{room}/bans").json()[0]["reason"] == "two" and owner.get(f"/api/rooms/{room}").json()["last_seq"] == seq + 1
    assert stranger.post(f"/api/rooms/{room}/join").status_code == 404 and stranger.say(room, "x").status_code == 404
    assert [mod.put(f"/api/rooms/{room}/bans/{who}", {}).status_code for who in (987654321, "no.such.user")] == [404, 404]
    assert mod.put(f"/api/rooms/{room}/bans/{stranger.id}", {"reason": "x" * 501}).status_code == 422
    assert stranger.post("/api/profile/delete", {"password": stranger.password}).status_code < 300
    assert owner.get(f"/api/rooms/{room}/bans").json() == [], "goes with the account"


def test_a_reader_of_an_archived_room_is_banned(shared, crew):
    room, owner, mod, _, _ = crew
    reader = shared.register()
    owner.patch(f"/api/rooms/{room}", {"archived": True})
    with reader.ws() as sock:
        listen(sock, room)
        assert mod.put(f"/api/rooms/{room}/bans/{reader.id}", {}).status_code == 204
        assert gone(sock, room)


def test_nobody_acts_on_an_equal_or_higher_level(crew):
    room, owner, mod, peer, plain = crew
    base = f"/api/rooms/{room}"
    for who, whom in ((mod, peer), (mod, owner), (plain, mod), (plain, owner), (mod, mod), (owner, owner)):
        assert who.put(f"{base}/bans/{whom.id}", {}).status_code == 403, (who.name, whom.name)
        if who is not whom:
            assert who.delete(f"{base}/members/{whom.id}").status_code == 403
            assert who.post(f"{base}/members", {"user_id": whom.id, "level": "member"}).status_code == 403
        assert who is owner or who.post(f"{base}/owner", {"user_id": whom.id}).status_code == 403
    assert plain.post(f"{base}/members", {"user_id": plain.id, "level": "moderator"}).status_code == 403
    assert mod.post(f"{base}/members", {"user_id": plain.id, "level": "moderator"}).status_code == 403
    assert levels(room, owner) == {owner.id: "owner", mod.id: "moderator", peer.id: "moderator", plain.id: "member"}
    assert mod.post(f"{base}/members", {"user_id": mod.id, "level": "member"}).json()["level"] == "member", "one's own may be lowered"
    assert owner.put(f"{base}/bans/{peer.id}", {}).status_code == 204
    assert owner.delete(f"{base}/members/{plain.id}").status_code == 204


def test_a_room_is_handed_over(shared, crew, rows):
    room, owner, mod, _, plain = crew
    base = f"/api/rooms/{room}"
    assert owner.post(f"{base}/leave").status_code == 409 and "hand it over" in owner.post(f"{base}/leave").json()["detail"]
    assert owner.post(f"{base}/owner", {"user_id": shared.register().id}).status_code == 404, "no member"
    assert owner.post(f"{base}/owner", {}).status_code == 422 and owner.post(f"{base}/owner", {"user_id": 987654321}).status_code == 404
    with plain.ws() as sock:
        listen(sock, room)
        answer = owner.post(f"{base}/owner", {"username": plain.name.upper()})     # covers: POST /api/rooms/{room_id}/owner
        assert answer.status_code == 200 and answer.json()["level"] == "moderator", answer.text
        seen = [(f["body"]["user_id"], f["body"]["level"]) for f in (sock.expect("member_level"), sock.expect("member_level"))]
        assert seen == [(owner.id, "moderator"), (plain.id, "owner")]
    assert levels(room, mod)[plain.id] == "owner"
    assert owner.patch(base, {"visibility": "private"}).status_code == 403 and plain.patch(base, {"visibility": "private"}).status_code == 200
    assert owner.post(f"{base}/leave").status_code == 200
    assert plain.post(f"{base}/owner", {"user_id": plain.id}).json()["level"] == "owner", "nothing changes"
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'room:{room}' AND action = 'member level changed'") == [(2,)]
    assert plain.post(f"{base}/leave").status_code == 409
    plain.patch(base, {"archived": True})
    left = plain.post(f"{base}/leave")
    assert left.status_code == 200 and mod.get(base).json()["archived"] is True
