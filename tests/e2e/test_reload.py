# SPDX-License-Identifier: ISC
"""Reloads during work: work that began with the old configuration ends with it, whatever happens in between."""

import signal
import threading
import time

import httpx
import psycopg
import pytest

import cluster
import wire
from asking import room_of
from parlour import wait_for

RELOADS, SECONDS = 200, 20


def reload_seen(daemon, name):
    """Waits until the workers use the new configuration; then only running work holds the old one."""
    daemon.configure(server_name=name)
    daemon.reload()
    wait_for(lambda: {daemon.once("GET", "/").json()["name"] for _ in range(8)} == {name}, 20, f"all workers are {name}")


def native(user, room):
    sock = user.ws()
    sock.send("send", topic=f"room:{room}", content="How are you?")
    sock.ping_pong()
    return sock, lambda: sock.expect("ack")


def compatible(user, room):
    sock = user.ws(f"/ws/chat/{room}", native=False)
    sock.send("message", content="How are you?")
    return sock, lambda: sock.expect("message")


@pytest.mark.parametrize("way", [native, compatible])
def test_a_send_into_a_room_with_a_role_outlives_its_configuration(parlour, pg, database, way):
    """The role is asked after the commit, with the configuration with which the send began."""
    daemon = parlour(workers=1, db_lock_timeout="60s", db_statement_timeout="60s")
    user = daemon.register()
    room, before = room_of(user), daemon.workers()
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as other:
        other.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room,))
        sock, sent = way(user, room)
        wait_for(lambda: waiting(pg, database), 20, "the message waits for the lock")
        for i in range(3):
            reload_seen(daemon, f"name{i}")
        other.rollback()
        sent()
    wait_for(lambda: [m for m in messages(user, room) if m["is_ai"]], 20, "the role has answered")
    assert daemon.workers() == before
    sock.drop()


def waiting(pg, database):
    return pg.admin("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
                    database)[0][0]


def messages(user, room):
    return user.get(f"/api/rooms/{room}/messages?after=0&limit=200").json()


# ---- many ----

class Work(threading.Thread):
    """Repeats an action until it is stopped and records failures."""

    def __init__(self, step):
        super().__init__()
        self.step, self.done, self.over, self.wrong = step, 0, False, []

    def run(self):
        while not self.over:
            try:
                self.step()
                self.done += 1
                time.sleep(0.02)    # load without overload, because overload gets 503
            except (AssertionError, OSError, httpx.HTTPError, wire.Closed, wire.Refused) as why:
                self.wrong.append(repr(why))
                return

    def stop(self):
        self.over = True
        self.join()


def works(daemon, user, room):
    """Returns one of each kind of work that holds its configuration for a while."""
    talk, compat = user.ws(), user.ws(f"/ws/chat/{room}", native=False)
    talk.send("subscribe", topic=f"room:{room}")
    talk.expect("subscribed")
    api = {kind: httpx.Client(base_url=daemon.url, timeout=60, headers=user.auth, trust_env=False) for kind in "abcd"}

    def send():
        talk.send("send", topic=f"room:{room}", content="And now?")
        talk.expect("ack")
        talk.inbox.clear()

    def send_compatibly():
        compat.send("message", content="And here?")
        while compat.expect("message")["content"] != "And here?":
            pass
        compat.inbox.clear()

    def post(kind, path, body, want):
        answer = api[kind].post(path, json=body)
        assert answer.status_code == want, answer.text

    steps = [
        send, send_compatibly,
        lambda: post("a", f"/api/rooms/{room}/messages", {"content": "And by HTTP?"}, 201),
        lambda: post("b", "/api/chat", {"message": "Hello"}, 200),
        lambda: post("c", "/api/query", {"query": "messages per user today"}, 200),
        lambda: post("d", "/api/auth/login", {"username": user.name, "password": user.password}, 200),
    ]
    return [talk, compat], list(api.values()), [Work(step) for step in steps]


def test_two_hundred_reloads_in_twenty_seconds(parlour):
    """No request fails, no socket is lost, and the processes stay the same."""
    daemon = parlour(workers=2, sessions_per_user="1000", generations="4096")
    user = daemon.register()
    room, idle = room_of(user), [user.ws() for _ in range(20)]
    workers, children = daemon.workers(), daemon.children()
    busy, clients, threads = works(daemon, user, room)
    for thread in threads:
        thread.start()
    began = time.monotonic()
    for i in range(RELOADS):
        daemon.send_signal(signal.SIGHUP)
        time.sleep(max(0.0, began + (i + 1) * SECONDS / RELOADS - time.monotonic()))
    for thread in threads:
        wait_for(lambda t=thread: t.done > 2 or t.wrong, 60, "each kind of work went on")
        thread.stop()
    assert [t.wrong for t in threads] == [[]] * len(threads)
    for sock in idle + busy[:1]:
        sock.ping_pong()
    reload_seen(daemon, "last")
    assert daemon.workers() == workers and daemon.children() == children
    for thing in idle + busy:
        thing.drop()
    for client in clients:
        client.close()
