# SPDX-License-Identifier: ISC
"""One sender's messages into one room are stored in the order of sending, whatever happens to the first of them."""

import time

import psycopg

import cluster


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


def acks(sock, count):
    return [sock.expect("ack", "error", timeout=20) for _ in range(count)]


def test_a_room_whose_first_write_meets_a_lock(parlour, pg, database):
    """Its statement is repeated alone; what was sent meanwhile waits behind it."""
    user = parlour(db_lock_timeout="1s", workers=1).register()
    for _ in range(2):
        room = user.room()["id"]
        with user.ws() as sock, psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
            other.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room,))
            send_all(sock, room, names(1))
            sock.ping_pong()
            time.sleep(0.1)
            send_all(sock, room, names(30)[1:])
            time.sleep(1.3)
            other.rollback()
            assert {f["type"] for f in acks(sock, 30)} == {"ack"}
        assert stored(user, room) == names(30)
