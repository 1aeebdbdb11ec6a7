# SPDX-License-Identifier: ISC
"""Names of authors: messages do not need the table of users, and every worker soon shows a new display name."""

import contextlib
import time

import pytest

from asking import listen_on
from parlour import SLOW, wait_for
from test_ws_recovery import locked


@pytest.fixture(scope="module")
def pair(request, workdir):
    """A daemon with two workers."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(workers=2, watchdog="10min")
    finish(made, request.session.testsfailed > 0)


def pages_name(daemon, user, room):
    """Returns {(user name, display name)} of the messages of the room, read on a separate connection."""
    answer = daemon.once("GET", f"/api/rooms/{room}/messages?limit=200", headers=user.auth)
    assert answer.status_code == 200, answer.text
    return {(m["username"], m["user"]) for m in answer.json()}


def say_once(daemon, user, room, content):
    """Sends a message on a separate connection and returns the reply."""
    answer = daemon.once("POST", f"/api/rooms/{room}/messages", headers=user.auth, json={"content": content})
    assert answer.status_code == 201, answer.text
    return answer.json()


def chat_on(daemon, slot, user, room):
    """Opens a socket on this worker whose messages contain display names."""
    with daemon.only_worker(slot):
        return user.ws(f"/ws/chat/{room}", native=False)


def until(sock, content):
    """Returns the names of messages up to the one with this content: {content: display name}."""
    names = {}
    while content not in names:
        message = sock.expect("message")
        names[message["content"]] = message["user"]
    return names


def test_a_new_display_name_shows_in_every_worker(pair, rows):
    """A display name that is changed in the database appears in events and pages with the first message after the
    change."""
    first, other = pair.register(), pair.register()
    room = first.room()["id"]
    assert other.post(f"/api/rooms/{room}/join").status_code == 200
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(chat_on(pair, slot, first, room)) for slot in (0, 1)]
        for slot in (0, 1):
            with pair.only_worker(slot):
                assert say_once(pair, first, room, "before")["user"] == first.name
                assert say_once(pair, other, room, f"before {slot}")["user"] == other.name
        for sock in socks:
            assert until(sock, "before 1")["before"] == first.name
        rows(f"UPDATE users SET name = 'Ann After' WHERE id = {first.id}")
        rows(f"UPDATE users SET name = 'Somebody Else' WHERE id = {other.id}")
        for slot in (0, 1):
            with pair.only_worker(slot):
                # PostgreSQL sends notifications in order, so the worker has received the notification about the silent
                # user
                wait_for(lambda: say_once(pair, other, room, "now?")["user"] == "Somebody Else", 3, "the name is new")
                assert say_once(pair, first, room, f"after {slot}")["user"] == "Ann After"
                assert pages_name(pair, first, room) == {(first.name, "Ann After"), (other.name, "Somebody Else")}
        for sock in socks:
            names = until(sock, "after 1")
            assert (names["after 0"], names["after 1"]) == ("Ann After", "Ann After")
        rows(f"UPDATE users SET name = NULL WHERE id IN ({first.id}, {other.id})")
        for slot in (0, 1):
            with pair.only_worker(slot):
                wait_for(lambda: say_once(pair, other, room, "now?")["user"] == other.name, 3, "it has no name any more")
                assert say_once(pair, first, room, "again")["user"] == first.name


def test_messages_and_recoveries_while_users_are_locked(pair, pg, database, rows):
    """Logged-in users can send messages with their names in each worker while the table of users is locked."""
    writer, reader = pair.register(), pair.register()
    rows(f"UPDATE users SET name = 'The Writer' WHERE id = {writer.id}")
    room = writer.room()["id"]
    assert reader.post(f"/api/rooms/{room}/join").status_code == 200
    held = [f"held {number}" for number in range(40)]
    with contextlib.ExitStack() as stack:
        chats = [stack.enter_context(chat_on(pair, slot, reader, room)) for slot in (0, 1)]
        socks = [stack.enter_context(listen_on(pair, slot, reader, room)) for slot in (0, 1)]
        for slot in (0, 1):
            with pair.only_worker(slot):
                wait_for(lambda: say_once(pair, writer, room, "before")["user"] == "The Writer")
                assert say_once(pair, reader, room, "ready")["user"] == reader.name
        epoch = writer.get(f"/api/rooms/{room}").json()["epoch"]
        first = say_once(pair, writer, room, "first")["seq"]
        for chat in chats:
            until(chat, "first")
        for sock in socks:
            sock.send("unsubscribe", topic=f"room:{room}")
            sock.expect("unsubscribed")
        with locked(pg, database, "users"):
            took = []
            for content in held:
                began = time.monotonic()
                assert writer.say(room, content).json()["user"] == "The Writer"
                took.append(time.monotonic() - began)
            assert sorted(took)[len(took) // 2] < 0.1 * SLOW, took
            for chat in chats:
                assert until(chat, held[-1]) == dict.fromkeys(held, "The Writer")
            for slot, sock in enumerate(socks):
                sock.inbox.clear()
                sock.send("subscribe", topic=f"room:{room}", since=first, epoch=epoch)
                assert sock.expect("subscribed")["recovered"] is True
                got = [sock.expect("message")["message"] for _ in held]
                assert [(m["content"], m["author"]["name"]) for m in got] == [(content, writer.name) for content in held]
                with pair.only_worker(slot):
                    assert (writer.name, "The Writer") in pages_name(pair, reader, room)


def test_a_worker_that_knows_no_names_stores_messages_while_users_are_locked(parlour, pg, database, rows):
    """The worker waits a moment for the display name, and then continues without it."""
    daemon = parlour(workers=1)
    user = daemon.register()
    room = user.room()["id"]
    rows(f"UPDATE users SET name = 'Ann Other' WHERE id = {user.id}")
    old = daemon.workers()
    daemon.kill_child(old[0])
    wait_for(lambda: daemon.workers() != old and daemon.is_ready(), what="a new worker")
    with locked(pg, database, "users"):
        sent = user.say(room, "meanwhile")
        assert sent.status_code == 201 and sent.json()["user"] == user.name
    wait_for(lambda: user.say(room, "after").json()["user"] == "Ann Other", what="its name is known again")
    assert pages_name(daemon, user, room) == {(user.name, "Ann Other")}


def test_names_are_read_again_after_a_lost_connection(parlour, rows):
    """Changes whose notification was lost are visible after the worker reconnects."""
    daemon = parlour(workers=1)
    user = daemon.register()
    room = user.room()["id"]
    assert user.say(room, "before").json()["user"] == user.name
    rows(f"SET session_replication_role = replica; UPDATE users SET name = 'Ann Other' WHERE id = {user.id}")
    assert user.say(room, "not told").json()["user"] == user.name
    assert rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parlourd/w0/read' "
                "AND datname = current_database()")
    # 503 until the connection is open again
    wait_for(lambda: user.say(room, "after").json().get("user") == "Ann Other", 3)
