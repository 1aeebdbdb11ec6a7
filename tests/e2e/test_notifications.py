# SPDX-License-Identifier: ISC
"""The inbox: one notification per cause, what it shows of rooms and texts, marking as read, events on user:me, and
limits."""

import secrets
import threading

import psycopg
import pytest

from parlour import wait_for
from test_feedback_requests import ask, listener, listeners


def inbox(user, **query):
    answer = user.get("/api/notifications", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(user, **query):
    return inbox(user, **query)["items"]


def until(user, count):
    """Waits until the inbox has this many notifications, and fails if it has more."""
    wait_for(lambda: len(items(user)) >= count, 10, f"{count} notifications")
    found = items(user)
    assert len(found) == count, found
    return found


def brief(found):
    return [(n["kind"], n["actor"], n["seq"]) for n in found]


@pytest.fixture(name="people")
def fixture_people(shared):
    """Creates ann and bob in a public room, and a user who is not in it."""
    ann, bob, cyd = (shared.register() for _ in range(3))
    room = ann.room()["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    return ann, bob, cyd, room


@pytest.fixture(name="settled")
def fixture_settled(rows):
    """settled(room) waits until every message of the room has caused its notifications."""
    return lambda room: wait_for(lambda: rows(f"SELECT count(*) FROM notification_queue WHERE room_id = {room}") == [(0,)], 10)


# ---- what notifies ----

def test_mentions(people, settled):
    """Mentions count in any case of letters, but not in code, not of oneself, and not of users who are not in the
    room."""
    ann, bob, cyd, room = people
    said = [(f"hello @{bob.name}", True), (f"@{bob.name.upper()}!", True), (f"\uff20{bob.name}...", True),
            (f"`@{bob.name}`", False), (f"mail@{bob.name}", False), (f"@{bob.name}x", False), (f"@{cyd.name}", False),
            (f"@{ann.name}", False), ("@", False), ("no mention at all", False), (f"@{bob.name}, @{bob.name}", True)]
    seqs = []
    for text, counts in said:
        seq = ann.say(room, text).json()["seq"]
        if counts:
            seqs.append(seq)
    settled(room)
    found = sorted(until(bob, len(seqs)), key=lambda n: -n["seq"])
    assert brief(found) == [("mention", ann.name, seq) for seq in reversed(seqs)]
    assert items(cyd) == [] and items(ann) == []
    first = found[-1]
    assert first == {"id": first["id"], "kind": "mention", "actor_id": ann.id, "actor": ann.name, "actor_name": None, "room_id": room,
                     "room": ann.get(f"/api/rooms/{room}").json()["name"], "seq": seqs[0], "request_id": None,
                     "text": f"hello @{bob.name}", "created_at": first["created_at"], "read_at": None}


def test_names_that_contain_others(shared, people, settled):
    """The longest matching name of a user or a role of the room is mentioned."""
    ann, _, _, room = people
    base = "n" + secrets.token_hex(4)
    short, dotted = shared.register(base), shared.register(base + ".x")
    for user in (short, dotted):
        user.post(f"/api/rooms/{room}/join")
    role = ann.role(base.upper() + " Bot", upstream="local")
    assert ann.put(f"/api/rooms/{room}/roles/{role['id']}").status_code == 200
    ann.patch(f"/api/rooms/{room}", {"reply_policy": "off"})
    one = ann.say(room, f"@{base}. And").json()["seq"]
    two = ann.say(room, f"@{base}.x.").json()["seq"]
    ann.say(room, f"@{base.upper()} Bot, hello")
    settled(room)
    assert brief(until(short, 1)) == [("mention", ann.name, one)]
    assert brief(until(dotted, 1)) == [("mention", ann.name, two)]


def test_replies(people, settled):
    """A reply notifies the author of the message once, as a mention if it also mentions the author."""
    ann, bob, _, room = people
    first = bob.say(room, "a question").json()["seq"]
    plain = ann.say(room, "an answer", reply_to=first).json()["seq"]
    both = ann.say(room, f"@{bob.name} another", reply_to=first).json()["seq"]
    bob.say(room, "to myself", reply_to=first)
    settled(room)
    assert sorted(brief(until(bob, 2))) == [("mention", ann.name, both), ("reply", ann.name, plain)]


def test_sent_twice(people, settled):
    """A message sent again with its client_id notifies once; so does a batch of messages."""
    ann, bob, _, room = people
    for _ in range(3):
        assert ann.say(room, f"@{bob.name}", client_id="same").status_code in (200, 201)
    threads = [threading.Thread(target=ann.say, args=(room, f"@{bob.name} {i}")) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(room)
    assert len({n["seq"] for n in until(bob, 9)}) == 9


def test_other_kinds(shared, people):
    """Being added to a room, a used invite, and a question cause notifications."""
    ann, bob, cyd, _ = people
    room = ann.room(visibility="private")
    assert ann.post(f"/api/rooms/{room['id']}/members", {"user_id": bob.id}).status_code == 201
    [added] = until(bob, 1)
    assert (added["kind"], added["actor"], added["room"], added["seq"], added["text"]) == ("added", ann.name, room["name"], 2, None)
    token = ann.post("/api/invites", {"room_id": room["id"]}).json()["token"]
    assert cyd.post("/api/invites/accept", {"token": token}).status_code == 200
    [used] = until(ann, 1)
    assert (used["kind"], used["actor"], used["room_id"], used["seq"]) == ("invite", cyd.name, room["id"], None)
    request = ask(ann, cyd.name).json()
    [asked] = until(cyd, 1)
    assert (asked["kind"], asked["actor_id"], asked["request_id"], asked["text"]) == ("question", ann.id, request["id"], request["question"])
    assert ann.post(f"/api/rooms/{room['id']}/members", {"user_id": bob.id, "level": "moderator"}).status_code in (200, 201)
    assert shared.register().post(f"/api/rooms/{ann.room()['id']}/join").status_code == 200
    assert len(items(bob)) == len(items(cyd)) == len(items(ann)) == 1


def test_blocked_people(people, settled):
    """Blocked users cause no notifications of any kind; after unblocking, only later acts do."""
    ann, bob, _, room = people
    first = bob.say(room, "a question").json()["seq"]
    assert bob.put(f"/api/users/{ann.id}/block").status_code == 204
    ann.say(room, f"@{bob.name}")
    ann.say(room, "an answer", reply_to=first)
    ask(ann, bob.name)
    settled(room)
    assert items(bob) == []
    assert bob.delete(f"/api/users/{ann.id}/block").status_code == 204
    seq = ann.say(room, f"@{bob.name} again").json()["seq"]
    assert brief(until(bob, 1)) == [("mention", ann.name, seq)]


def test_kinds_that_are_off(people, settled):
    """A notification of a disabled kind is not stored; a disabled mention can still be a reply; PUT replaces all
    choices."""
    ann, bob, _, room = people
    kinds = ("mention", "reply", "added", "invite", "question")
    everything = {**dict.fromkeys(kinds, "live"), "digest_hour": 8, "digest_at": None}
    assert bob.get("/api/notifications/settings").json() == everything
    chosen = bob.put("/api/notifications/settings", {"mention": "off", "question": "off", "added": "off"}).json()
    assert chosen == {**everything, "mention": "off", "question": "off", "added": "off"} == bob.get("/api/notifications/settings").json()
    first = bob.say(room, "a question").json()["seq"]
    ann.say(room, f"@{bob.name}")
    both = ann.say(room, f"@{bob.name}", reply_to=first).json()["seq"]
    ask(ann, bob.name)
    ann.post(f"/api/rooms/{ann.room(visibility='private')['id']}/members", {"user_id": bob.id})
    settled(room)
    assert brief(until(bob, 1)) == [("reply", ann.name, both)]
    assert bob.put("/api/notifications/settings", {}).json() == everything == ann.get("/api/notifications/settings").json()
    seq = ann.say(room, f"@{bob.name}").json()["seq"]
    assert brief(until(bob, 2))[0] == ("mention", ann.name, seq)
    for body in ({"mention": "loud"}, {"digest_hour": 24}, {"digest_hour": -1}, {"digest_hour": "8"}, {"reply": 1}):
        assert bob.put("/api/notifications/settings", body).status_code == 422, body
        assert bob.patch("/api/notifications/settings", body).status_code == 422, body
    for method in ("GET", "PUT", "PATCH"):
        assert ann.api.once(method, "/api/notifications/settings").status_code == 401


# ---- what the inbox shows ----

def test_deleted_words_are_nowhere(people, rows):
    ann, bob, _, room = people
    word = "s" + secrets.token_hex(8)
    seq = ann.say(room, f"@{bob.name} {word}").json()["seq"]
    [one] = until(bob, 1)
    assert word in one["text"]
    assert rows(f"SELECT status FROM message_delete({room}, {seq}, {ann.id}, false)")[0] == ("ok",)
    assert items(bob)[0]["text"] is None
    assert items(bob)[0]["seq"] == seq
    assert rows(f"SELECT count(*) FROM notifications n WHERE n::text LIKE '%{word}%'") == [(0,)]


def test_rooms_that_one_may_no_longer_read(people, rows):
    """A user who was removed from a private room sees neither the room nor the text; after joining again, both are
    visible."""
    ann, bob, _, _ = people
    room = ann.room(visibility="private")["id"]
    ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    ann.say(room, f"@{bob.name} a secret")
    assert [n["text"] for n in until(bob, 2)] == [f"@{bob.name} a secret", None]
    assert ann.delete(f"/api/rooms/{room}/members/{bob.id}").status_code == 204
    for n in items(bob):
        assert (n["room_id"], n["room"], n["seq"], n["text"]) == (None,) * 4 and n["actor"] == ann.name
    ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    assert items(bob)[1]["text"] == f"@{bob.name} a secret"
    assert rows(f"SELECT room_delete({room}, {ann.id}, false)") == [("ok",)] and items(bob) == []


def test_pages_and_reading(people):
    ann, bob, cyd, room = people
    for i in range(5):
        ann.say(room, f"@{bob.name} {i}")
        until(bob, i + 1)
    ids = [n["id"] for n in items(bob)]
    assert ids == sorted(ids, reverse=True)
    page = inbox(bob, limit=2)
    assert ([n["id"] for n in page["items"]], page["unread"], page["has_more"]) == (ids[:2], 5, True)
    page = inbox(bob, limit=3, before_id=ids[1])
    assert ([n["id"] for n in page["items"]], page["has_more"]) == (ids[2:], False)
    assert inbox(bob, before_id=ids[-1]) == {"items": [], "unread": 5, "has_more": False}
    assert bob.post(f"/api/notifications/{ids[1]}/read").json() == {"unread": 4}
    assert bob.post(f"/api/notifications/{ids[1]}/read").json() == {"unread": 4}
    assert items(bob)[1]["read_at"] is not None
    assert [n["id"] for n in items(bob, show="unread")] == [ids[0]] + ids[2:]
    assert bob.post("/api/notifications/read-all", {"up_to": ids[2]}).json() == {"unread": 1}
    assert bob.post("/api/notifications/read-all", {}).json() == {"unread": 0}
    assert items(bob, show="unread") == [] and len(items(bob)) == 5
    absent = [cyd.post(f"/api/notifications/{n}/read") for n in (ids[0], 987654321, 0, "x")]
    assert {a.status_code for a in absent} == {404}
    for method, path in (("GET", "/api/notifications"), ("POST", "/api/notifications/read-all"), ("POST", "/api/notifications/1/read")):
        assert ann.api.once(method, path).status_code == 401
    for bad in ("limit=0", "limit=201", "before_id=0", "before_id=x", "show=maybe"):
        assert bob.get("/api/notifications?" + bad).status_code == 422


# ---- live ----

def test_news_on_every_worker(people):
    """New and read notifications are sent to all sockets of the user and to nobody else."""
    ann, bob, cyd, room = people
    socks, silent = listeners(ann.api, bob), listener(cyd)      # covers: native < notification
    seq = ann.say(room, f"@{bob.name} news").json()["seq"]
    for sock in socks:
        frame = sock.expect("notification")
        told = frame["notification"]
        assert (frame["event"], frame["unread"], told["kind"], told["seq"], told["text"]) == ("created", 1, "mention", seq, f"@{bob.name} news")
    request = ask(ann, bob.name).json()
    for sock in socks:
        frame = sock.expect("notification")
        assert (frame["unread"], frame["notification"]["kind"], frame["notification"]["request_id"]) == (2, "question", request["id"])
    bob.post("/api/notifications/read-all", {})
    for sock in socks:
        frame = sock.expect("notification")
        assert (frame["event"], frame["unread"]) == ("read", 0) and "notification" not in frame
        sock.drop()
    silent.silent_until(silent.ping_pong, "notification")
    silent.drop()


# ---- limits and faults ----

def test_announcing_locks_inboxes_before_rows(shared, people, rows, pg_dsn):
    """While it waits for one inbox, it holds no row of another: who has the first inbox may need that row."""
    ann, _, _, room = people
    first, second = sorted((shared.register(), shared.register()), key=lambda user: user.id)
    with psycopg.connect(pg_dsn) as held:
        held.execute(f"SELECT pg_advisory_xact_lock(hashtext('parlour notifications'), {first.id})")
        rows("INSERT INTO notifications (user_id, kind, actor_id, room_id) VALUES "
             + ", ".join(f"({user.id}, 'added', {ann.id}, {room})" for user in (first, second)))
        wait_for(lambda: rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != [(0,)], 10, "the clerk waits")
        held.execute(f"SELECT 1 FROM notifications WHERE user_id = {second.id} FOR UPDATE NOWAIT")
        held.rollback()
    wait_for(lambda: rows(f"SELECT count(*) FROM notifications WHERE user_id IN ({first.id}, {second.id}) AND announced") == [(2,)], 10)


def test_as_many_as_are_kept(parlour, rows):
    """The inbox keeps the newest notifications_per_user, and none older than notifications_keep."""
    daemon = parlour(notifications_per_user="10", notifications_keep="1d")
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    for text in [f"@{bob.name} {i}" for i in range(14)]:
        seq = ann.say(room, text).json()["seq"]
        wait_for(lambda wanted=seq: items(bob)[:1] and items(bob)[0]["seq"] == wanted, 10)
    assert [n["text"] for n in items(bob)] == [f"@{bob.name} {i}" for i in range(13, 3, -1)]
    requests = [ask(ann, bob.name).json()["id"] for _ in range(3)]
    # the clerk of another daemon may have announced the questions
    last = ann.say(room, f"@{bob.name} last").json()["seq"]
    wait_for(lambda: [n["seq"] or n["request_id"] for n in items(bob)][:4] == [last] + requests[::-1], 10)
    assert len(items(bob)) == 10
    rows(f"UPDATE notifications SET created_at = now() - interval '25 h' WHERE user_id = {bob.id} AND kind = 'mention'")
    daemon.stop()
    daemon.start()
    wait_for(lambda: rows(f"SELECT count(*) FROM notifications WHERE user_id = {bob.id}") == [(3,)], 10)


def test_nothing_is_lost_when_workers_die(parlour, rows):
    """Acknowledged messages with a mention notify exactly once, although workers are killed between the commit and the
    notification. During that time, the table of notifications is locked."""
    daemon = parlour(workers=2)
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    with psycopg.connect(daemon.settings["db"]) as held:
        held.execute("LOCK TABLE notifications IN SHARE MODE")
        seqs = [ann.say(room, f"@{bob.name} {i}").json()["seq"] for i in range(6)]
        for pid in daemon.procs("worker").values():
            daemon.kill_child(pid)
        held.rollback()
    # a worker that was killed may still have had the connection of the first attempt
    bob = wait_for(lambda: daemon.login(bob.name), 20, "the new workers answer")
    wait_for(lambda: len(items(bob)) >= len(seqs), 20, "the clerk has notified")
    assert sorted(n["seq"] for n in until(bob, len(seqs))) == seqs
    assert rows("SELECT count(*) FROM notification_queue") == [(0,)]


def test_messages_without_a_mention_cost_nothing(pg_dsn, people):
    """Messages without a mention do not use the queue: they work while it is locked."""
    ann, _, _, room = people
    with psycopg.connect(pg_dsn) as held:
        held.execute("LOCK TABLE notification_queue IN EXCLUSIVE MODE")
        for text in ("nobody is meant", "x" * 8000):
            assert ann.say(room, text).status_code == 201
        held.rollback()
