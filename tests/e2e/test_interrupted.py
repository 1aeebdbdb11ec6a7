# SPDX-License-Identifier: ISC
"""Answers whose worker, daemon, or database fails: no text that users have seen is lost, and no role stays busy."""

import contextlib
import os
import signal

import psycopg
import pytest

import cluster
from asking import (HALF, SETTINGS, STALL, WHOLE, Answer, Provider, answer, ask, first_text, listen, listen_on, message_of,
                    room_of, say, text_of)
from parlour import wait_for


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    yield made
    made.stop()


@pytest.fixture
def peer(provider):
    provider.reset()
    return provider


@pytest.fixture
def own(parlour, peer):
    """own(**settings) starts a separate daemon with the peer of the module: (daemon, user, room id)."""
    def make(**settings):
        mine = parlour(upstreams={"peer": peer.section()}, **{**SETTINGS, **settings})
        user = mine.register()
        return mine, user, room_of(user)
    return make


def row(rows, ident):
    """Returns (state, answer_seq, error_code, partial, has ended) of a generation."""
    return rows("SELECT state, answer_seq, error_code, partial, ended_at IS NOT NULL FROM generations "
                f"WHERE id = '{ident}'")[0]


def rows_of(rows, room):
    """Waits until the answer of the room is running and returns its id."""
    return wait_for(lambda: rows(f"SELECT id::text FROM generations WHERE room_id = {room} AND state = 'running'"), 10, "it runs")[0][0]


# ---- processes ----

def test_killed_worker(own, rows, peer):
    """After kill -9 of its worker, the answer is interrupted, its text so far is a message, and viewers on other
    workers stay connected."""
    daemon, user, room = own()
    viewer, asker = listen_on(daemon, 1, user, room), listen_on(daemon, 0, user, room)
    seq = say(asker, room, STALL)
    frames, seen = text_of(asker, len(HALF)), text_of(viewer, len(HALF))
    ident = frames[0]["generation_id"]
    next_seq = say(asker, room, "and this? [[ok,tokens=2,pace=0]]")
    wait_for(lambda: rows(f"SELECT follow_up_seq FROM generations WHERE id = '{ident}'") == [(next_seq,)])
    daemon.kill_child(daemon.workers()[0])
    assert asker.wait_closed() == 1006
    end = answer(viewer, seen)
    assert end.state == "interrupted" and end.text == HALF
    message = message_of(viewer, ident)
    assert message["content"] == HALF and message["reply_to"] == seq and message["usage"]["stop"] == "interrupted"
    assert message["author"]["name"] == user.get(f"/api/rooms/{room}").json()["roles"][0]["name"]
    over = wait_for(lambda: (r := row(rows, ident))[4] and r)
    assert over == ("interrupted", message["seq"], None, None, True)
    wait_for(lambda: len(daemon.workers()) == 2)
    follow = answer(viewer)
    assert follow.state == "done" and follow.frames[0]["reply_to"] == next_seq, "the question that waited is answered"
    viewer.ping_pong()
    with user.ws() as back:
        back.send("subscribe", topic=f"room:{room}", since=seq)
        assert back.expect("subscribed")["recovered"] is True
        assert message_of(back, ident) == message, "the asker comes back and has it"
    assert user.get(f"/api/generations/{ident}").json()["state"] == "interrupted"
    assert len([m for m in user.get(f"/api/rooms/{room}/messages").json() if m.get("generation_id") == ident]) == 1
    with listen(user, room) as sock:
        assert ask(sock, room, "[[ok,tokens=2,pace=0]]").state == "done", "the role is free again"
    viewer.drop()


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_worker_before_the_first_text(own, rows, workers):
    daemon, user, room = own(workers=workers)
    asker = listen(user, room)
    say(asker, room, "[[stall-body]]")
    ident = asker.expect("generation", state="started")["generation_id"]
    daemon.kill_child(daemon.workers()[asker.authed["worker"]])
    over = wait_for(lambda: (r := row(rows, ident))[4] and r, 20, "it is marked")
    assert over == ("interrupted", None, None, None, True)
    wait_for(lambda: len(daemon.workers()) == workers)
    sock = wait_for(lambda: listen(user, room))
    assert ask(sock, room, "[[ok,tokens=2,pace=0]]").state == "done"
    sock.drop()


@pytest.mark.parametrize("workers,marked", [(1, False), (2, False), (1, True), (2, True)])
def test_a_question_that_waited_for_an_answer_without_text(own, rows, workers, marked):
    """The waiting question is answered, also if the answer before it was marked before a worker could adopt it."""
    daemon, user, room = own(workers=workers)
    asker = listen(user, room)
    say(asker, room, "[[stall-body]]")
    ident = asker.expect("generation", state="started")["generation_id"]
    next_seq = say(asker, room, "and this? [[ok,tokens=2,pace=0]]")
    wait_for(lambda: rows(f"SELECT follow_up_seq FROM generations WHERE id = '{ident}'") == [(next_seq,)])
    if marked:
        rows(f"UPDATE generations SET state = 'interrupted', ended_at = clock_timestamp() WHERE id = '{ident}' RETURNING 1")
    daemon.kill_child(daemon.workers()[asker.authed["worker"]])
    asker.drop()
    wait_for(lambda: rows(f"SELECT state FROM generations WHERE room_id = {room} AND reply_to_seq = {next_seq}") == [("done",)], 30, "it is answered")
    assert row(rows, ident)[0] == "interrupted"


def test_killed_only_worker(own, rows):
    """With one worker, its replacement stores the text."""
    daemon, user, room = own(workers=1)
    asker = listen(user, room)
    say(asker, room, STALL)
    ident = text_of(asker, len(HALF))[0]["generation_id"]
    daemon.kill_child(daemon.workers()[0])
    over = wait_for(lambda: (r := row(rows, ident))[4] and r[1] and r, 20, "it is marked")
    assert over[0] == "interrupted"
    assert user.get(f"/api/rooms/{room}/messages").json()[-1]["content"] == HALF


def test_a_worker_dies_between_commit_and_question(own, rows, pg, database, peer):
    """A worker dies after the message is stored and before a role is asked: a client that sends it again gets its seq,
    and each role answers once."""
    daemon, user, room = own()
    sock, pid = listen_on(daemon, 0, user, room), daemon.workers()[0]
    words = {"topic": f"room:{room}", "content": "hello? [[ok,tokens=2,pace=0]]", "client_id": "first"}
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        conn.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room,))
        sock.send("send", **words)
        wait_for(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%room_append%'"), 10)
        os.kill(pid, signal.SIGSTOP)
    seq = wait_for(lambda: rows(f"SELECT seq FROM messages WHERE room_id = {room} AND client_id = 'first'"), 10, "it is stored")[0][0]
    daemon.kill_child(pid)
    sock.drop()
    assert rows(f"SELECT 1 FROM generations WHERE room_id = {room}") == []
    answers = f"SELECT count(*) FROM messages WHERE room_id = {room} AND author_kind = 'role' AND reply_to = {seq}"
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(listen(user, room)) for _ in range(4)]
        for one in socks:
            one.send("send", **words)
        assert {one.expect("ack")["seq"] for one in socks} == {seq}
        assert answer(socks[0], reply_to=seq).state == "done"
        socks[1].send("send", **words)
        assert socks[1].expect("ack")["duplicate"]
        assert ask(socks[2], room, "[[ok,tokens=2,pace=0]]").state == "done"
        socks[3].send("send", **{**words, "client_id": "first"})
        assert socks[3].expect("ack")["duplicate"]
        assert ask(socks[2], room, "[[ok,tokens=2,pace=0]]").state == "done", "this one came after all the repeats"
    assert rows(answers) == [(1,)]
    assert rows(f"SELECT count(*), count(DISTINCT reply_to_seq), count(follow_up_seq) FROM generations WHERE room_id = {room}") == [(3, 3, 0)]


def test_killed_daemon(own, rows):
    """After kill -9 of all processes, the next start marks running answers as interrupted, and the role answers
    again."""
    daemon, user, room = own()
    asker = listen(user, room)
    say(asker, room, STALL)
    ident = text_of(asker, len(HALF))[0]["generation_id"]
    daemon.kill_all()
    asker.drop()
    daemon.start()
    assert wait_for(lambda: (r := row(rows, ident))[4] and r, 20, "it is marked")[0] == "interrupted"
    user = daemon.login(user.name)
    with listen(user, room) as sock:
        assert ask(sock, room, "[[ok,tokens=2,pace=0]]").state == "done"


def test_two_daemons_of_one_host_name(own, rows):
    """When two daemons have the same host name, as in two containers, the start of one does not end the answers of the
    other."""
    daemon, user, room = own()
    asker = listen(user, room)
    say(asker, room, STALL)
    ident = text_of(asker, len(HALF))[0]["generation_id"]
    other, _, _ = own()
    since = f"SELECT 1 FROM generations WHERE id = '{ident}' AND seen_at > created_at + interval '8 seconds'"
    wait_for(lambda: rows(since), 20, "its own clerk sees it run")
    assert other.running() and row(rows, ident)[0] == "running"
    assert user.post(f"/api/generations/{ident}/cancel").status_code < 300
    assert answer(asker).state == "cancelled"
    assert wait_for(lambda: (r := row(rows, ident))[4] and r)[0] == "cancelled"
    daemon.kill_all()
    asker.drop()


def test_a_drain_beside_another_daemon(own, rows, peer):
    """After QUIT the old daemon finishes its answers; the new daemon with the same host name does not mark them."""
    daemon, user, room = own(drain_timeout="2min")
    other, _, _ = own()
    asker = listen(user, room)
    say(asker, room, "[[ok,tokens=2,pace=0,gate=1]]")
    ident = rows_of(rows, room)
    daemon.send_signal(signal.SIGQUIT)
    wait_for(lambda: rows(f"SELECT 1 FROM generations WHERE id = '{ident}' AND seen_at > created_at + interval '8 seconds'"), 30, "its own clerk sees it run")
    assert other.running() and row(rows, ident)[0] == "running"
    peer.open()
    assert wait_for(lambda: (r := row(rows, ident))[4] and r)[0] == "done"
    assert rows(f"SELECT state FROM usage WHERE generation_id = '{ident}'") == [("done",)]
    asker.drop()


def test_text_that_comes_after_the_mark_counts(own, rows, peer):
    """An answer that was marked although it was running, because its clerk could not report, counts its tokens in the
    figures."""
    daemon, user, room = own()
    asker = listen(user, room)
    say(asker, room, "[[ok,tokens=2,pace=0,gate=1]]")
    ident = rows_of(rows, room)
    assert rows(f"SELECT state FROM generations_mark(ARRAY['{ident}'::uuid])") == [("interrupted",)]
    peer.open()
    state = f"SELECT g.state, u.state, u.completion_tokens > 0 FROM generations g JOIN usage u ON u.generation_id = g.id WHERE g.id = '{ident}'"
    wait_for(lambda: rows(state) == [("done", "done", True)], 10, "its end counts")
    assert daemon.running()
    asker.drop()


def test_a_clerk_that_was_away_marks_nothing(own, pg, database, rows):
    """After an outage, all reports are old: a clerk judges by them only after it has worked for long enough since
    then."""
    daemon, user, room = own()
    asker = listen(user, room)
    ident = ask(asker, room, "[[ok,tokens=2,pace=0]]").id
    assert daemon.running()
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        for host, seconds in (("there", 30), (rows(f"SELECT host FROM generations WHERE id = '{ident}'")[0][0], 5)):
            conn.execute("UPDATE generations SET state = 'running', ended_at = NULL, host = %s, seen_at = now() - interval '1 hour' "
                         "WHERE id = %s", (host, ident))
            for well, ended in ((seconds - 1, False), (seconds, True)):
                conn.execute("SELECT generations_abandoned(g.host, %s, 100) FROM generations g WHERE g.id = %s AND g.host <> 'there' "
                             "UNION ALL SELECT generations_abandoned('here', %s, 100) WHERE %s = 'there'",
                             (well * 1000000, ident, well * 1000000, host))
                assert conn.execute("SELECT ended_at IS NOT NULL FROM generations WHERE id = %s", (ident,)).fetchone() == (ended,)
        conn.rollback()
    asker.drop()


@pytest.mark.parametrize("place", ["this worker", "this host", "another host"])
def test_a_row_that_nobody_answers(own, rows, place):
    """A row without a running answer is ended: the connection was lost during its COMMIT and the worker gave up, or its
    daemon has ended."""
    _, user, room = own()
    with listen(user, room) as sock:
        seq = ask(sock, room, "[[ok,tokens=2,pace=0]]").frames[0]["reply_to"]
        boot = {"this worker": "g.boot", "this host": "g.boot + 1", "another host": "1"}[place]
        host = {"another host": "'elsewhere'"}.get(place, "g.host")
        seen = {"another host": "clock_timestamp() - interval '1 minute'"}.get(place, "clock_timestamp()")
        rows("INSERT INTO generations (id, room_id, role_id, asker_id, reply_to_seq, state, host, boot, slot, slot_generation, seen_at) "
             f"SELECT gen_random_uuid(), g.room_id, g.role_id, g.asker_id, {seq} + 100, 'running', {host}, {boot}, g.slot, "
             f"g.slot_generation, {seen} FROM generations g WHERE g.room_id = {room}")
        state = f"SELECT state, ended_at IS NOT NULL FROM generations WHERE room_id = {room} AND reply_to_seq = {seq} + 100"
        assert wait_for(lambda: (r := rows(state))[0][1] and r, 20, "it is marked") == [("interrupted", True)]
        assert ask(sock, room, "[[ok,tokens=2,pace=0]]").state == "done", "the role is free"


def test_term_stores_what_there_is(own, rows, peer):
    """After TERM, the text so far is stored and marked as interrupted; viewers receive it before their sockets close;
    the exit status is 0."""
    daemon, user, room = own()
    asker, viewer = listen_on(daemon, 0, user, room), listen_on(daemon, 1, user, room)
    say(asker, room, STALL)
    frames, seen = text_of(asker, len(HALF)), text_of(viewer, len(HALF))
    ident = frames[0]["generation_id"]
    daemon.send_signal(signal.SIGTERM)
    for sock, so_far in ((asker, frames), (viewer, seen)):
        assert sock.wait_closed() == 1001
        rest = [f for f in sock.inbox if f["type"] == "generation"]
        assert Answer(so_far + rest).text == HALF
    assert daemon.wait_exit() == 0
    state, seq, code, partial, ended = row(rows, ident)
    assert (state, code, partial, ended) == ("interrupted", None, None, True)
    assert rows(f"SELECT content, meta->'usage'->>'stop' FROM messages WHERE room_id = {room} AND seq = {seq}") == [
        (HALF, "interrupted")]
    peer.wait(aborted=1)


def test_quit_lets_it_finish(own, rows, peer):
    daemon, user, room = own()
    asker = listen(user, room)
    say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
    ident = first_text(asker)[0]["generation_id"]
    daemon.send_signal(signal.SIGQUIT)
    daemon.wait_log("msg=draining")
    peer.open()
    assert asker.wait_closed() == 1012
    assert daemon.wait_exit() == 0
    state, seq, code, partial, ended = row(rows, ident)
    assert (state, code, partial, ended) == ("done", None, None, True)
    assert rows(f"SELECT content FROM messages WHERE room_id = {room} AND seq = {seq}") == [(WHOLE,)]


def test_renewed_worker_finishes(own, rows, peer):
    """After TTOU, the worker that is replaced finishes its answers."""
    daemon, user, room = own()
    asker = listen_on(daemon, 1, user, room)
    say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
    ident = first_text(asker)[0]["generation_id"]
    daemon.send_signal(signal.SIGTTOU)
    daemon.wait_log("msg=draining")
    peer.open()
    assert asker.wait_closed() == 1012
    wait_for(lambda: len(daemon.procs("worker")) == 1, 15, "the second worker is gone")
    assert row(rows, ident)[0] == "done"
    assert user.get(f"/api/rooms/{room}/messages").json()[-1]["content"] == WHOLE


# ---- the database ----

@contextlib.contextmanager
def locked(pg, database, room):
    """Blocks writes to the room inside the block."""
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        conn.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room,))
        yield


def test_term_while_the_answer_cannot_be_stored(own, pg, database, rows):
    """The process does not wait indefinitely when it ends; the next start marks the answer, and the role is free."""
    daemon, user, room = own(db_lock_timeout="20s", stop_timeout="1s")
    with listen(user, room) as asker:
        say(asker, room, STALL)
        ident = text_of(asker, len(HALF))[0]["generation_id"]
        with locked(pg, database, room):
            daemon.send_signal(signal.SIGTERM)
            assert asker.wait_closed() == 1001
            assert daemon.wait_exit() == 0
            assert row(rows, ident)[0] == "running"
    daemon.start()
    assert wait_for(lambda: (r := row(rows, ident))[4] and r, 20)[0] in ("interrupted", "done")
    with listen(daemon.login(user.name), room) as sock:
        assert ask(sock, room, "[[ok,tokens=2,pace=0]]").state == "done"


def test_storing_waits_for_a_lock(own, pg, database, rows, peer):
    """If the row of the room is locked for longer than lock_timeout, the answer is stored when the lock ends."""
    daemon, user, room = own(db_lock_timeout="100ms")
    with listen(user, room) as asker:
        say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
        frames = first_text(asker)
        with locked(pg, database, room):
            peer.open()
            daemon.wait_log("end of an answer has to wait")
            assert user.get(f"/api/generations/{frames[0]['generation_id']}").json()["state"] == "running"
        end = answer(asker, frames)
        assert end.state == "done" and message_of(asker, end.id)["content"] == end.text == WHOLE


def test_database_restart_in_the_middle(own, pg, rows, peer):
    """If the database restarts while a model answers, or when the answer ends, the answer is stored when the database
    is back."""
    daemon, user, room = own(workers=1)
    asker = listen(user, room)
    say(asker, room, "[[ok,tokens=19,pace=1,gate=1]]")
    frames = first_text(asker)
    ident = frames[0]["generation_id"]
    pg.stop()
    try:
        daemon.wait_log("database away")
        peer.open()
        frames = text_of(asker, len(WHOLE.encode()), frames)
    finally:
        pg.start()
    end = answer(asker, frames)
    assert end.text == WHOLE and end.state == "done"
    assert wait_for(lambda: (r := row(rows, ident))[4] and r)[0] == "done"
    daemon.settled()
    assert user.get(f"/api/rooms/{room}/messages").json()[-1]["content"] == WHOLE
    assert ask(asker, room, "[[ok,tokens=2,pace=0]]").state == "done", "the role is free"
    asker.drop()


def test_whoever_takes_over_dies_too(own, pg, database, rows):
    """The worker that adopted the text of a dead worker is killed before it stores it: the next worker stores it."""
    daemon, user, room = own(db_lock_timeout="100ms")
    asker = listen(user, room)
    first = asker.authed["worker"]
    say(asker, room, STALL)
    ident = text_of(asker, len(HALF))[0]["generation_id"]
    with locked(pg, database, room):
        for slot in (first, 1 - first):
            mark = daemon.log_size()
            daemon.kill_child(daemon.workers()[slot])
            daemon.wait_log("end of an answer has to wait", mark)
    asker.drop()
    over = wait_for(lambda: (r := row(rows, ident))[4] and r, 20, "it is marked")
    assert over[0] == "interrupted" and over[1]
    said = [m for m in user.get(f"/api/rooms/{room}/messages").json() if m.get("generation_id") == ident]
    assert [m["content"] for m in said] == [HALF] and said[0]["usage"]["stop"] == "interrupted"
