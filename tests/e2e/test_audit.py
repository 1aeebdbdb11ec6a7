# SPDX-License-Identifier: ISC
"""The audit trail has each act once, in the transaction of the act, with the actor, and without secrets."""

import csv
import io
import json
import os

import psycopg
import pytest

import cluster
from parlour import wait_for
from test_people import word
from test_rooms import link_next

PASSWORD = "correct horse 9"
NEW = "another horse 8"


def trail(rows, target, since=0):
    """Returns the acts on a subject, oldest first: [(act, actor, before, after)]."""
    return rows("SELECT action, actor_id, before, after FROM audit "
                f"WHERE target = '{target}' AND id > {since} ORDER BY id")


def at_level(api, rows, access):
    user = api.register(word(access[0]))
    rows(f"UPDATE users SET access = '{access}' WHERE id = {user.id}")
    return api.login(user.name)


def test_an_account_from_the_first_day_to_the_last(shared, rows):
    user = shared.register(word())
    answer = user.post("/api/auth/password", {"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 204
    assert user.post("/api/auth/logout").status_code == 204
    got = trail(rows, f"user:{user.id}")
    assert [(act, actor) for act, actor, _, _ in got] == [(act, user.id) for act in (
        "account created", "login", "password changed", "login ended")]
    assert got[0][3] == {"access": "user"}
    assert got[3][3] == {"logins": [got[1][3]["login"]], "count": 1, "reason": "logout"}
    assert rows(f"SELECT DISTINCT address, request_id IS NOT NULL FROM audit WHERE target = 'user:{user.id}'") == [("127.0.0.1", True)]
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}' AND request_id = '{answer.headers['X-Request-Id']}'") == [(1,)]
    stored = str(rows("SELECT a.* FROM audit a"))
    assert not [secret for secret in (PASSWORD, NEW, user.name + "@", "$argon2id$", user.access, user.refresh) if secret in stored]


def test_statements_in_psql_are_acts_too(shared, rows, pg, database):
    """Acts in psql are recorded without the server; the actor is the program and the database role."""
    user = shared.register(word())
    with psycopg.connect(pg.dsn(database, cluster.OWNER) + " application_name=psql", autocommit=True) as conn:
        last = conn.execute("SELECT max(id) FROM audit").fetchone()[0]
        conn.execute("UPDATE users SET access = 'analyst', disabled = true, email = NULL, password_hash = NULL WHERE id = %s", [user.id])
        conn.execute("UPDATE users SET name = 'Somebody Else', updated_at = now() WHERE id = %s", [user.id])
    assert trail(rows, f"user:{user.id}", last) == [
        ("access changed", 0, {"access": "user"}, {"access": "analyst"}),
        ("account disabled", 0, {"disabled": False}, {"disabled": True}),
        ("password changed", 0, None, None),
        ("e-mail address changed", 0, {"set": True}, {"set": False}),
        ("login ended", 0, None, {
            "logins": [rows(f"SELECT id FROM login_sessions WHERE user_id = {user.id}")[0][0]], "count": 1, "reason": "disabled"})]
    assert rows(f"SELECT DISTINCT address FROM audit WHERE target = 'user:{user.id}' AND id > {last}") == [(f"psql as {cluster.OWNER}",)]


def test_an_act_that_is_taken_back_is_not_recorded(shared, rows, pg, database):
    user = shared.register(word())
    last = rows("SELECT max(id) FROM audit")[0][0]
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn:
        conn.execute("UPDATE users SET disabled = true WHERE id = %s", [user.id])
        conn.rollback()
    assert trail(rows, f"user:{user.id}", last) == []


def test_many_login_sessions_of_two_users(shared, rows, pg, database):
    """The trail has one row per user, also if the same database session ended a single login session before."""
    one, two = shared.register(word()), shared.register(word())
    with psycopg.connect(pg.dsn(database, "parlour_app"), autocommit=True) as conn:
        conn.execute("SELECT login_end.* FROM logins_end(%s, 0, 'all', 'test') login_end", [one.id])
        last = conn.execute("SELECT max(id) FROM audit").fetchone()[0]
        conn.execute("INSERT INTO login_sessions (user_id, expires_at) SELECT u, now() + interval '1 day' "
                     "FROM unnest(ARRAY[%s, %s]::bigint[]) u, generate_series(1, 5000)", [one.id, two.id])
        assert conn.execute("SELECT count(*) FROM audit WHERE action = 'login' AND id > %s", [last]).fetchone() == (10000,)
        conn.execute("UPDATE login_sessions SET ended_at = now(), end_reason = 'many' WHERE user_id = ANY(%s)", [[one.id, two.id]])
    for user, count in ((one, 5000), (two, 5001)):
        (act, _, _, after), = [row for row in trail(rows, f"user:{user.id}", last) if row[0] != "login"]
        assert (act, after["count"], after["reason"], len(after["logins"])) == ("login ended", count, "many", 20)


def test_refused_logins_are_bounded(parlour, rows):
    daemon = parlour(rate_login="1000/min")
    user = daemon.register(word())
    for _ in range(25):
        assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong horse 1"}).status_code == 401
    wait_for(lambda: len([t for t in trail(rows, f"user:{user.id}") if t[0] == "login refused"]) >= 20, 10)
    daemon.stop()   # the pending rows are written
    got = [t for t in trail(rows, f"user:{user.id}") if t[0] == "login refused"]
    assert 20 <= len(got) <= 24 and {actor for _, actor, _, _ in got} == {0}, "side by side, more than one may see 19"
    marks = [n for n, t in enumerate(got) if t[3] == {"more_recorded": False}]
    assert marks and marks[0] >= 18, "one row says that more may have followed"
    assert not rows("SELECT FROM audit WHERE target IS NULL")


def test_the_mark_is_found_behind_many_rows(shared, rows):
    """Rows that were written concurrently may be in any order, and there may be many of them."""
    user = shared.register(word())
    add = f"INSERT INTO audit (actor_id, action, target, after) SELECT 0, 'login refused', 'user:{user.id}', {{}} FROM generate_series(1, {{}})"
    count = lambda: rows(f"SELECT count(*) FROM audit WHERE action = 'login refused' AND target = 'user:{user.id}'")  # noqa: E731
    rows(add.format("NULL", 40))
    rows(add.format("""'{"more_recorded": false}'""", 1))
    rows(f"SELECT audit_add_bounded('login refused', 'user:{user.id}', 20)")
    assert count() == [(41,)]
    rows(f"UPDATE audit SET after = NULL WHERE target = 'user:{user.id}' AND action = 'login refused'")
    rows(f"SELECT audit_add_bounded('login refused', 'user:{user.id}', 20)")
    assert count() == [(42,)], "without a mark, one more row has it"


def test_a_renewed_hash_is_no_new_password(parlour, rows):
    daemon = parlour(argon2_memory="8M")
    user = daemon.register(word())
    old = rows(f"SELECT password_hash FROM users WHERE id = {user.id}")
    daemon.configure(argon2_memory="9M")
    daemon.reload()
    daemon.login(user.name)
    wait_for(lambda: rows(f"SELECT password_hash FROM users WHERE id = {user.id}") != old, 10)
    assert "password changed" not in [t[0] for t in trail(rows, f"user:{user.id}")]


def test_a_reload_names_the_settings(parlour, rows):
    daemon = parlour(rate_read="1000/min")
    last = (rows("SELECT max(id) FROM audit")[0][0] or 0)
    daemon.configure(rate_read="999/min", registration="closed", smtp_password="a secret word")
    daemon.reload()
    wait_for(lambda: trail(rows, "settings", last), 10)
    (act, actor, before, after), = trail(rows, "settings", last)
    assert (act, actor, before) == ("settings reloaded", 0, None)
    assert sorted(after["changed"]) == ["rate_read", "registration", "smtp_password"]


def test_a_reload_names_the_sections(parlour, rows):
    daemon = parlour(start=False, public_url="https://chat.example.org",
                     upstreams={"small": {"url": "http://127.0.0.1:1/v1", "key": "hidden-word-1"}})
    daemon.oidc = {"main": {"issuer": "https://id.example.org", "client_id": "parlour", "client_secret": "hidden-word-2"}}
    daemon.write_config()
    daemon.start()
    last = (rows("SELECT max(id) FROM audit")[0][0] or 0)
    daemon.oidc["main"]["issuer"] = "https://evil.example.org"
    daemon.oidc["other"] = dict(daemon.oidc["main"])
    daemon.upstreams["small"]["key"] = "hidden-word-3"
    daemon.write_config()
    daemon.reload()
    wait_for(lambda: trail(rows, "settings", last), 10)
    (_, _, _, after), = trail(rows, "settings", last)
    assert sorted(after["changed"]) == ["llm small", "oidc main", "oidc other"]
    assert rows("SELECT id FROM audit WHERE audit::text LIKE '%hidden-word%'") == []


def test_rooms_and_keys(parlour, rows, workdir):
    path = workdir + "/audit-seal.keys"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as keys:
        keys.write("ab" * 32 + "\n")
    cluster.give(path)
    daemon = parlour(seal_keys=path)
    owner, member, leaver = (daemon.register(word(c)) for c in "oml")
    room = owner.room()["id"]
    for user in (member, leaver):
        assert owner.post(f"/api/rooms/{room}/members", {"user_id": user.id}).status_code == 201
    assert owner.post(f"/api/rooms/{room}/members", {"user_id": member.id, "level": "moderator"}).status_code == 200
    assert leaver.post(f"/api/rooms/{room}/leave").status_code == 200
    assert owner.delete(f"/api/rooms/{room}/members/{member.id}").status_code == 204
    role = owner.role()["id"]
    assert owner.delete(f"/api/roles/{role}").status_code == 204
    for key in ("sk-first-key-0001", "sk-second-key-0002"):
        assert owner.put("/api/provider-keys/openai", {"key": key}).status_code == 200
    assert owner.delete("/api/provider-keys/openai").status_code == 204
    assert trail(rows, f"room:{room}") == [
        ("member level changed", owner.id, {"user": member.id, "level": "member"}, {"user": member.id, "level": "moderator"}),
        ("member removed", owner.id, {"user": member.id, "level": "moderator"}, None)]
    assert trail(rows, f"role:{role}") == [("role deleted", owner.id, {"owner": owner.id}, None)]
    assert [(act, after) for act, _, _, after in trail(rows, f"user:{owner.id}") if act.startswith("provider")] == [
        ("provider key " + what, {"provider": "openai"}) for what in ("stored", "replaced", "deleted")]
    assert "sk-" not in str(rows("SELECT a.* FROM audit a"))


def test_parlourctl_is_named(shared, rows):
    user = shared.register(word())
    last = rows("SELECT max(id) FROM audit")[0][0]
    for words in (("access", user.name, "analyst"), ("disable", user.name), ("enable", user.name), ("access", user.name, "analyst")):
        shared.ctl("user", *words)
    assert [t[0] for t in trail(rows, f"user:{user.id}", last)] == ["access changed", "login ended", "account disabled", "account enabled"]
    (address, actor), = rows(f"SELECT DISTINCT address, actor_id FROM audit WHERE target = 'user:{user.id}' AND id > {last}")
    assert address.startswith("parlourctl:") and actor == 0


def test_the_view_has_names(shared, rows):
    user = shared.register(word())
    assert rows(f"SELECT actor, act, subject, subject_user, address FROM v_audit WHERE subject = 'user:{user.id}' ORDER BY id LIMIT 1") == [
        (user.name, "account created", f"user:{user.id}", user.name, "127.0.0.1")]


def test_operators_read_it(shared, rows):
    """Operators can filter, page, and export the trail as CSV; a cell that looks like a formula is text."""
    operator, user = at_level(shared, rows, "operator"), shared.register(word())
    path = f"/api/admin/users/{user.id}"
    assert operator.patch(path, {"is_active": False}).status_code == operator.patch(path, {"is_active": True}).status_code == 200
    subject = f"/api/admin/audit?subject=user:{user.id}"
    got = operator.get(subject).json()
    assert [(row["act"], row["actor"]) for row in got] == [
        ("account enabled", operator.name), ("login ended", operator.name), ("account disabled", operator.name),
        ("login", user.name), ("account created", user.name)]
    assert got[0] == {**got[0], "actor_id": operator.id, "subject": f"user:{user.id}", "subject_user": user.name, "address": "127.0.0.1",
                      "before": {"disabled": True}, "after": {"disabled": False}}
    for query, want in ((f"&actor={operator.name.upper()}", got[:3]), (f"&actor={user.id}", got[3:]), ("&act=login", got[3:4]),
                        ("&actor=system", []), (f"&actor={word()}", []), (f"&since={got[2]['created_at']}", got[:3]),
                        (f"&until={got[2]['created_at']}", got[3:]), (f"&before={got[1]['id']}", got[2:]), ("&limit=2", got[:2])):
        assert operator.get(subject + query).json() == want, query
    seen, address = [], subject + "&limit=2"
    while address:
        answer = operator.get(address)
        seen += answer.json()
        address = link_next(answer)
    assert seen == got
    answer = operator.get(subject + "&format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(line["id"]) for line in lines] == [row["id"] for row in got] and json.loads(lines[0]["after"]) == {"disabled": False}
    rows(f"INSERT INTO audit (actor_id, action, target) VALUES (0, '=1+1', 'user:{user.id}')")
    assert "'=1+1" in operator.get(subject + "&act=%3D1%2B1&format=csv").text
    for query in ("limit=0", "limit=1001", "since=x", "before=0", "format=xml", "actor="):
        assert operator.get("/api/admin/audit?" + query).status_code == 422, query
    for other in (user.api.login(user.name), at_level(shared, rows, "analyst")):
        assert other.get("/api/admin/audit?limit=x").status_code == 403
    assert shared.get("/api/admin/audit").status_code == 401


@pytest.mark.parametrize("days, gone", [(0, True), (30, True), (39, True), (41, False), (-5, True)])
def test_rows_leave_after_their_time(pg, database, rows, days, gone):
    """The application itself cannot delete rows; its function deletes none that are younger than 30 days."""
    mark = word()
    rows(f"INSERT INTO audit (actor_id, action, target, created_at) SELECT 0, 'old', '{mark}', now() - n * interval '1 day' FROM unnest(ARRAY[40, 29]) n")
    with psycopg.connect(pg.dsn(database, "parlour_app"), autocommit=True) as conn:
        conn.execute("SELECT audit_purge(%s, 1000)", [days])
        for text in (f"DELETE FROM audit WHERE target = '{mark}'", f"UPDATE audit SET action = 'x' WHERE target = '{mark}'", "TRUNCATE audit"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(text)
    assert rows(f"SELECT count(*) FROM audit WHERE target = '{mark}'") == [(1 if gone else 2,)]
