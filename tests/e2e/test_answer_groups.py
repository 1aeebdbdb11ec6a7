# SPDX-License-Identifier: ISC
"""Many answers that start and end at once are written in groups, and a failure in a group affects only its own
answer."""

import secrets

import exposition
import httpx
import pytest

from asking import SETTINGS, Provider, ask, listen, listen_on
from parlour import PLAIN, wait_for

COUNT = 32
NO_LIMITS = {"rate_ask": "off", "rate_ask_session": "off", "rate_send": "off", "rate_channel": "off"}
# The only word is sent when all questions have reached the model.
QUICK, LATE = "[[ok,tokens=3,pace=0]]", "[[ok,tokens=1,pace=0,gate=1]]"


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def own(parlour, provider):
    """own(**settings) starts a separate daemon and creates a user."""
    provider.reset()

    def make(**settings):
        daemon = parlour(upstreams={"peer": provider.section()}, metrics_listen="127.0.0.1:0",
                         **{**SETTINGS, **NO_LIMITS, **settings})
        return daemon, daemon.register()
    return make


def figures(daemon):
    """Returns (transactions, starts and ends in them) so far."""
    text = httpx.get(f"http://{daemon.listening('operator')[0]}/metrics", **PLAIN).text
    found = exposition.parse(text)
    return tuple(sum(found[f"parlour_answer_{name}_total"].samples.values()) for name in ("groups", "writes"))


def make_rooms(user, count, roles=1):
    """Creates rooms with this many roles in each, which answer every message, and returns their ids."""
    ids = [user.role()["id"] for _ in range(roles)]
    return [user.room(role_ids=ids, reply_policy="all")["id"] for _ in range(count)]


def listen_all(daemon, slot, user, rooms):
    """Opens a socket on that worker that listens to all these rooms."""
    sock = listen_on(daemon, slot, user, rooms[0])
    for room in rooms[1:]:
        sock.send("subscribe", topic=f"room:{room}")
        sock.expect("subscribed")
    return sock


def ask_all(sock, rooms, content=QUICK):
    for room in rooms:
        sock.send("send", topic=f"room:{room}", content=content)


def at_once(daemon, slot, sock, rooms, provider, **wanted):
    """Sends all questions in one loop turn of the worker, and then the words and the end of all answers in one turn."""
    pid = daemon.workers()[slot]
    with daemon.stopped(pid):
        ask_all(sock, rooms, LATE)
    provider.wait(gated=len(rooms))
    with daemon.stopped(pid):
        provider.open()
        provider.wait(**wanted)


def generations(rows, rooms):
    """Returns (state, messages, usage rows) of every answer in these rooms; None while one is running."""
    found = rows("SELECT g.state, (SELECT count(*) FROM messages m WHERE m.generation_id = g.id), "
                 "(SELECT count(*) FROM usage u WHERE u.generation_id = g.id) FROM generations g "
                 f"WHERE g.room_id = ANY (ARRAY{rooms})")
    return None if any(state in ("queued", "running") for state, _, _ in found) else found


def test_answers_begin_and_end_at_once(own, rows, provider):
    """The answers share transactions, and each has its message, its usage, and its end once."""
    daemon, user = own(workers=1)
    *rooms, other = make_rooms(user, COUNT + 1)
    sock = listen_all(daemon, 0, user, [*rooms, other])

    def warm():
        """Waits until the worker has opened its connection for groups; until then it uses another one."""
        begin = figures(daemon)[1]
        return ask(sock, other, QUICK).state == "done" and figures(daemon)[1] - begin == 2

    wait_for(warm, 20, "starts and ends go in groups")
    sock.inbox.clear()
    before = figures(daemon)
    at_once(daemon, 0, sock, rooms, provider, completed=COUNT)
    over = wait_for(lambda: len(got := generations(rows, rooms) or []) == COUNT and got, 20, "all have ended")
    assert over == [("done", 1, 1)] * COUNT
    done = {sock.expect("generation", state="done")["topic"] for _ in rooms}
    assert done == {f"room:{room}" for room in rooms}
    groups, writes = (b - a for a, b in zip(before, figures(daemon)))
    assert writes == 2 * COUNT and groups <= COUNT, "most of them came together"
    sock.drop()


def trigger(rows, room, action):
    """Creates a trigger that runs when an answer of this room ends; returns the SQL that removes it."""
    name = "t" + secrets.token_hex(4)
    rows(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NEW; END $$")
    rows(f"CREATE TRIGGER {name} BEFORE UPDATE ON generations FOR EACH ROW "
         f"WHEN (NEW.room_id = {room} AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION {name}()")
    return f"DROP TRIGGER {name} ON generations"


def test_one_of_a_group_fails(own, rows, provider):
    """When the database refuses the end of one answer, all others end and are announced; that one ends when the
    database accepts it."""
    daemon, user = own(workers=1)
    rooms = make_rooms(user, COUNT)
    sock = listen_all(daemon, 0, user, rooms)
    undo = trigger(rows, rooms[COUNT // 2], "RAISE EXCEPTION 'not this one'")
    daemon.expect_error("statement=GEN_END")
    others = rooms[:COUNT // 2] + rooms[COUNT // 2 + 1:]
    try:
        at_once(daemon, 0, sock, rooms, provider, completed=COUNT)
        over = wait_for(lambda: len(got := generations(rows, others) or []) == COUNT - 1 and got, 20, "all others have ended")
        daemon.wait_log("end of an answer has to wait")
        assert rows(f"SELECT state FROM generations WHERE room_id = {rooms[COUNT // 2]}") == [("running",)]
    finally:
        rows(undo)
    assert over == [("done", 1, 1)] * (COUNT - 1)
    over = wait_for(lambda: len(got := generations(rows, rooms) or []) == COUNT and got, 20, "all have ended")
    assert over == [("done", 1, 1)] * COUNT
    assert ask(sock, others[0], QUICK).state == "done"
    sock.drop()


def test_killed_in_the_middle_of_a_group(own, rows, provider, database):
    """After kill -9 of a worker in the middle of a group, another worker ends all answers, and each exists once."""
    daemon, user = own(workers=2)
    rooms = make_rooms(user, COUNT)
    sock = listen_all(daemon, 0, user, rooms)
    undo = trigger(rows, rooms[COUNT // 2], "PERFORM pg_sleep(1)")
    try:
        at_once(daemon, 0, sock, rooms, provider, completed=COUNT)
        wait_for(lambda: rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'parlourd/w0/answers' "
                              f"AND datname = '{database}' AND wait_event = 'PgSleep'"), 10, "a group is under way")
        daemon.kill_child(daemon.workers()[0])
        over = wait_for(lambda: len(got := generations(rows, rooms) or []) == COUNT and got, 30, "all have ended")
    finally:
        rows(undo)
    assert all(messages == 1 and used == 1 for _, messages, used in over), over
    assert {state for state, _, _ in over} <= {"done", "interrupted"}
    wait_for(lambda: len(daemon.workers()) == 2)
    for room in rooms[::8]:
        with listen(user, room) as again:
            assert ask(again, room, QUICK).state == "done", "the role is free"


def test_groups_of_two_workers_do_not_deadlock(own, rows, database):
    """Both workers start and end answers of the same roles in the same rooms, in opposite order."""
    daemon, user = own(workers=2)
    rooms = make_rooms(user, 6, roles=4)
    socks = [listen_all(daemon, slot, user, rooms) for slot in (0, 1)]
    dead = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{database}'"
    newest = (f"SELECT count(*) FROM generations g WHERE room_id = ANY (ARRAY{rooms}) AND state = 'done' AND reply_to_seq = "
              "(SELECT max(seq) FROM messages m WHERE m.room_id = g.room_id AND m.author_kind = 'user')")
    before, pids = rows(dead), daemon.workers()
    for _ in range(5):
        with daemon.stopped(*pids.values()):
            ask_all(socks[0], rooms)
            ask_all(socks[1], rooms[::-1])
        for sock in socks:
            for _ in rooms:
                sock.expect("ack")
        wait_for(lambda: rows(newest) == [(len(rooms) * 4,)], 20, "each role has answered the newest message of each room")
    over = wait_for(lambda: len(got := generations(rows, rooms) or []) >= 5 * len(rooms) * 4 and got, 20, "all have ended")
    assert set(over) == {("done", 1, 1)}
    assert rows(dead) == before
    for sock in socks:
        sock.drop()
