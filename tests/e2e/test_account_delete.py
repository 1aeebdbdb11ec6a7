# SPDX-License-Identifier: ISC
"""Deleted accounts cannot be used from that moment, and nothing of the person remains; the deletion survives the death
of every process."""

import base64
import json
import os
import signal
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster
import wire
from conftest import finish, maker
from parlour import SLOW, clean_env, porters, wait_for
from test_admin_users import LEVELS, at_level
from test_people import word
from totp import turn_on

OWN = "/api/profile/delete"                         # covers: POST /api/profile/delete
HEADER = "/api/profile"                             # covers: DELETE /api/profile
# covers: DELETE /api/admin/users/{user}


@pytest.fixture(name="daemon", scope="module")
def fixture_daemon(request, workdir):
    """A daemon with deleted_messages = erase."""
    make, made = maker(request, workdir)
    yield make(workers=2, rate_login="10000/min", lockout_attempts=0, deleted_messages="erase", user_directory="all")
    finish(made, request.session.testsfailed > 0)


def jobs(rows, user):
    return rows(f"SELECT state, payload FROM jobs WHERE kind = 'account_delete' AND payload ->> 'user' = '{user.id}'")


def finished(rows, user, within=60):
    """Waits until the last part of the job has ended."""
    def over():
        found = jobs(rows, user)
        return found and all(state == "done" for state, _ in found) and found
    return wait_for(over, within * SLOW, "the account is cleared away")


def delete(user, **proof):
    return user.post(OWN, {"password": user.password, **proof})


def fields(answer):
    return answer.status_code, [".".join(e["loc"]) for e in answer.json()["detail"]]


def level_of(user, room):
    return {m["username"]: m["level"] for m in user.get(f"/api/rooms/{room}/members").json()}


def add(owner, room, other, level="member"):
    assert owner.post(f"/api/rooms/{room}/members", {"user_id": other.id, "level": level}).status_code == 201


# ---- the account ----

def test_dead_at_once_in_every_worker(parlour, rows):
    daemon = parlour(workers=2, rate_login="10000/min")
    user, other = daemon.register(), daemon.register()
    again = daemon.login(user.name)
    sockets = [again.ws() for _ in range(6)]
    key = user.post("/api/keys", {"name": "script", "scopes": ["read"]}).json()["key"]
    assert delete(user).status_code == 204
    for ws in sockets:
        assert ws.wait_closed(1 + SLOW) == 4410
        ws.drop()
    for _ in range(8):
        daemon.open_http()                          # another connection, possibly to another worker
        assert user.get("/api/auth/me").status_code == again.get("/api/auth/me").status_code == 401
        assert daemon.get("/api/auth/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    for name in (user.name, f"{user.name}@example.org", f"deleted-{user.id}"):
        assert daemon.post("/api/auth/login", {"username": name, "password": user.password}).status_code == 401
    assert daemon.post("/api/auth/refresh", {"refresh_token": again.refresh}).status_code == 401
    assert rows(f"SELECT username, name, email, password_hash, access, disabled, deleted_at IS NULL FROM users WHERE id = {user.id}") == \
        [(f"deleted-{user.id}", None, None, None, "user", True, False)]
    assert rows(f"SELECT actor_id, before, after FROM audit WHERE action = 'account deleted' AND target = 'user:{user.id}'") == \
        [(user.id, {"access": "user"}, {"messages": "keep"})]
    assert other.get(f"/api/users/{user.id}").status_code == 404


def test_what_proves_it(daemon):
    user = daemon.register()
    assert fields(user.post(OWN, {"password": "wrong horse 9"})) == (422, ["body.password"])
    assert fields(user.post(OWN, {})) == (422, ["body.password"])
    app, codes = turn_on(user)
    assert fields(delete(user)) == (422, ["body.code"])
    assert fields(delete(user, code=app.wrong())) == (422, ["body.code"])
    assert fields(delete(user, recovery_code="aaaa-bbbb-cccc-dddd")) == (422, ["body.recovery_code"])
    assert fields(delete(user, code=app.code(), recovery_code=codes[0])) == (422, ["body.recovery_code"])
    assert user.get("/api/auth/me").status_code == 200, "nothing was deleted"
    assert delete(user, recovery_code=codes[0]).status_code == 204
    second = daemon.register()
    app, _ = turn_on(second)
    assert delete(second, code=app.code()).status_code == 204
    assert daemon.once("POST", OWN, json={"password": "x"}).status_code == 401


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_by_the_method_delete(daemon):
    """DELETE requests have no body here, so a header has the password."""
    user = daemon.register(password="Pässwort mit Ümläuten")
    assert fields(user.delete(HEADER)) == (422, ["header.X-Current-Password"])
    for bad in ("wrong horse", "", "%%%", encoded("x" * 1025), base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=")):
        assert fields(user.delete(HEADER, headers={"X-Current-Password": bad})) == (422, ["header.X-Current-Password"]), bad
    assert fields(user.delete(HEADER, headers={"X-Current-Password": encoded("wrong horse 9")})) == (422, ["header.X-Current-Password"])
    _, codes = turn_on(user)
    proof = {"X-Current-Password": encoded(user.password)}
    assert fields(user.delete(HEADER, headers=proof)) == (422, ["header.X-Mfa-Code"])
    assert user.delete(HEADER, headers={**proof, "X-Mfa-Code": codes[0]}).status_code == 204
    assert user.get("/api/auth/me").status_code == 401
    second = daemon.register()
    app, _ = turn_on(second)
    assert second.delete(HEADER, headers={"X-Current-Password": encoded(second.password), "X-Mfa-Code": app.code()}).status_code == 204


def test_an_api_key_is_not_enough(daemon):
    user = daemon.register()
    key = user.post("/api/keys", {"name": "all", "scopes": ["read", "write", "chat", "v1"]}).json()["key"]
    for method, path, body in (("POST", OWN, {"password": user.password}), ("DELETE", HEADER, None)):
        answer = daemon.once(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 403, answer.text
    assert user.get("/api/auth/me").status_code == 200


def test_the_name_stays_reserved(daemon, rows):
    user, other = daemon.register(), daemon.register()
    assert delete(user).status_code == 204
    for name in (user.name, user.name.upper(), f"deleted-{user.id}", "deleted-987654321", "Deleted-12-2"):
        answer = daemon.post("/api/auth/register", {"username": name, "email": word() + "@example.org",
                                                     "password": "correct horse 9"})
        assert answer.status_code == 409, (name, answer.text)
        assert other.patch("/api/profile", {"name": name}).status_code == 409, "not as a display name either"
    assert other.post("/api/roles", {"name": user.name, "instructions": "x"}).status_code == 409
    assert daemon.ctl("user", "add", user.name, check=False).returncode == 65
    assert daemon.register(f"deleted-x{user.id}"), "only names like those are reserved"
    assert rows(f"SELECT count(*) FROM reserved_names WHERE hash = reserved_hash('{user.name.upper()}')") == [(1,)]


def test_a_name_of_that_form_from_before(daemon, rows):
    """A user who already has a name of that form keeps it, and the tombstone gets another one."""
    holder, user = daemon.register(), daemon.register()
    rows(f"BEGIN; ALTER TABLE names DISABLE TRIGGER names_reserved; UPDATE names SET name = 'deleted-{user.id}' WHERE kind = 'user' "
         f"AND id = {holder.id}; UPDATE users SET username = 'deleted-{user.id}' WHERE id = {holder.id}; "
         "ALTER TABLE names ENABLE TRIGGER names_reserved; COMMIT")
    assert delete(user).status_code == 204
    assert rows(f"SELECT username FROM users WHERE id = {user.id}") == [(f"deleted-{user.id}-2",)]
    assert daemon.login(f"deleted-{user.id}").id == holder.id


def test_two_at_once(daemon, rows):
    user = daemon.register()
    with ThreadPoolExecutor(6) as pool:
        codes = sorted(a.status_code for a in pool.map(lambda _: delete(user), range(6)))
    assert codes[0] == 204 and set(codes[1:]) <= {401, 422}
    assert rows(f"SELECT count(*) FROM audit WHERE action = 'account deleted' AND target = 'user:{user.id}'") == [(1,)]


def test_no_way_back(daemon, rows):
    admin, user = at_level(daemon, rows, "admin"), daemon.register()
    assert delete(user).status_code == 204
    tomb = f"deleted-{user.id}"
    for name in (user.id, tomb):
        for method, path, body in (("GET", "", None), ("PATCH", "", {"is_active": True}), ("POST", "/logout", None), ("DELETE", "", None)):
            assert admin.request(method, f"/api/admin/users/{name}{path}", body).status_code == 404, (method, path)
        assert admin.get(f"/api/users/{name}").status_code == 404
    for query in (tomb, user.name):
        assert admin.get(f"/api/admin/users?query={query}").json() == []
    for verb in ("enable", "disable", "logout", "show", "delete"):
        assert daemon.ctl("user", verb, tomb, check=False).returncode == 65
    room = admin.room()["id"]
    assert admin.post(f"/api/rooms/{room}/members", {"user_id": user.id}).status_code == 404
    with pytest.raises(Exception, match="users_deleted"):
        rows(f"UPDATE users SET disabled = false WHERE id = {user.id}")


# ---- administration ----

@pytest.mark.parametrize("level", LEVELS)
def test_who_may_delete_whom(daemon, rows, level):
    asker = at_level(daemon, rows, level)
    targets = {other: at_level(daemon, rows, other) for other in LEVELS}
    for other, target in targets.items():
        want = 403 if level in ("user", "analyst") or (level != "admin" and LEVELS.index(other) >= LEVELS.index(level)) else 204
        answer = asker.delete(f"/api/admin/users/{target.name if other == 'user' else target.id}")
        assert answer.status_code == want, (other, answer.text)
        assert target.get("/api/auth/me").status_code == (401 if want == 204 else 200)
    for nobody in (987654321, word(), "a b"):
        assert asker.delete(f"/api/admin/users/{nobody}").status_code == (403 if level in ("user", "analyst") else 404)
    if level in ("operator", "admin"):
        own = asker.delete(f"/api/admin/users/{asker.id}")
        assert own.status_code == (409 if level == "admin" else 403) and asker.get("/api/auth/me").status_code == 200
    assert daemon.once("DELETE", f"/api/admin/users/{asker.id}").status_code == 401


def test_the_last_admin_stays(parlour, rows):
    daemon = parlour(rate_login="10000/min")
    rows("UPDATE users SET access = 'user' WHERE access = 'admin'")
    admin = at_level(daemon, rows, "admin")
    answer = delete(admin)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    done = daemon.ctl("user", "delete", admin.name, check=False)
    assert done.returncode == 65 and "last admin" in done.stdout + done.stderr
    pair = [admin, at_level(daemon, rows, "admin")]
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(a.status_code for a in pool.map(delete, pair))
    assert codes == [204, 409], "one of two who go at once stays"


def test_parlourctl(daemon, rows):
    user = daemon.register()
    with user.ws() as ws:
        assert daemon.ctl("user", "delete", f"{user.name.upper()}@example.org").stdout == \
            f"{user.name.upper()}@example.org is deleted, and its messages become empty; 1 login session ended\n"
        assert ws.wait_closed(2 * SLOW) == 4410
    assert daemon.ctl("user", "delete", user.name, check=False).returncode == 65
    assert user.name not in daemon.ctl("user", "list").stdout
    assert rows(f"SELECT actor_id, address FROM audit WHERE action = 'account deleted' AND target = 'user:{user.id}'")[0][0] == 0


# ---- rooms ----

def test_rooms_pass_on(daemon, rows):
    user, first, second, old = (daemon.register() for _ in range(4))
    heirs, want = {}, {}
    for name, others, heir in (("moderator", [(old, "member"), (first, "moderator"), (second, "moderator")], first),
                               ("member", [(second, "member"), (first, "member")], second),
                               ("nobody", [], None), ("owner", [(old, "member"), (first, "moderator")], first)):
        heirs[name] = user.room(name, "private")["id"]
        for other, level in others:
            add(user, heirs[name], other, level)
        want[name] = heir
    rows(f"UPDATE members SET level = 'owner' WHERE room_id = {heirs['owner']} AND user_id = {first.id}")
    owned = first.room("another's")["id"]
    add(first, owned, user, "moderator")
    disabled = user.room("of a disabled member", "private")["id"]
    add(user, disabled, old)
    with first.ws() as ws:
        ws.send("subscribe", topic=f"room:{heirs['moderator']}")
        ws.expect("subscribed")
        rows(f"UPDATE users SET disabled = true WHERE id = {old.id}")
        assert delete(user).status_code == 204
        changes = [ws.expect(kind, timeout=20 * SLOW) for kind in ("member_level", "left")]
    assert [(c["type"], c["body"]["username"], c["body"]["level"]) for c in changes] == \
        [("member_level", first.name, "owner"), ("left", f"deleted-{user.id}", "owner")], changes
    finished(rows, user)
    for name, heir in want.items():
        levels = rows(f"SELECT user_id, level FROM members WHERE room_id = {heirs[name]} AND level = 'owner'")
        assert levels == ([(heir.id, "owner")] if heir else []), name
        assert rows(f"SELECT archived FROM rooms WHERE id = {heirs[name]}") == [(heir is None,)]
    assert rows(f"SELECT archived FROM rooms WHERE id = {disabled}") == [(True,)], "who cannot log in does not inherit"
    assert level_of(first, owned) == {first.name: "owner"}
    assert rows(f"SELECT count(*) FROM members WHERE user_id = {user.id}") == [(0,)]
    assert rows("SELECT r.id FROM rooms r WHERE r.last_seq <> (SELECT count(*) FROM messages m WHERE m.room_id = r.id) + "
                "(SELECT count(*) FROM room_changes c WHERE c.room_id = r.id)") == [], "the logs are dense"


# ---- what is left ----

WORDS = "xylophone"


def answered(user, room):
    """Waits until the role has answered."""
    return wait_for(lambda: [m for m in user.get(f"/api/rooms/{room}/messages").json() if m["author"]["kind"] == "role"],
                    20 * SLOW, "an answer")


def good(answer):
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def live(daemon, rows):
    """Creates a user who has used everything: (user, a friend, their room)."""
    user, friend = daemon.register(word("victim")), daemon.register()
    once = {"Idempotency-Key": str(uuid.uuid4())}
    good(user.patch("/api/profile", {"name": "Wilhelmine Quastenflosser", "preferences": {"secret": WORDS}, "locale": "de",
                                     "timezone": "Europe/Berlin"}))
    room = user.room("together", "private")["id"]
    add(user, room, friend, "moderator")
    other = friend.room()["id"]
    good(friend.post(f"/api/rooms/{other}/members", {"user_id": user.id}, headers=once))
    role = user.role(instructions="Repeat it.")
    good(user.put(f"/api/rooms/{room}/roles/{role['id']}"))
    user.role(instructions=f"Nobody uses {WORDS}.")
    seq = good(user.say(room, f"{WORDS} one"))["seq"]
    answered(user, room)
    rows(f"SELECT message_edit({room}, {seq}, {user.id}, '{WORDS} edited')")
    good(user.post(f"/api/rooms/{room}/messages", {"content": f"{WORDS} two"}, headers=once))
    good(user.say(room, f"{WORDS} three", client_id=f"{WORDS}-id"))
    good(user.patch(f"/api/rooms/{room}/messages/{seq}", {"content": f"{WORDS} edited"}))
    good(friend.say(room, "my own text"))
    good(user.post("/api/chat", {"message": f"{WORDS} chat"}))
    good(user.post("/api/feedback", {"target": {"kind": "message", "id": f"{room}.{seq}"}, "score": 1, "comment": f"{WORDS} good"}))
    good(user.post("/api/feedback-requests", {"question": f"{WORDS}?", "context": {"a": WORDS},
                                              "channel": {"kind": "web", "destination": friend.name}}))
    good(friend.post("/api/feedback-requests", {"question": "really?", "channel": {"kind": "web", "destination": user.name}}))
    assert user.post("/api/query", {"query": f"{WORDS} tokens per day"}).status_code == 422, "not understood, and kept in the history"
    good(user.put("/api/dashboard/mine", {"layout_name": WORDS, "cards": []}))
    good(user.put(f"/api/users/{friend.id}/block"))
    good(user.post("/api/invites", {"room_id": room, "note": WORDS}))
    good(user.post("/api/keys", {"name": WORDS, "scopes": ["read"]}))
    rows(f"SELECT mail_queue('{user.name}@example.org', '{WORDS}', '{WORDS}')")
    rows(f"INSERT INTO usage_series (day, developer, name, value) VALUES ('2026-01-01', '{user.name}', 'x', 1)")
    rows(f"INSERT INTO login_locks (user_id, prefix, failures, last_at) VALUES ({user.id}, '10.0.0.0/24', 1, now())")
    rows(f"INSERT INTO account_tokens (token_hash, purpose, user_id, email, job_id, expires_at) VALUES (sha256('{user.name}'), 'reset', "
         f"{user.id}, '{user.name}@example.org', gen_random_uuid(), now() + interval '1 hour')")
    return user, friend, room


def dump(pg, database):
    return subprocess.run(cluster.as_user([os.path.join(cluster.bindir(), "pg_dump"), pg.dsn(database, cluster.OWNER)]), cwd="/", check=True,
                          stdout=subprocess.PIPE, text=True, env=clean_env()).stdout


def lines_with(text, what):
    return [line for line in text.splitlines() if what.lower() in line.lower()]


def test_nothing_is_left(daemon, rows, pg, database):
    """With erase, a dump of the database contains neither words, name, nor address of the user."""
    user, friend, room = live(daemon, rows)
    before = dump(pg, database)
    for what in (WORDS, user.name, f"{user.name}@example.org", "Quastenflosser"):
        assert lines_with(before, what), what
    assert delete(user).status_code == 204
    finished(rows, user)
    after = dump(pg, database)
    for what in (WORDS, user.name, "Quastenflosser", "Europe/Berlin"):
        assert not lines_with(after, what), (what, lines_with(after, what))
    messages = friend.get(f"/api/rooms/{room}/messages").json()
    mine = [m for m in messages if (m["author"]["kind"], m["author"]["id"]) == ("user", friend.id)]
    assert [m["content"] for m in mine] == ["my own text"]
    asked = [m["seq"] for m in messages if m["author"]["kind"] == "user" and m not in mine]
    others = [m for m in messages if m["seq"] in asked or m["reply_to"] in asked]
    assert others and all(m["content"] == "" for m in others), others
    assert {m["author"]["name"] for m in others if m["author"]["kind"] == "user"} == {f"deleted-{user.id}"}
    assert {m["author"]["id"] for m in others if m["author"]["kind"] == "user"} == {user.id}
    assert rows("SELECT r.id FROM rooms r WHERE r.last_seq <> (SELECT count(*) FROM messages m WHERE m.room_id = r.id) + "
                "(SELECT count(*) FROM room_changes c WHERE c.room_id = r.id)") == [], "the logs are dense"


def test_messages_are_kept(parlour, rows, pg, database):
    """With keep, the messages remain and their author is deleted-N; name and address are deleted."""
    daemon = parlour(rate_login="10000/min", user_directory="all")
    user, friend, room = live(daemon, rows)
    assert delete(user).status_code == 204
    finished(rows, user)
    after = dump(pg, database)
    for what in (user.name, "Quastenflosser", "Europe/Berlin"):
        assert not lines_with(after, what), (what, lines_with(after, what))
    messages = [m for m in friend.get(f"/api/rooms/{room}/messages").json() if m["author"]["kind"] == "user" and m["author"]["id"] == user.id]
    assert [m["content"] for m in messages] == [f"{WORDS} edited", f"{WORDS} two", f"{WORDS} three"]
    assert {m["author"]["name"] for m in messages} == {f"deleted-{user.id}"}


# Tables whose rows about a deleted user remain, and the reasons.
STAY = {"members": "none are left", "login_sessions": "until the tokens have expired; without address and program",
        "sessions": "figures", "feedback": "figures", "feedback_requests": "cancelled",
        "roles": "that take part in rooms", "rooms": "who made it", "usage": "figures", "knowledge_documents": "the operator's"}


def test_every_table_is_considered(daemon, rows):
    """The deletion removes the rows of every table, also those that later migrations add, unless the table is in
    STAY."""
    user, _, _ = live(daemon, rows)
    assert delete(user).status_code == 204
    finished(rows, user)
    keys = rows("SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid "
                "AND a.attnum = c.conkey[1] WHERE c.contype = 'f' AND c.confrelid = 'users'::regclass")
    assert len(keys) > 15
    for table, column in keys:
        found = rows(f"SELECT count(*) FROM {table} WHERE {column} = {user.id}")[0][0]
        assert found == 0 or table in STAY, (table, column, found)
    for table, where in (("members", "user_id"), ("idempotency_keys", "user_id"), ("limit_hits", "user_id")):
        assert rows(f"SELECT count(*) FROM {table} WHERE {where} = {user.id}") == [(0,)], table
    assert rows(f"SELECT DISTINCT user_agent, address, ended_at IS NULL FROM login_sessions WHERE user_id = {user.id}") == [(None, None, False)]
    assert rows(f"SELECT status FROM feedback_requests WHERE {user.id} IN (asker_id, asked_id)") == [("cancelled",)] * 2


# ---- deaths in the middle ----

def crowded(daemon, rows, messages=1500):
    """Creates a user with many rooms and messages: (user, friend)."""
    user, friend = daemon.register(), daemon.register()
    rows(f"INSERT INTO rooms (name, owner_id, last_seq) SELECT 'crowd ' || i, {user.id}, {messages} / 30 FROM generate_series(1, 30) i")
    rows(f"INSERT INTO members (room_id, user_id, level) SELECT r.id, u, CASE u WHEN {user.id} THEN 'owner' ELSE 'member' END "
         f"FROM rooms r, unnest(ARRAY[{user.id}, {friend.id}]) u WHERE r.owner_id = {user.id}")
    rows("INSERT INTO messages (room_id, seq, author_id, created_at, author_kind, client_id, content) "
         f"SELECT r.id, s, {user.id}, now(), 'user', 'c' || s, 'zither ' || s FROM rooms r, generate_series(1, {messages} / 30) s "
         f"WHERE r.owner_id = {user.id}")
    return user, friend


def whole(rows, user, friend):
    """The deletion is complete, and each part of it happened once."""
    assert rows(f"SELECT count(*) FROM messages WHERE author_id = {user.id} AND (content <> '' OR deleted_at IS NULL)") == [(0,)]
    assert rows(f"SELECT count(*) FROM messages m WHERE author_id = {user.id} AND 1 <> (SELECT count(*) FROM room_changes c "
                "WHERE c.room_id = m.room_id AND c.kind = 'deleted' AND c.target_seq = m.seq)") == [(0,)], "each deleted once"
    assert rows(f"SELECT count(*) FROM rooms WHERE owner_id = {user.id}") == [(30,)]
    assert rows("SELECT DISTINCT kinds FROM (SELECT array_agg(c.kind ORDER BY c.seq) AS kinds FROM room_changes c JOIN rooms r ON r.id = "
                f"c.room_id WHERE r.owner_id = {user.id} AND c.kind <> 'deleted' GROUP BY c.room_id) k") == [(["member_level", "left"],)]
    assert rows(f"SELECT count(*) FROM members WHERE user_id = {friend.id} AND level = 'owner'") == [(30,)]
    assert rows("SELECT r.id FROM rooms r WHERE r.last_seq <> (SELECT count(*) FROM messages m WHERE m.room_id = r.id) + "
                "(SELECT count(*) FROM room_changes c WHERE c.room_id = r.id)") == []
    assert rows(f"SELECT payload FROM jobs WHERE kind = 'account_delete' AND payload ->> 'user' = '{user.id}' AND payload ? 'old'") == []


def left(rows, user):
    return rows(f"SELECT (SELECT count(*) FROM members WHERE user_id = {user.id}) + (SELECT count(*) FROM messages "
                f"WHERE author_id = {user.id} AND deleted_at IS NULL)")[0][0]


def slowly(rows):
    """Delays the deletion of each message, so that a process can be killed in the middle."""
    rows("CREATE FUNCTION slow_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.003); RETURN NULL; END $$; "
         "CREATE TRIGGER slow_test AFTER UPDATE OF deleted_at ON messages FOR EACH ROW EXECUTE FUNCTION slow_test()")


@pytest.mark.parametrize("who", ["courier", "porter", "everything", "PostgreSQL"])
def test_killed_in_the_middle(parlour, rows, pg, who):
    """After repeated kill -9 the account is deleted, and its deletion continues where it stopped."""
    daemon = parlour(rate_login="10000/min", deleted_messages="erase")
    daemon.expect_error("process died" if who == "courier" else "$.")
    user, friend = crowded(daemon, rows)
    slowly(rows)
    try:
        assert delete(user).status_code == 204
        for most in (1300, 900, 500):
            wait_for(lambda most=most: left(rows, user) <= most or all(s == "done" for s, _ in jobs(rows, user)), 60 * SLOW, "it goes on")
            if who == "courier":
                pids = list(daemon.procs("courier").values())
                os.kill(pids[0], signal.SIGKILL)
                wait_for(lambda pids=pids: list(daemon.procs("courier").values()) not in ([], pids), 10 * SLOW, "another courier")
            elif who == "porter":
                for pid in porters(daemon):
                    os.kill(pid, signal.SIGKILL)
            elif who == "everything":
                daemon.kill_all()
                daemon.start()
            else:
                pg.stop("immediate")
                pg.start()
                wait_for(daemon.is_ready, 20 * SLOW, "the server is ready again")
        finished(rows, user, 90)
    finally:
        rows("DROP TRIGGER slow_test ON messages; DROP FUNCTION slow_test()")
    whole(rows, user, friend)


def test_a_worker_dies_during_the_request(parlour, rows):
    """Either the account is deleted and its deletion continues, or nothing has happened."""
    daemon = parlour(rate_login="10000/min", workers=1)
    daemon.expect_error("process died")
    for _ in range(5):
        user = daemon.register()
        pid = list(daemon.procs("worker").values())[0]
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(lambda user=user: wire_delete(daemon, user))
            os.kill(pid, signal.SIGKILL)
            asked.result()
        wait_for(lambda pid=pid: list(daemon.procs("worker").values()) not in ([], [pid]), 10 * SLOW, "another worker")
        wait_for(daemon.is_ready, 10 * SLOW, "the server is ready again")
        daemon.open_http()
        dead = rows(f"SELECT deleted_at IS NOT NULL FROM users WHERE id = {user.id}")[0][0]
        assert bool(jobs(rows, user)) == dead
        wait_for(lambda user=user, dead=dead: user.get("/api/auth/me").status_code == (401 if dead else 200), 10 * SLOW, "as the database says")


def wire_delete(daemon, user):
    """Sends the request over a connection that may be lost."""
    body = json.dumps({"password": user.password})
    head = f"POST {OWN} HTTP/1.1\r\nHost: x\r\nAuthorization: {user.auth['Authorization']}\r\nContent-Type: application/json\r\n" \
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    try:
        return wire.exchange(daemon.addr, (head + body).encode())
    except (OSError, EOFError):
        return None
