# SPDX-License-Identifier: ISC
"""Idempotency-Key: work is done once, whatever process dies between the work and its reply, and a repetition gets the
first reply."""

import contextlib
import secrets
import threading

import psycopg
import pytest

import cluster
from parlour import wait_for

BREAK = """CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken on purpose'; END $$;
CREATE TRIGGER broken BEFORE UPDATE OF status ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION broken()"""
HANG = BREAK.replace("RAISE EXCEPTION 'broken on purpose'", "PERFORM pg_sleep(20)")
MEND = "DROP TRIGGER IF EXISTS broken ON idempotency_keys; DROP FUNCTION IF EXISTS broken()"


@pytest.fixture
def replies_lost(rows):
    """Prevents replies from being stored inside the block, like the death of a worker or PostgreSQL at that time."""
    @contextlib.contextmanager
    def lost(how=BREAK):
        for statement in how.split(";\nCREATE TRIGGER"):
            rows(statement if statement.startswith("CREATE F") else "CREATE TRIGGER" + statement)
        try:
            yield
        finally:
            for statement in MEND.split("; "):
                rows(statement)
    return lost


@pytest.fixture
def daemon(parlour, rows):
    made = parlour(workers=2, guest="on", sessions_per_user=100)
    made.expect_error("broken on purpose")
    return made


def key():
    return {"Idempotency-Key": secrets.token_hex(12)}


def operator(daemon, rows):
    user = daemon.register()
    rows(f"UPDATE users SET access = 'operator' WHERE id = {user.id}")
    return daemon.login(user.name)


CASES = {
    "room": lambda u, o, room: ("/api/rooms", {"name": "tea"}, f"SELECT count(*) FROM rooms WHERE owner_id = {u.id}", 2),
    "role": lambda u, o, room: ("/api/roles", {"name": "R" + secrets.token_hex(4)},
                                f"SELECT count(*) FROM roles WHERE owner_id = {u.id}", 1),
    "member": lambda u, o, room: (f"/api/rooms/{room}/members", {"user_id": o.id},
                                  f"SELECT count(*) FROM room_changes WHERE room_id = {room} AND kind = 'joined'", 2),
    "message": lambda u, o, room: (f"/api/rooms/{room}/messages", {"content": "pay 5"},
                                   f"SELECT count(*) FROM messages WHERE room_id = {room}", 1),
    "session": lambda u, o, room: ("/api/sessions", {}, f"SELECT count(*) FROM sessions WHERE user_id = {u.id}", 1),
    "vote": lambda u, o, room: ("/api/feedback", {"target": {"kind": "message", "id": said(u, room)}, "score": 1},
                                f"SELECT count(*) FROM feedback WHERE user_id = {u.id}", 1),
    "request": lambda u, o, room: ("/api/feedback-requests",
                                   {"question": "?", "channel": {"kind": "web", "destination": o.name}},
                                   f"SELECT count(*) FROM feedback_requests WHERE asker_id = {u.id}", 1),
    "document": lambda u, o, room: ("/api/knowledge", {"title": "T", "text": "Some text."},
                                    f"SELECT count(*) FROM knowledge_documents WHERE author_id = {u.id}", 1),
    "question": lambda u, o, room: ("/api/query", {"query": "my messages last 7 days"},
                                    f"SELECT count(*) FROM query_history WHERE user_id = {u.id}", 1),
}


def said(user, room):
    return f"{room}.{user.say(room, 'x').json()['seq']}"


def without_times(reply):
    """Removes creation times and durations, in which two replies about the same object may differ."""
    kept = {k: v for k, v in reply.items() if k not in ("greeting", "created_at")}
    if isinstance(kept.get("result"), dict):
        kept["result"] = {k: v for k, v in kept["result"].items() if k != "processing_time_ms"}
    if isinstance(kept.get("intent"), dict):    # a rolling period ends at the time of the question
        kept["intent"] = {**kept["intent"], "period": kept["intent"]["period"]["text"]}
    return kept


@pytest.mark.parametrize("what", CASES)
def test_a_reply_that_could_not_be_kept_is_built_again(daemon, rows, replies_lost, what):
    user, other = operator(daemon, rows), daemon.register()
    room = user.room()["id"]
    path, body, count, want = CASES[what](user, other, room)
    once = key()
    with replies_lost():
        first = user.post(path, body, headers=once)
    assert first.status_code in (200, 201), first.text
    assert rows(count) == [(want,)]
    again = wait_for(lambda: (r := user.post(path, body, headers=once)).status_code != 409 and r, 3, "no longer in progress")
    assert again.status_code == first.status_code, again.text
    assert rows(count) == [(want,)], "it was done once"
    assert again.headers.get("Location") == first.headers.get("Location")
    assert without_times(again.json()) == without_times(first.json())
    third = user.post(path, body, headers=once)
    assert third.json() == again.json() and third.headers["Idempotent-Replayed"] == "true", "and is kept now"


def test_registration_whose_tokens_were_lost(daemon, rows, replies_lost):
    name = "u" + secrets.token_hex(5)
    body, once = {"username": name, "email": name + "@example.org", "password": "correct horse 9"}, key()
    with replies_lost():
        first = daemon.post("/api/auth/register", body, headers=once)
    assert first.status_code == 201
    again = daemon.post("/api/auth/register", body, headers=once)
    assert again.status_code == 201 and again.json()["user"] == first.json()["user"]
    token = {"Authorization": "Bearer " + again.json()["access_token"]}
    assert daemon.get("/api/auth/me", headers=token).json()["username"] == name
    wrong = daemon.post("/api/auth/register", {**body, "password": "correct horse 8"}, headers=once)
    assert wrong.status_code == 409 and "token" not in wrong.text


@pytest.mark.parametrize("what", ["room", "message"])
def test_a_worker_that_dies_before_the_reply(daemon, rows, replies_lost, what):
    user, other = operator(daemon, rows), daemon.register()
    room = user.room()["id"]
    path, body, count, want = CASES[what](user, other, room)
    once = key()
    with replies_lost(HANG):
        pids = daemon.workers()
        thread = threading.Thread(target=lambda: quiet(user, path, body, once))
        thread.start()
        wait_for(lambda: rows(count) == [(want,)], 5, "the work is done")
        for pid in pids.values():
            daemon.kill_child(pid)
        thread.join()
    for (pid,) in rows("SELECT pid FROM pg_stat_activity WHERE query LIKE 'UPDATE idempotency_keys SET status%'"):
        rows(f"SELECT pg_terminate_backend({pid})")
    wait_for(lambda: len(daemon.workers()) == 2)
    if what == "message":  # only the age of the row shows that no request works on it any longer
        rows("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '61 seconds' WHERE status IS NULL")
    again = wait_for(lambda: (r := daemon.once("POST", path, json=body, headers={**user.auth, **once})).status_code == 201
                     and r, 10, "its reply")
    assert rows(count) == [(want,)], again.text


def quiet(user, path, body, once):
    with contextlib.suppress(Exception):
        user.api.once("POST", path, json=body, headers={**user.auth, **once})


def test_an_unknown_write_may_be_repeated(daemon, rows):
    """PostgreSQL ends the connection that creates the room: the client gets 503, and the same key creates one room."""
    user, once = daemon.register(), key()
    answers = []
    with held(daemon, f"SELECT FROM users WHERE id = {user.id} FOR UPDATE"):
        thread = threading.Thread(target=lambda: answers.append(daemon.once("POST", "/api/rooms", json={"name": "x"},
                                                                            headers={**user.auth, **once})))
        thread.start()
        pid = wait_for(lambda: waiting(rows))[0]
        rows(f"SELECT pg_terminate_backend({pid})")
        thread.join()
    assert answers[0].status_code == 503 and answers[0].json()["code"] == "write_unknown", answers[0].text
    assert rows(f"SELECT count(*) FROM idempotency_keys WHERE status IS NULL AND user_id = {user.id}") == [(1,)], "the key is not forgotten"
    again = wait_for(lambda: (r := user.post("/api/rooms", {"name": "x"}, headers=once)).status_code == 201 and r, 5)
    assert rows(f"SELECT id FROM rooms WHERE owner_id = {user.id}") == [(again.json()["id"],)]


def test_an_attempt_that_was_given_up_cannot_do_the_work_later(daemon, rows):
    """The worker dies while its transaction waits for a lock; the transaction continues and must not create a second
    room."""
    user, once = daemon.register(), key()
    ask = {"json": {"name": "x"}, "headers": {**user.auth, **once}}
    answers = []
    with held(daemon, f"SELECT FROM users WHERE id = {user.id} FOR UPDATE"):
        first = threading.Thread(target=lambda: quiet(user, "/api/rooms", {"name": "x"}, once))
        first.start()
        wait_for(lambda: waiting(rows))
        for pid in daemon.workers().values():
            daemon.kill_child(pid)
        first.join()
        rows("UPDATE idempotency_keys SET claimed_at = claimed_at - interval '61 seconds'")
        wait_for(lambda: len(daemon.workers()) == 2)
        second = threading.Thread(target=lambda: answers.append(wait_for(lambda: daemon.once("POST", "/api/rooms", **ask))))
        second.start()
        wait_for(lambda: len(waiting(rows)) == 2 or answers, 10, "it waits behind the first one")
    second.join()
    if answers[0].status_code == 503:  # the lock took too long
        answers[0] = wait_for(lambda: (r := daemon.once("POST", "/api/rooms", **ask)).status_code == 201 and r, 5)
    assert answers[0].status_code == 201, answers[0].text
    assert rows(f"SELECT id FROM rooms WHERE owner_id = {user.id}") == [(answers[0].json()["id"],)]


@contextlib.contextmanager
def held(daemon, sql):
    with psycopg.connect(daemon.dsn.replace("parlour_app", cluster.OWNER)) as conn:
        conn.execute(sql)
        yield
        conn.rollback()


def waiting(rows):
    return [pid for pid, in rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%room_create%'")]


def test_an_error_frees_the_key(daemon):
    user, other, once = daemon.register(), daemon.register(), key()
    body = {"user_id": other.id + 1000}
    room = user.room()["id"]
    assert user.post(f"/api/rooms/{room}/members", body, headers=once).status_code == 404
    assert user.post(f"/api/rooms/{room}/members", {"user_id": other.id}, headers=once).status_code == 201


def test_after_a_day_the_key_is_new(daemon, rows):
    user, once = daemon.register(), key()
    room = user.room()["id"]
    seqs = []
    for _ in range(2):
        seqs.append(user.post(f"/api/rooms/{room}/messages", {"content": "x"}, headers=once).json()["seq"])
        rows("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    assert seqs[0] != seqs[1]


# ---- guests ----

@pytest.mark.parametrize("path, body", [("/api/sessions", {}), ("/api/auth/register", {"username": "x", "email": "x@example.org",
                                                                        "password": "y" * 9})])
def test_guests_need_keys_that_nobody_guesses(daemon, path, body):
    refused = daemon.post(path, body, headers={"Idempotency-Key": "1" * 15})
    assert refused.status_code == 422, refused.text
    problem = refused.json()["detail"][0]
    assert problem["loc"] == ["header", "Idempotency-Key"] and "16" in problem["msg"]
    once, two = key(), key()
    first = daemon.post("/api/sessions", {}, headers=once)
    assert daemon.post("/api/sessions", {}, headers=once).json() == first.json()
    assert daemon.post("/api/sessions", {}, headers=two).json()["id"] != first.json()["id"]


def test_the_same_address_in_two_spellings(daemon):
    user, once = daemon.register(), key()
    rooms = [user.post(path, {"name": "x"}, headers=once) for path in ("/api/rooms", "/api/rooms/")]
    assert [r.status_code for r in rooms] == [201, 201] and rooms[0].json() == rooms[1].json()
    ids = [user.room()["id"] for _ in range(2)]
    sent = [user.post(f"/api/rooms/{ident}/messages", {"content": "x"}, headers=once).status_code for ident in ids]
    assert sent == [201, 409], "another room is another request"
