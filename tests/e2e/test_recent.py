# SPDX-License-Identifier: ISC
"""Workers cache the newest messages of rooms: every page is correct at once in every worker, whatever changed
before."""

import threading

import pytest

from parlour import PLAIN, Client, wait_for
from test_rooms import link_next


@pytest.fixture(scope="module")
def pair(request, workdir):
    """Starts a daemon with two workers that tests may stop."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(workers=2, watchdog="10min")
    finish(made, request.session.testsfailed > 0)


def page_of(daemon, user, room, query=""):
    return daemon.once("GET", f"/api/rooms/{room}/messages{query}", headers=user.auth)


def both(daemon, user, room, query=""):
    """Returns the reply of both workers, which must be the same."""
    replies = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            replies.append(page_of(daemon, user, room, query))
    first, second = replies
    assert first.status_code == second.status_code
    assert first.status_code != 200 or first.text == second.text
    assert first.headers.get("Link") == second.headers.get("Link")
    return first


def texts(reply):
    assert reply.status_code == 200, reply.text
    return [m["content"] for m in reply.json()]


def from_memory(daemon):
    return daemon.metric("parlour_page_memory_hits_total")


@pytest.fixture
def room(pair):
    """Creates (owner, room) with three messages that both workers have cached."""
    ann = pair.register()
    number = ann.room()["id"]
    for text in ("one", "two", "three"):
        assert ann.say(number, text).status_code == 201
    for _ in range(2):
        assert texts(both(pair, ann, number)) == ["one", "two", "three"]
    return ann, number


def test_pages_come_from_memory(pair, room):
    ann, number = room
    before = from_memory(pair)
    for _ in range(3):
        both(pair, ann, number)
    assert from_memory(pair) == before + 6
    assert ann.say(number, "four").status_code == 201
    assert texts(both(pair, ann, number)) == ["one", "two", "three", "four"]
    assert from_memory(pair) == before + 8, "only the new message was read"


def seqs_of(user, number):
    return {m["content"]: m["seq"] for m in user.get(f"/api/rooms/{number}/messages").json()}


CHANGES = [
    ("an edit in the database", lambda rows, user, number: rows(
        f"UPDATE messages SET content = 'changed', edited_at = now() WHERE room_id = {number} AND content = 'two'"),
     ["one", "changed", "three"]),
    ("message_edit()", lambda rows, user, number: rows(
        f"SELECT message_edit({number}, {seqs_of(user, number)['two']}, {user.id}, 'edited')"), ["one", "edited", "three"]),
    ("message_delete()", lambda rows, user, number: rows(
        f"SELECT message_delete({number}, {seqs_of(user, number)['two']}, {user.id}, false)"), ["one", "", "three"]),
    ("a restore from backup", lambda rows, user, number: rows(
        f"DELETE FROM messages WHERE room_id = {number} AND content = 'three'; "
        f"UPDATE rooms SET epoch = epoch + 1, last_seq = last_seq - 1 WHERE id = {number}"), ["one", "two"]),
    ("an imported message", lambda rows, user, number: rows(
        f"SELECT room_import({number}, 'user', {user.id}, 'imported', 'four', NULL, NULL, now(), NULL)"),
     ["one", "two", "three", "four"]),
    ("an entry that is not a message", lambda rows, user, number: user.patch(
        f"/api/rooms/{number}", {"name": "renamed"}), ["one", "two", "three"]),
]


@pytest.mark.parametrize("change, then", [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_every_change_shows_at_once(pair, room, rows, change, then):
    ann, number = room
    change(rows, ann, number)
    for _ in range(2):
        assert texts(both(pair, ann, number)) == then
    assert ann.say(number, "the last").status_code == 201
    assert texts(both(pair, ann, number)) == then + ["the last"]


def test_who_may_not_read_gets_nothing(pair, rows):
    """The cache checks the permission of each reader: neither former members nor strangers read messages."""
    ann, bob, eve = pair.register(), pair.register(), pair.register()
    number = ann.room(visibility="private")["id"]
    assert ann.post(f"/api/rooms/{number}/members", {"user_id": bob.id}).status_code in (200, 201, 204)
    ann.say(number, "secret")
    for _ in range(2):
        assert texts(both(pair, bob, number)) == ["secret"]
    assert both(pair, eve, number).status_code == 404
    assert ann.delete(f"/api/rooms/{number}/members/{bob.id}").status_code in (200, 204)
    assert both(pair, bob, number).status_code == 404
    assert texts(both(pair, ann, number)) == ["secret"]
    rows(f"SELECT room_delete({number}, {ann.id}, false)")
    assert both(pair, ann, number).status_code == 404


def test_names_of_users(pair, room, rows):
    """A new display name appears when the notification of PostgreSQL has arrived, as without the cache."""
    ann, number = room

    def names():
        return {m["user"] for m in both(pair, ann, number).json()}
    assert names() == {ann.name}
    for name in ("First Name", "Second Name"):
        rows(f"UPDATE users SET name = '{name}' WHERE id = {ann.id}")
        wait_for(lambda name=name: names() == {name}, 10, "the new name")
    assert names() == {"Second Name"}


def test_names_of_roles(pair, rows):
    """Names of roles change at once, with and without a display name, and for several roles."""
    ann, ids = pair.register(), iter("abcdefgh")
    roles = [ann.role()["id"] for _ in range(3)]
    number = ann.room(role_ids=roles)["id"]
    ann.say(number, "hello")
    for role in roles[::-1] + roles:
        rows(f"SELECT * FROM room_append({number}, '{{role}}', '{{{role}}}', '{{{next(ids)}}}', '{{text}}', '{{NULL}}', '{{NULL}}', '{{NULL}}')")

    def names():
        return {m["author"]["id"]: (m["username"], m["user"]) for m in both(pair, ann, number).json() if m["is_ai"]}
    before = names()
    assert set(before) == set(roles) and names() == before
    for name, shown in (("Renamed", "Renamed"), ("Not a Plain Name", "Not a Plain Name")):
        assert ann.patch(f"/api/roles/{roles[1]}", {"name": name}).status_code == 200
        now = names()
        assert now[roles[1]][1] == shown and {r: now[r] for r in (roles[0], roles[2])} == {r: before[r] for r in (roles[0], roles[2])}
        assert names() == now


def test_rooms_with_many_roles(pair, rows):
    ann = pair.register()
    roles = [ann.role()["id"] for _ in range(10)]
    number = ann.room(role_ids=roles)["id"]
    for role in roles:
        rows(f"SELECT * FROM room_append({number}, '{{role}}', '{{{role}}}', '{{c{role}}}', '{{by {role}}}', '{{NULL}}', '{{NULL}}', '{{NULL}}')")
    for _ in range(3):
        assert texts(both(pair, ann, number)) == [f"by {role}" for role in roles]


LIMITS = [3, 1, 50, 7, 200, 2, 120, 50]


def test_every_length(pair, rows):
    """Pages of other lengths, forward and backward, and the link to the next page, match the table."""
    ann = pair.register()
    number = ann.room()["id"]
    assert both(pair, ann, number).json() == [] and both(pair, ann, number).json() == []
    rows(f"SELECT room_append({number}, array_fill('user'::text, ARRAY[130]), array_fill({ann.id}::bigint, ARRAY[130]), "
         "ARRAY(SELECT 'c' || i FROM generate_series(1, 130) i), ARRAY(SELECT 'text ' || i FROM generate_series(1, 130) i), "
         "array_fill(NULL::bigint, ARRAY[130]), array_fill(NULL::uuid, ARRAY[130]), array_fill(NULL::jsonb, ARRAY[130]))")
    every = [f"text {i}" for i in range(1, 131)]
    for turn in range(3):
        for limit in LIMITS:
            reply = both(pair, ann, number, f"?limit={limit}")
            assert texts(reply) == every[-limit:]
            assert (link_next(reply) is None) == (limit >= len(every))
        assert texts(ann.get(link_next(both(pair, ann, number)))) == every[-100:-50]
        assert texts(both(pair, ann, number, "?offset=2&limit=2")) == every[-4:-2]
        assert texts(both(pair, ann, number, "?after=0&limit=2")) == every[:2]
        for i in range(40):
            every.append(f"more {turn}.{i}")
            assert ann.say(number, every[-1]).status_code == 201
    assert texts(both(pair, ann, number)) == every[-50:]


def test_long_messages(pair, rows):
    """Pages that are cut because of long texts are correct, also when the room changes between them."""
    ann = pair.register()
    number = ann.room()["id"]
    for i in range(6):
        ann.say(number, f"{i}")
    rows(f"UPDATE messages SET content = content || repeat('x', 400000) WHERE room_id = {number}")
    for _ in range(3):
        assert [t[0] for t in texts(both(pair, ann, number))] == ["4", "5"]
        assert [t[0] for t in texts(both(pair, ann, number, "?limit=1"))] == ["5"]
    rows(f"UPDATE messages SET content = left(content, 1) || repeat('y', 100000) WHERE room_id = {number}")
    for _ in range(3):
        assert [t[0] for t in texts(both(pair, ann, number))] == ["0", "1", "2", "3", "4", "5"]
    ann.say(number, "6")
    assert [t[0] for t in texts(both(pair, ann, number))] == ["0", "1", "2", "3", "4", "5", "6"]


def test_readers_never_go_back(pair):
    """While others write, readers of both workers see in order every message that was acknowledged before their
    request."""
    ann = pair.register()
    number = ann.room()["id"]
    done, acked, wrong = threading.Event(), [0], []

    def read():
        with Client(base_url=pair.url, **PLAIN) as http:
            while not done.is_set():
                known = acked[0]
                reply = http.request("GET", f"/api/rooms/{number}/messages?limit=20", headers=ann.auth)
                got = [int(text) for text in texts(reply)]
                newest = got[-1] if got else 0
                if newest < known or got != list(range(max(1, newest - 19), newest + 1)):
                    wrong.append((known, got))
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for i in range(1, 301):
            assert ann.say(number, str(i)).status_code == 201
            acked[0] = i
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:3]


@pytest.mark.parametrize("memory", ["0", "4k", "200k"])
def test_little_memory(parlour, memory):
    daemon = parlour(page_memory=memory)
    ann = daemon.register()
    rooms = [ann.room()["id"] for _ in range(8)]
    for turn in range(3):
        for number in rooms:
            assert ann.say(number, f"{turn}" + "x" * 9000).status_code == 201
        for number in rooms:
            assert [t[0] for t in texts(page_of(daemon, ann, number))] == [str(n) for n in range(turn + 1)]
    assert daemon.metric("parlour_page_memory_hits_total") + daemon.metric("parlour_page_memory_misses_total") == (0 if memory == "0" else 24)
