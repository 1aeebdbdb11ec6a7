# SPDX-License-Identifier: ISC
"""Reactions to messages and pinned messages: who may, limits, what pages, listeners, and replays show, and what a deletion removes."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from test_message_edit import path, say, trio  # noqa: F401
from test_ws import subscribe

THUMB, HEART, FLAG = "\U0001f44d", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea"


def reaction(room, seq, emoji):
    return path(room, seq, "/reactions/" + quote(emoji))


def shown(user, room, seq):
    """Reactions as the newest page and the message itself show them."""
    one = user.get(path(room, seq)).json()
    page = [m for m in user.get(f"/api/rooms/{room}/messages").json() if m["seq"] == seq]
    assert page == [one], "the page from memory shows the same"
    return [(r["emoji"], r["count"], r["user_ids"]) for r in one.get("reactions", [])]


def test_reactions_are_counted_and_live(trio):  # noqa: F811
    ann, bob, _, room = trio
    seq = say(bob, room, "tea?")["seq"]
    with ann.ws() as sock:
        subscribe(sock, room)
        assert shown(ann, room, seq) == []
        assert ann.put(f"/api/rooms/{room}/messages/{seq}/reactions/{quote(THUMB)}").status_code == 204
        frame = sock.expect("reaction_added")
        assert frame["target_seq"] == seq and frame["body"] == {"emoji": THUMB, "count": 1} and frame["seq"] == seq + 1
        assert frame["actor"] == {"kind": "user", "id": ann.id, "name": ann.name}
        assert ann.put(reaction(room, seq, THUMB)).status_code == 204, "again: nothing happens"
        assert bob.put(reaction(room, seq, THUMB)).status_code == 204
        frame = sock.expect("reaction_added")
        assert frame["seq"] == seq + 2 and frame["body"] == {"emoji": THUMB, "count": 2}
        assert ann.put(reaction(room, seq, "\u2764")).status_code == 204, "the plain heart is the same as the red one"
        assert sock.expect("reaction_added")["body"] == {"emoji": HEART, "count": 1}
        assert ann.put(reaction(room, seq, HEART)).status_code == 204
        assert shown(bob, room, seq) == [(THUMB, 2, [ann.id, bob.id]), (HEART, 1, [ann.id])]
        assert ann.delete(f"/api/rooms/{room}/messages/{seq}/reactions/{quote(THUMB)}").status_code == 204
        frame = sock.expect("reaction_removed")
        assert frame["seq"] == seq + 4 and frame["body"] == {"emoji": THUMB, "count": 1}
        assert ann.delete(reaction(room, seq, THUMB)).status_code == 204
    assert shown(bob, room, seq) == [(THUMB, 1, [bob.id]), (HEART, 1, [ann.id])]
    assert ann.get(path(room, seq)).json()["content"] == "tea?" and "edited_at" not in ann.get(path(room, seq)).json()


def test_who_reacted(trio):  # noqa: F811
    ann, bob, eve, room = trio
    seq = say(bob, room, "who?")["seq"]
    for user, emoji in ((ann, THUMB), (bob, THUMB), (bob, FLAG)):
        assert user.put(reaction(room, seq, emoji)).status_code == 204
    where = path(room, seq, "/reactions")
    listed = ann.get(f"/api/rooms/{room}/messages/{seq}/reactions").json()
    assert [(r["emoji"], r["user_id"], r["username"]) for r in listed] == \
        [(THUMB, ann.id, ann.name), (THUMB, bob.id, bob.name), (FLAG, bob.id, bob.name)]
    assert [r["user_id"] for r in ann.get(f"{where}?emoji={quote(FLAG)}").json()] == [bob.id]
    assert [r["emoji"] for r in ann.get(f"{where}?user_id={ann.id}").json()] == [THUMB]
    first = ann.get(f"{where}?limit=2")
    assert len(first.json()) == 2 and f"after={listed[1]['id']}" in first.headers["Link"]
    assert ann.get(f"{where}?after={listed[1]['id']}").json() == listed[2:]
    assert f"?emoji={quote(THUMB)}&after={listed[0]['id']}&" in ann.get(f"{where}?emoji={quote(THUMB)}&limit=1").headers["Link"]
    assert eve.get(where).status_code == 404 and ann.get(path(room, seq + 100, "/reactions")).status_code == 404
    bad = ann.get(f"{where}?emoji=x")
    assert bad.status_code == 422 and bad.json()["detail"][0]["loc"] == ["query", "emoji"]


def test_what_is_not_an_emoji(trio):  # noqa: F811
    _, bob, _, room = trio
    seq = say(bob, room, "good")["seq"]
    for text in ("a", "1", "ok", ":)", THUMB * 2, " " + THUMB, "\u200d", THUMB + "\u200d", "\U0001f1e9", "x" * 200):
        for method in ("PUT", "DELETE"):
            answer = bob.request(method, reaction(room, seq, text))
            assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["path", "emoji"], text
    assert shown(bob, room, seq) == []


def test_who_may_react_and_pin(trio, rows, shared):  # noqa: F811
    ann, bob, eve, room = trio
    seq = say(bob, room, "mine")["seq"]
    for where in (reaction(room, seq, THUMB), path(room, seq, "/pin")):
        for method in ("PUT", "DELETE"):
            assert eve.request(method, where).status_code == 404 and shared.once(method, where).status_code == 401
    for method in ("PUT", "DELETE"):
        assert bob.request(method, path(room, seq, "/pin")).status_code == 403, "members do not pin"
        for other in (1, seq + 50, 0):   # a change, a seq to come, not a seq
            assert ann.request(method, reaction(room, other, THUMB)).status_code == 404
            assert ann.request(method, path(room, other, "/pin")).status_code == 404
    assert eve.get(f"/api/rooms/{room}/pins").status_code == 404
    public = ann.room()["id"]
    there = say(ann, public, "open")["seq"]
    assert eve.put(reaction(public, there, THUMB)).status_code == 403, "not a member"
    assert ann.put(reaction(room, seq, THUMB)).status_code == 204 and ann.put(path(room, seq, "/pin")).status_code == 204
    rows(f"UPDATE rooms SET archived = true WHERE id = {room} RETURNING id")
    for where in (reaction(room, seq, THUMB), path(room, seq, "/pin")):
        for method in ("PUT", "DELETE"):
            assert ann.request(method, where).json()["code"] == "archived"
    assert len(ann.get(f"/api/rooms/{room}/pins").json()) == 1


def test_limits(trio, rows):  # noqa: F811
    ann, bob, _, room = trio
    seq = say(bob, room, "many")["seq"]
    rows(f"INSERT INTO reactions (room_id, seq, user_id, emoji) SELECT {room}, {seq}, {bob.id}, chr(128512 + n) "
         "FROM generate_series(1, 20) n RETURNING id")
    refused = ann.put(reaction(room, seq, THUMB))
    assert refused.status_code == 409 and "20" in refused.json()["detail"]
    assert ann.put(reaction(room, seq, chr(128513))).status_code == 204, "an emoji that is there already"
    assert bob.delete(reaction(room, seq, chr(128520))).status_code == 204
    assert ann.put(reaction(room, seq, THUMB)).status_code == 204
    assert len(shown(ann, room, seq)) == 20
    rows(f"INSERT INTO pins (room_id, seq, user_id) SELECT {room}, 1000 + n, {ann.id} FROM generate_series(1, 50) n RETURNING seq")
    refused = ann.put(path(room, seq, "/pin"))
    assert refused.status_code == 409 and "50" in refused.json()["detail"]


def test_pins(trio):  # noqa: F811
    ann, bob, _, room = trio
    first, second = say(bob, room, "first"), say(bob, room, "second")
    with bob.ws() as sock:
        subscribe(sock, room)
        for message in (second, first, first):
            assert ann.put(path(room, message["seq"], "/pin")).status_code == 204
        frames = [sock.expect("pinned"), sock.expect("pinned")]
        assert [f["target_seq"] for f in frames] == [second["seq"], first["seq"]] and frames[0]["actor"]["id"] == ann.id
        pins = bob.get(f"/api/rooms/{room}/pins").json()
        assert [m["content"] for m in pins] == ["first", "second"] and pins[0]["pinned_by"] == ann.id and pins[0]["pinned_at"]
        assert pins == [m for m in bob.get(f"/api/rooms/{room}/messages").json() if "pinned_at" in m]
        page = bob.get(f"/api/rooms/{room}/pins?limit=1")
        assert [m["content"] for m in page.json()] == ["second"] and f"before={second['seq']}" in page.headers["Link"]
        assert [m["content"] for m in bob.get(f"/api/rooms/{room}/pins?after={first['seq']}").json()] == ["second"]
        seq = first["seq"]
        assert ann.delete(f"/api/rooms/{room}/messages/{seq}/pin").status_code == 204
        assert sock.expect("unpinned")["target_seq"] == seq
        assert ann.delete(path(room, first["seq"], "/pin")).status_code == 204
    assert [m["seq"] for m in bob.get(f"/api/rooms/{room}/pins").json()] == [second["seq"]]
    assert bob.get(path(room, first["seq"])).json() == first


def test_replay_and_deletion(trio, rows):  # noqa: F811
    """A client that was away receives the changes; a deleted message has neither reactions nor a pin."""
    ann, bob, _, room = trio
    with ann.ws() as sock:
        head = subscribe(sock, room)
    seq = say(bob, room, "for a while")["seq"]
    assert ann.put(reaction(room, seq, THUMB)).status_code == 204
    assert ann.put(path(room, seq, "/pin")).status_code == 204
    assert ann.delete(reaction(room, seq, THUMB)).status_code == 204
    assert bob.put(reaction(room, seq, FLAG)).status_code == 204
    with ann.ws() as sock:
        assert subscribe(sock, room, since=head["seq"], epoch=1)["recovered"] is True
        message = sock.expect("message")["message"]
        assert "reactions" not in message and "pinned_at" not in message, "their events follow"
        kinds = ("reaction_added", "pinned", "reaction_removed", "reaction_added")
        assert [sock.expect(kind)["target_seq"] for kind in kinds] == [seq] * 4
    assert bob.patch(path(room, seq), {"content": "edited"}).status_code == 200
    assert shown(ann, room, seq) == [(FLAG, 1, [bob.id])] and "pinned_at" in ann.get(path(room, seq)).json()
    assert bob.delete(path(room, seq)).status_code == 204
    gone = ann.get(path(room, seq)).json()
    assert gone["deleted_at"] and "reactions" not in gone and "pinned_at" not in gone
    assert ann.get(path(room, seq, "/reactions")).json() == [] and ann.get(f"/api/rooms/{room}/pins").json() == []
    assert rows(f"SELECT count(*) FROM reactions WHERE room_id = {room}") == [(0,)]
    assert ann.put(reaction(room, seq, THUMB)).status_code == 404 and ann.put(path(room, seq, "/pin")).status_code == 404


def test_everybody_at_once(trio, rows):  # noqa: F811
    """Reactions, edits, and a deletion at the same time: the shown counts are those of the table, and the log has no gaps."""
    ann, bob, _, room = trio
    seq, other = say(bob, room, "loved")["seq"], say(bob, room, "gone")["seq"]
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(user.request, method, reaction(room, target, emoji)) for method in ("PUT", "DELETE", "PUT")
                for user in (ann, bob) for emoji in (THUMB, FLAG) for target in (seq, other)]
        jobs += [pool.submit(bob.patch, path(room, seq), {"content": "more"}), pool.submit(bob.delete, path(room, other))]
        assert {job.result().status_code for job in jobs} <= {200, 204, 404}
    table = rows(f"SELECT emoji, count(*) FROM reactions WHERE room_id = {room} AND seq = {seq} GROUP BY emoji")
    assert sorted((emoji, count) for emoji, count, _ in shown(ann, room, seq)) == sorted(table)
    assert rows(f"SELECT count(*) FROM reactions WHERE room_id = {room} AND seq = {other}") == [(0,)]
    assert rows(f"SELECT last_seq - (SELECT count(*) FROM messages WHERE room_id = {room}) - (SELECT count(*) FROM room_changes "
                f"WHERE room_id = {room}) FROM rooms WHERE id = {room}") == [(0,)]


def test_reactions_go_with_an_account_and_a_room(trio, rows):  # noqa: F811
    ann, bob, _, room = trio
    seq = say(ann, room, "stays")["seq"]
    for user in (ann, bob):
        assert user.put(reaction(room, seq, THUMB)).status_code == 204
    assert ann.put(path(room, seq, "/pin")).status_code == 204
    rows(f"SELECT account_rows_drop({bob.id}, 1000)")
    assert shown(ann, room, seq) == [(THUMB, 1, [ann.id])]
    assert rows(f"SELECT room_delete({room}, {ann.id}, false)") == [("ok",)]
    for table in ("reactions", "pins"):
        assert rows(f"SELECT count(*) FROM {table} WHERE room_id = {room}") == [(0,)]


def test_many_users(shared, rows):
    """The list of users in a page ends at 50; the count goes on."""
    ann = shared.register("many" + secrets.token_hex(4))
    room = ann.room()["id"]
    seq = say(ann, room, "popular")["seq"]
    rows("WITH u AS (INSERT INTO users (username, password_hash) SELECT 'fan' || n || 'x' || substr(md5(random()::text), 1, 6), 'x' "
         f"FROM generate_series(1, 60) n RETURNING id) INSERT INTO reactions (room_id, seq, user_id, emoji) SELECT {room}, {seq}, id, "
         f"'{THUMB}' FROM u RETURNING id")
    [(emoji, count, users)] = shown(ann, room, seq)
    assert (emoji, count, len(users)) == (THUMB, 60, 50)
