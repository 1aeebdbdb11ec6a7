# SPDX-License-Identifier: ISC
"""Recovery of many events, slow readers, and databases that fail during both.

A client that reads receives everything that it missed, in order and once, whatever the size. A client that does not
read is closed with 1013 and delays nobody else.
"""

import contextlib
import json
import os
import selectors
import struct
import threading
import time

import psycopg
import pytest

import cluster
import wire
from parlour import SLOW, wait_for
from test_ws import send, subscribe


def text_of(number, size):
    return f"{number} ".ljust(size, "x")


def talk(user, room, count, size):
    """Sends `count` messages of `size` bytes, at most 32 ahead of their acks; returns their seqs."""
    seqs = []
    with user.ws() as sock:
        for i in range(count):
            sock.send("send", topic=f"room:{room}", content=text_of(i, size), client_id=f"c{i}")
            if i >= 32:
                seqs.append(sock.expect("ack", timeout=60)["seq"])
        return seqs + [sock.expect("ack", timeout=60)["seq"] for _ in range(count - len(seqs))]


def fill(user, room, count, size):
    """Sends messages in a room without other senders; returns the seq before the first one."""
    seqs = talk(user, room, count, size)
    assert seqs == list(range(seqs[0], seqs[0] + count))
    return seqs[0] - 1


def read_numbers(sock, count, timeout=30):
    """Reads the numbers at the start of the next `count` messages and ignores other frames."""
    got = []
    while len(got) < count:
        frame = sock.recv(timeout)
        if frame["type"] == "message":
            got.append(int(frame["message"]["content"].split(" ", 1)[0]))
    return got


def recover(sock, room, since, count):
    head = subscribe(sock, room, since=since, epoch=1)
    assert head["recovered"] is True
    assert read_numbers(sock, count) == list(range(count))


@contextlib.contextmanager
def locked(pg, database, table):
    """Blocks reads and writes of the table inside the block."""
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield conn
        if not conn.closed and not conn.broken:
            conn.rollback()


def readers(pg, database):
    """Returns the backends of the read connections of workers: {pid: the statement that waits, or None}."""
    return {pid: query if wait == "Lock" else None for pid, wait, query in pg.admin(
        "SELECT pid, wait_event_type, query FROM pg_stat_activity WHERE application_name LIKE 'parlourd/w%' "
        f"AND datname = '{database}'")}


def wait_for_blocked_read(pg, database):
    return wait_for(lambda: [pid for pid, q in readers(pg, database).items() if q and "room_log_chunk" in q], 10,
                    "a read of the log waits for the lock")


# ---- much ----

@pytest.mark.parametrize("count,size", [(70, 16000), (250, 4000), (600, 2000), (1000, 16384)])
def test_recovery_of_much(ann, bob, count, size):
    room = ann.room()["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    since = fill(ann, room, count, size)
    with bob.ws() as sock:
        recover(sock, room, since, count)
        assert read_after(ann, sock, room) == ["live"], "and it is live"


def read_after(user, sock, room):
    user.say(room, "live")
    return [sock.expect("message")["message"]["content"]]


def test_recovery_of_what_json_makes_longer(ann, bob):
    """Each byte of such a message needs six in its frame."""
    room = ann.room()["id"]
    content = "x" + "\x01" * 16383
    since = ann.say(room, content).json()["seq"] - 1
    for _ in range(30):
        assert ann.say(room, content).status_code == 201
    with bob.ws() as sock:
        subscribe(sock, room, since=since, epoch=1)
        assert [sock.expect("message")["message"]["content"] == content for _ in range(31)] == [True] * 31


def test_a_small_queue_only_makes_it_slower(parlour):
    daemon = parlour(ws_queue="4k", workers=1)
    user = daemon.register()
    room = user.room()["id"]
    since = fill(user, room, 100, 16000)
    with user.ws() as sock:
        recover(sock, room, since, 100)
        assert read_after(user, sock, room) == ["live"]


def test_three_talkers_lock_nobody_out(shared, ann, bob):
    """Three senders within their limits send more at once than may wait for one socket; a client that reads receives
    all of it."""
    room = ann.room()["id"]
    talkers = [shared.register() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(bob.ws()) for _ in range(6)]
        for sock in listeners:
            subscribe(sock, room)
        threads = [threading.Thread(target=talk, args=(u, room, 50, 16000)) for u in talkers]
        for thread in threads:
            thread.start()
        heard = [sorted(read_numbers(sock, 150)) for sock in listeners]
        for thread in threads:
            thread.join()
        assert heard == [sorted(list(range(50)) * 3)] * 6
        for sock in listeners:
            sock.ping_pong()


def test_many_recover_at_once(parlour):
    """The memory of the worker stays bounded, and all clients receive live events at the end. (tests/bench does it with
    1,000.)"""
    daemon = parlour(workers=1, ws_ping="10min")
    user = daemon.register()
    room, count = user.room()["id"], 256
    since = fill(user, room, count, 16000)
    pid = daemon.workers()[0]
    sockets = [user.ws() for _ in range(100)]
    before = resident_kb(pid)
    for sock in sockets:
        sock.send("subscribe", topic=f"room:{room}", since=since, epoch=1)
    peak = drain_until(sockets, f'"content":"{count - 1} '.encode(), lambda: resident_kb(pid))
    with open(daemon.binaries["parlourd"], "rb") as file:
        kept = 262_144 if b"__asan_init" in file.read() else 0      # freed memory that AddressSanitizer keeps
    assert peak - before < 60_000 * SLOW + kept, f"{peak - before} kB for 100 sockets that recover 4 MB each"
    seq = user.say(room, "all are live").json()["seq"]
    drain_until(sockets, f'"seq":{seq}'.encode(), lambda: 0)
    for sock in sockets:
        sock.drop()


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def drain_until(sockets, mark, measure):
    """Reads all sockets until each one has received `mark`; returns the highest measure() meanwhile."""
    poll, tails, highest = selectors.DefaultSelector(), {}, 0
    for sock in sockets:
        tails[sock] = sock.buffer
        sock.buffer = b""
        if mark not in tails[sock]:
            poll.register(sock.sock, selectors.EVENT_READ, sock)
    until = time.monotonic() + 60 * SLOW
    while poll.get_map():
        assert time.monotonic() < until, f"{len(poll.get_map())} sockets have not seen {mark}"
        for key, _ in poll.select(1):
            part = key.data.sock.recv(1 << 20)
            assert part, "closed"
            tails[key.data] = tails[key.data][-200:] + part
            if mark in tails[key.data]:
                poll.unregister(key.fileobj)
        highest = max(highest, measure())
    poll.close()
    return highest


# ---- slow readers ----

def test_who_reads_slowly_gets_everything(parlour):
    """The client reads far more slowly than the room sends, and for longer than ws_slow: only a client that reads
    nothing is closed."""
    daemon = parlour(workers=1, ws_queue="64k", ws_slow=f"{round(1000 * SLOW)}ms")
    user = daemon.register()
    room = user.room()["id"]
    slow = user.ws(rcvbuf=4096)
    subscribe(slow, room)
    fill(user, room, 200, 8000)
    got, began = b"", time.monotonic()
    while b'"content":"199 ' not in got[-20000:]:
        if time.monotonic() - began < 4 * SLOW:
            time.sleep(0.02)    # the pace of this reader, not a condition: 200 kB/s at first, then as fast as it can
        part = slow.sock.recv(4096)
        assert part, "closed although it reads"
        got += part
    assert [got.index(f'"content":"{i} '.encode()) for i in range(200)] == sorted(
        got.index(f'"content":"{i} '.encode()) for i in range(200))
    assert "parlour_ws_slow_total 0" in daemon.ctl("metrics").stdout
    assert 'parlour_subscriptions_behind_total 0' not in daemon.ctl("metrics").stdout, "the room went on without it"
    slow.drop()


def test_who_stops_reading_learns_why(parlour):
    """A client that stopped reading finds 1013 after the data in transfer, also when the close frame waited behind half
    a frame."""
    daemon = parlour(workers=1, ws_queue="64k", ws_slow="500ms")
    user = daemon.register()
    room = user.room()["id"]
    slow = user.ws(rcvbuf=4096)
    subscribe(slow, room)
    fill(user, room, 400, 16000)
    wait_for(lambda: "parlour_ws_slow_total 1" in daemon.ctl("metrics").stdout, 10, "it is cut")
    wait_for(lambda: "parlour_ws_connections 0" in daemon.ctl("metrics").stdout, 20, "its socket is closed")
    assert slow.wait_closed(20) == 1013
    assert [f["seq"] for f in slow.inbox if f["type"] == "message"] == sorted(
        f["seq"] for f in slow.inbox if f["type"] == "message")


def test_answers_wait_for_a_client_that_only_sends(parlour):
    """Pongs cannot be read again later: twice ws_queue of them may wait, then the socket is closed."""
    daemon = parlour(workers=1, ws_queue="64k", ws_slow="500ms")
    user = daemon.register()
    with user.ws(rcvbuf=4096) as sock:
        ping = wire.pack_frame(wire.TEXT, json.dumps({"type": "ping", "id": "x" * 60}).encode())
        with contextlib.suppress(OSError):
            for _ in range(400):
                sock.send_raw(ping * 200)
        wait_for(lambda: "parlour_ws_slow_total 1" in daemon.ctl("metrics").stdout, 10, "it is cut")


# ---- the database fails meanwhile ----

def test_database_fails_during_a_recovery(parlour, pg, database):
    """Connections end while a chunk is read: the client is informed, stays subscribed, and misses nothing."""
    daemon = parlour(workers=1)
    user = daemon.register()
    room, count = user.room()["id"], 300
    since = fill(user, room, count, 16000)
    with user.ws() as sock:
        with locked(pg, database, "messages"):
            # the head of the room can be read, its log cannot
            sock.send("subscribe", topic=f"room:{room}", since=since, epoch=1)
            assert sock.expect("subscribed")["recovered"] is True
            for pid in wait_for_blocked_read(pg, database):
                pg.admin(f"SELECT pg_terminate_backend({pid})")
            error = sock.expect("error", timeout=30)
            assert error["topic"] == f"room:{room}" and error["temporary"] is True
            assert error["code"] in ("database_unavailable", "deadline", "busy"), error
        assert read_numbers(sock, count, 60) == list(range(count))
        assert read_after(user, sock, room) == ["live"]
        sock.send("unsubscribe", topic=f"room:{room}")
        sock.expect("unsubscribed")
    assert len(daemon.workers()) == 1


def expect_or_collect(sock, numbers, kind):
    """Returns the first frame of this kind; adds the numbers of messages before it."""
    until = time.monotonic() + 40 * SLOW
    while time.monotonic() < until:
        frame = sock.recv(40)
        if frame["type"] == kind:
            return frame
        if frame["type"] == "message":
            numbers.append(int(frame["message"]["content"].split(" ", 1)[0]))
    raise AssertionError(f"no {kind}")


def test_database_restarts_during_recoveries(parlour, pg):
    """The subscriptions continue automatically; frames and closes meanwhile have no bad effect."""
    daemon = parlour(workers=2)
    user = daemon.register()
    room, count = user.room()["id"], 400
    since = fill(user, room, count, 16000)
    sockets = [user.ws() for _ in range(12)]
    for sock in sockets:
        sock.send("subscribe", topic=f"room:{room}", since=since, epoch=1)
        assert sock.expect("subscribed")["recovered"] is True
    pg.stop("immediate")
    for sock in sockets[:4]:
        sock.send("unsubscribe", topic=f"room:{room}")
    for sock in sockets[4:8]:
        sock.drop()
    pg.start()
    for sock in sockets[8:]:
        numbers = read_numbers(sock, count, 60)
        assert numbers == list(range(count))
        sock.ping_pong()
    for sock in sockets[:4]:
        sock.expect("unsubscribed", timeout=30)
        sock.ping_pong()
    daemon.settled(20)
    assert read_after(user, sockets[8], room) == ["live"]
    for sock in sockets[:4] + sockets[8:]:
        sock.drop()


def test_room_deleted_during_a_recovery(parlour, pg, database):
    daemon = parlour(workers=1)
    user = daemon.register()
    room = user.room()["id"]
    since = fill(user, room, 300, 16000)
    with user.ws(rcvbuf=4096) as sock:
        sock.send("subscribe", topic=f"room:{room}", since=since, epoch=1)
        assert sock.expect("subscribed")["recovered"] is True
        read_numbers(sock, 1)
        for table in ("messages", "room_changes", "members"):
            pg.admin(f"DELETE FROM {table} WHERE room_id = {room}", database)
        pg.admin(f"DELETE FROM rooms WHERE id = {room}", database)
        frame = expect_or_collect(sock, [], "unsubscribed")
        assert frame["topic"] == f"room:{room}" and frame["code"] == "not_found"
        sock.ping_pong()


# ---- sessions ----

def test_long_sessions_recover_as_well(parlour, pg, database):
    """A session with answers of up to 64 KiB each recovers completely, although that is more than may wait at once."""
    daemon = parlour(workers=1)
    user = daemon.register()
    session = user.post("/api/sessions", {}).json()["session_id"]
    pg.admin(f"INSERT INTO session_messages (session_id, seq, author, content) SELECT '{session}', n, 'assistant', "
             f"rpad(n || ' ', 60000, 'x') FROM generate_series((SELECT last_seq + 1 FROM sessions WHERE id = '{session}'), 100) n",
             database)
    pg.admin(f"UPDATE sessions SET last_seq = 100 WHERE id = '{session}'", database)
    with user.ws() as sock:
        sock.send("subscribe", topic=f"session:{session}", since=0)
        assert sock.expect("subscribed")["recovered"] is True
        got = []
        while not got or got[-1] < 100:
            got.append(sock.expect("answer")["seq"])
        assert got == list(range(1, 101))
        sock.ping_pong()
