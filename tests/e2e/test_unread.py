# SPDX-License-Identifier: ISC
"""Read markers: unread messages and mentions in the list of rooms, live on user:me, and what is stored when."""

import pytest

from parlour import wait_for
from test_feedback_requests import listener, listeners


def numbers(user, room):
    """(unread, mentions) of a room in the list; None: the user is not a member."""
    found = [r for r in user.get("/api/rooms?limit=200").json() if r["id"] == room]
    return (found[0]["unread"], found[0]["mentions"]) if found and "unread" in found[0] else None


def read(user, room, seq, how="read"):
    # covers: PUT /api/rooms/{room_id}/read
    # covers: PUT /api/rooms/{room_id}/unread
    answer = user.put(f"/api/rooms/{room}/{how}", {"seq": seq})
    assert answer.status_code == 200, answer.text
    got = answer.json()
    assert got.pop("room_id") == room
    return got


def stored(rows, room, user):
    found = rows(f"SELECT last_read FROM member_marks WHERE room_id = {room} AND user_id = {user.id}")
    return found[0][0] if found else None


def say(user, room, text="x"):
    answer = user.say(room, text)
    assert answer.status_code == 201, answer.text
    return answer.json()["seq"]


@pytest.fixture(name="pair")
def fixture_pair(shared):
    """Ann and bob in a room of ann."""
    ann, bob = shared.register(), shared.register()
    room = ann.room()["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    return ann, bob, room


# ---- the list of rooms ----

def test_what_counts(pair, rows):
    """Messages of others after the marker; not what was there before, one's own, deleted ones, or changes of the room."""
    ann, bob, room = pair
    assert numbers(bob, room) == (0, 0), "what was there before bob came is not news"
    seqs = [say(ann, room, text) for text in ("one", f"@{bob.name} two", "three", f"@{bob.name} four")]
    wait_for(lambda: numbers(bob, room) == (4, 2), 10, "four messages, two mentions")
    assert numbers(ann, room) == (0, 0), "one's own messages"
    assert ann.delete(f"/api/rooms/{room}/messages/{seqs[1]}").status_code == 204
    assert numbers(bob, room) == (3, 1), "a deleted one does not count, nor does the entry of its deletion"
    assert read(bob, room, seqs[2]) == {"last_read": seqs[2], "unread": 1, "mentions": 1}
    assert stored(rows, room, bob) == seqs[2], "the answer waited for the commit"
    assert read(bob, room, seqs[0]) == {"last_read": seqs[2], "unread": 1, "mentions": 1}, "never back"
    assert read(bob, room, seqs[1], "unread") == {"last_read": seqs[1] - 1, "unread": 2, "mentions": 1}, "but by its own route"
    assert numbers(bob, room) == (2, 1)
    own = say(bob, room)
    wait_for(lambda: stored(rows, room, bob) == own, 10, "who writes has read what was before")
    assert numbers(bob, room) == (0, 0)


def test_at_most_a_hundred(pair, rows):
    ann, bob, room = pair
    rows(f"INSERT INTO messages (room_id, seq, author_id, created_at, author_kind, client_id, content) SELECT {room}, r.last_seq + i, {ann.id}, "
         f"now(), 'user', 'many' || i, 'x' FROM rooms r, generate_series(1, 1500) i WHERE r.id = {room}")
    rows(f"UPDATE rooms SET last_seq = last_seq + 1500 WHERE id = {room}")
    assert numbers(bob, room) == (100, 0)


def test_who_may(pair, shared):
    ann, bob, room = pair
    cyd, secret = shared.register(), ann.room(visibility="private")["id"]
    last = say(ann, room)
    for how in ("read", "unread"):
        for user, number, status in ((cyd, secret, 404), (cyd, room, 403), (bob, 999999999, 404)):
            assert user.put(f"/api/rooms/{number}/{how}", {"seq": 1}).status_code == status, (how, status)
        for seq in (0, -1, "x", None, 2 ** 63, last + 1):
            answer = bob.put(f"/api/rooms/{room}/{how}", {"seq": seq})
            assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "seq"], (how, seq)
    assert numbers(cyd, room) is None, "only members have a marker"


def test_it_goes_with_the_membership(pair, rows):
    ann, bob, room = pair
    say(ann, room)
    assert numbers(bob, room) == (1, 0)
    assert bob.post(f"/api/rooms/{room}/leave").status_code == 200
    assert stored(rows, room, bob) is None and numbers(bob, room) is None
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    assert numbers(bob, room) == (0, 0)


# ---- sockets ----

def enter(user, room):
    sock = user.ws()
    sock.send("subscribe", topic=f"room:{room}")
    sock.expect("subscribed", topic=f"room:{room}")
    return sock


def test_a_frame_is_stored(pair, rows):
    """Within 2 s, and soon after the socket is closed; an older marker changes nothing; "unread" drops what still waits."""
    ann, bob, room = pair
    seqs = [say(ann, room) for _ in range(6)]
    sock = enter(bob, room)
    before = stored(rows, room, bob)
    for seq in (seqs[1], seqs[0]):
        sock.send("read", topic=f"room:{room}", seq=seq)
    sock.ping_pong()
    assert stored(rows, room, bob) == before, "not at once"
    wait_for(lambda: stored(rows, room, bob) == seqs[1], 5, "the newest one")
    assert numbers(bob, room) == (4, 0)
    sock.send("read", topic=f"room:{room}", seq=seqs[4])
    sock.ping_pong()
    assert read(bob, room, seqs[2], "unread")["unread"] == 4
    sock.send("read", topic=f"room:{room}", seq=seqs[1])
    sock.ping_pong()
    sock.close()
    other = enter(bob, room)
    other.send("read", topic=f"room:{room}", seq=seqs[5])
    other.ping_pong()
    other.drop()
    wait_for(lambda: stored(rows, room, bob) == seqs[5], 1.5, "the socket closed")


def test_the_end_of_a_worker(parlour, rows):
    daemon = parlour()
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    seq = say(ann, room)
    sock = enter(bob, room)
    seq = say(ann, room)
    sock.send("read", topic=f"room:{room}", seq=seq)
    sock.ping_pong()
    daemon.stop()
    assert stored(rows, room, bob) == seq


# ---- live ----

def unread(sock, room, **fields):
    frame = sock.expect("unread", room_id=room, **fields)
    return frame["last_read"], frame["unread"], frame["mentions"]


def test_news_on_every_worker(pair, shared, rows):
    """New messages, mentions, deletions, and markers reach all devices of the user, and nobody else's."""
    ann, bob, room = pair
    socks, silent = listeners(shared, bob), listener(shared.register())      # covers: native < unread
    was = stored(rows, room, bob)
    first = say(ann, room)
    for sock in socks:
        assert unread(sock, room) == (was, 1, 0)
    last = say(ann, room, f"@{bob.name}")
    for sock in socks:
        assert unread(sock, room, mentions=1) == (was, 2, 1)
    read(bob, room, first)
    for sock in socks:
        assert unread(sock, room, last_read=first) == (first, 1, 1)
    assert ann.delete(f"/api/rooms/{room}/messages/{last}").status_code == 204
    for sock in socks:
        assert unread(sock, room, unread=0) == (first, 0, 0)
    last = say(ann, room)
    with enter(bob, room) as phone:
        phone.send("read", topic=f"room:{room}", seq=last)
        for sock in socks:
            assert unread(sock, room, last_read=last) == (last, 0, 0)
    read(bob, room, first, "unread")
    for sock in socks:
        assert unread(sock, room, last_read=first - 1) == (first - 1, 2, 0)
    silent.silent_until(silent.ping_pong, "unread")
    for sock in (*socks, silent):
        sock.drop()


def test_many_messages_are_few_frames(pair):
    """At most one frame a second; none any more when there are a hundred, until the marker moves."""
    ann, bob, room = pair
    sock = listener(bob)
    with enter(ann, room) as busy:
        for n in range(110):
            busy.send("send", topic=f"room:{room}", content=str(n))
        for n in range(110):
            last = busy.expect("ack")["seq"]
    frames = [sock.expect("unread", room_id=room)]
    while frames[-1]["unread"] < 100:
        frames.append(sock.expect("unread", room_id=room))
    assert len(frames) < 20, frames
    last = max(last, say(ann, room))
    sock.silent_until(sock.ping_pong, "unread")
    read(bob, room, last)
    assert unread(sock, room, last_read=last) == (last, 0, 0)
    sock.drop()


def test_rooms_that_come_and_go(pair, rows):
    """A room that the user joins while a socket listens counts from then on; one that the user left does not."""
    ann, bob, room = pair
    sock = listener(bob)
    new = ann.room()["id"]
    assert ann.post(f"/api/rooms/{new}/members", {"user_id": bob.id}).status_code == 201
    sock.expect("joined", room_id=new)
    was = stored(rows, new, bob)
    say(ann, new)
    assert unread(sock, new) == (was, 1, 0)
    assert bob.post(f"/api/rooms/{room}/leave").status_code == 200
    sock.expect("left", room_id=room)
    say(ann, room)
    say(ann, new)
    assert unread(sock, new) == (was, 2, 0)
    assert not [f for f in sock.inbox if f.get("room_id") == room]
    sock.drop()
