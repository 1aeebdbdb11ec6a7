# SPDX-License-Identifier: ISC
"""Messages of one sender into one room are stored in the order of sending, whatever happens to the first of them."""

import time

import psycopg

import cluster
from parlour import wait_for


def topic(room):
    return f"room:{room}"


def subscribe(sock, room, **fields):
    sock.send("subscribe", topic=topic(room), **fields)
    return sock.expect("subscribed", topic=topic(room))


def stored(user, room):
    return [m["content"] for m in user.get(f"/api/rooms/{room}/messages?after=0&limit=200").json()]


def names(count):
    return [f"{i:03d}" for i in range(count)]


def send_all(sock, room, contents):
    for content in contents:
        sock.send("send", topic=topic(room), content=content, client_id=content)


def waiting(pg, database, connection=""):
    """Returns whether a statement of the worker waits for a lock on such a connection. Ask outside the transaction that
    holds it."""
    return pg.admin("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE "
                    f"'parlourd/w0/%{connection}' AND datname = current_database()", database)


def acks(sock, count):
    return [sock.expect("ack", "error", timeout=20) for _ in range(count)]


def test_a_room_whose_first_write_meets_a_lock(parlour, pg, database):
    """The statement is repeated alone; later messages wait for it."""
    user = parlour(db_lock_timeout="1s", workers=1).register()
    for _ in range(2):
        room = user.room()["id"]
        with user.ws() as sock, psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
            other.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room,))
            send_all(sock, room, names(1))
            wait_for(lambda: waiting(pg, database, "write"), 10, "its statement waits among others")
            send_all(sock, room, names(30)[1:])
            wait_for(lambda: waiting(pg, database, "plain"), 10, "it is repeated alone")
            other.rollback()
            assert {f["type"] for f in acks(sock, 30)} == {"ack"}
        assert stored(user, room) == names(30)


def test_the_first_messages_into_a_public_room(ann, bob):
    """The sender is not a member yet: the first message joins the room, and the others wait for that."""
    for pipelined in (False, True):
        for _ in range(6):
            room = ann.room()["id"]
            with bob.ws() as sock:
                if pipelined:
                    sock.send("subscribe", topic=topic(room))
                send_all(sock, room, names(30))
                assert {f["type"] for f in acks(sock, 30)} == {"ack"}
            assert stored(ann, room) == names(30)
            assert ann.get(f"/api/rooms/{room}").json()["last_seq"] == 32, "created, joined once, 30 messages"


def test_two_sockets_of_a_newcomer(parlour):
    daemon = parlour(workers=1)
    owner, user = daemon.register(), daemon.register()
    for _ in range(3):
        room = owner.room()["id"]
        with user.ws() as one, user.ws() as two:
            for name in names(20):
                send_all(one, room, ["a" + name])
                send_all(two, room, ["b" + name])
            assert {f["type"] for f in acks(one, 20) + acks(two, 20)} == {"ack"}
        for letter in "ab":
            assert [c[1:] for c in stored(owner, room) if c[0] == letter] == names(20)
        assert owner.get(f"/api/rooms/{room}").json()["last_seq"] == 42


def test_what_waits_for_a_join_is_bounded(parlour, pg, database):
    daemon = parlour(workers=1)
    owner, user = daemon.register(), daemon.register()
    room = owner.room()["id"]
    with user.ws() as sock, psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
        other.execute("LOCK TABLE members IN SHARE MODE")
        send_all(sock, room, names(1))
        wait_for(lambda: waiting(pg, database), 10, "the join waits")
        send_all(sock, room, names(300)[1:])
        sock.ping_pong()
        other.rollback()
        frames = acks(sock, 300)
    errors = [f for f in frames if f["type"] == "error"]
    assert {f["code"] for f in errors} == {"busy"} and 1 <= len(errors) < 300
    assert stored(owner, room) == names(200), "the first 256, of which a page has 200"


def test_stopping_while_somebody_joins(parlour, pg, database):
    """Messages that wait for a join end with their process, and so do joins that wait for messages."""
    for table in ("members", "rooms"):
        daemon = parlour(workers=1, db_lock_timeout="30s", stop_timeout="300ms")
        owner, user = daemon.register(), daemon.register()
        room = owner.room()["id"]
        with user.ws() as sock, psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
            other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            send_all(sock, room, names(20))
            sock.send("subscribe", topic=topic(room))
            sock.ping_pong()
            wait_for(lambda: waiting(pg, database), 10, "something waits for the table")
            send_all(sock, room, names(30)[20:])
            sock.ping_pong()
            assert daemon.stop() == 0
            other.rollback()


def test_a_stranger_of_a_private_room_learns_nothing(ann, bob):
    room = ann.room(visibility="private")["id"]
    with bob.ws() as sock:
        send_all(sock, room, names(30))
        assert {f["code"] for f in acks(sock, 30)} == {"not_found"}
    assert not stored(ann, room)


def rewind(rows, room, last_seq):
    """Restores the room from a backup and declares that, as an operator does."""
    rows(f"DELETE FROM messages WHERE room_id = {room} AND seq > {last_seq}")
    rows(f"UPDATE rooms SET epoch = epoch + 1, last_seq = {last_seq} WHERE id = {room}")


def test_another_epoch_is_told(ann, bob, rows):
    """A client that listens during a restore is informed with the first message after it, and misses no later
    messages."""
    room = ann.room()["id"]
    for name in names(8):
        ann.say(room, name)
    sockets = [user.ws() for user in (ann, bob) for _ in range(3)]
    old = [subscribe(sock, room)["epoch"] for sock in sockets]
    compat = ann.ws(f"/ws/chat/{room}", native=False)
    compat.send_text('{"message":"before"}')
    compat.expect("message")
    for sock in sockets:
        sock.expect("message")
    rewind(rows, room, 2)
    first = time.monotonic()
    for name in names(5):
        assert ann.say(room, "new " + name).status_code == 201
    for sock in sockets:
        told = sock.expect("subscribed", timeout=2)
        assert told["epoch"] == old[0] + 1 and told["recovered"] is False and told["was_recovering"] is True
        assert told["topic"] == topic(room) and 2 <= told["seq"] <= 7 and "id" not in told
        got = {f["seq"] for f in sock.inbox if f["type"] == "message"}
        while max({told["seq"], *got}) < 7:
            got.add(sock.expect("message", timeout=3)["seq"])
        assert got >= set(range(told["seq"] + 1, 8)), "what the answer does not cover comes"
    assert time.monotonic() - first < 4, "not only when positions are compared every 5 s"
    assert compat.wait_closed() == 1012
    for sock in sockets:
        sock.drop()


def test_another_epoch_without_a_message(ann, rows):
    room = ann.room()["id"]
    ann.say(room, "x")
    with ann.ws() as sock:
        epoch = subscribe(sock, room)["epoch"]
        rewind(rows, room, 1)
        assert sock.expect("subscribed", timeout=8)["epoch"] == epoch + 1
        ann.say(room, "y")
        assert sock.expect("message")["seq"] == 2
