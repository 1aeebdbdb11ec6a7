# SPDX-License-Identifier: ISC
"""The SQL functions, without a daemon: statuses, seq without gaps, the reuse rule of refresh tokens, rights."""

import secrets
import threading
import uuid

import psycopg
import pytest

DENSE = """SELECT count(*) FROM rooms r, LATERAL (SELECT count(*) AS n, count(DISTINCT seq) AS d, max(seq) AS top FROM (
    SELECT seq FROM messages WHERE room_id = r.id UNION ALL SELECT seq FROM room_changes WHERE room_id = r.id) e) c
    WHERE r.id = %s AND (c.n <> r.last_seq OR c.d <> r.last_seq OR c.top <> r.last_seq)"""


@pytest.fixture(name="sql")
def fixture_sql(pg_dsn):
    """sql(text, *params) returns all rows; each call is a transaction."""
    with psycopg.connect(pg_dsn, autocommit=True) as conn:
        yield lambda text, *params: conn.execute(text, params).fetchall()


@pytest.fixture(name="user")
def fixture_user(sql):
    def make(name=None, email=None):
        status, number = sql("SELECT * FROM user_create(%s, %s, NULL, 'hash', 'user')", name or new_name(), email)[0]
        assert status == "ok"
        return number
    return make


def new_name():
    return "n" + secrets.token_hex(6)


def make_room(sql, owner, visibility="public", roles=()):
    row = sql("SELECT status, id FROM room_create(%s, 'room', %s, NULL, %s::bigint[], 1000)", owner, visibility, list(roles))
    assert row[0][0] == "ok"
    return row[0][1]


def append(sql, room, *messages):
    """Appends messages: (kind, author, client id, content[, reply_to]). Returns (status, seq) of each."""
    full = [message + (None,) * (5 - len(message)) for message in messages]
    kinds, authors, clients, contents, replies = ([m[i] for m in full] for i in range(5))
    rows = sql("SELECT idx, status, seq FROM room_append(%s, %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[],"
               " %s::uuid[], %s::jsonb[])", room, kinds, authors, clients, contents, replies, [None] * len(full),
               [None] * len(full))
    assert [row[0] for row in rows] == list(range(1, len(full) + 1))
    return [row[1:] for row in rows]


@pytest.mark.parametrize("name, good", [
    ("a", True), ("Ann", True), ("a.b-c_d", True), ("1a", True), ("-", True), ("abcdefghijklmnopqrstuvwxyz012345", True),
    ("", False), ("abcdefghijklmnopqrstuvwxyz0123456", False), ("123", False), ("a b", False), ("a@b", False),
    ("a\n", False), ("\u00e4", False), ("chat", False), ("Me", False), ("ECHO", False), ("local", False),
    ("chatty", True), ("11111111-2222-4333-8444-555555555555", False)])
def test_name_rule_is_that_of_the_daemon(sql, name, good):
    assert sql("SELECT name_ok(%s)", name) == [(good,)]


def test_users_and_roles_share_names_regardless_of_case(sql, user):
    name, mail = new_name(), new_name() + "@example.org"
    owner = user(name, mail)
    sql("SELECT 1 FROM (SELECT email_vouch(%s)) v", owner)
    assert sql("SELECT status FROM user_create(%s, NULL, NULL, NULL, 'user')", name.upper()) == [("taken_name",)]
    assert sql("SELECT status FROM user_create(%s, %s, NULL, NULL, 'user')", new_name(), mail.upper()) == [("taken_email",)]
    create = "SELECT status FROM role_create(%s, %s, 'x', NULL, NULL, NULL, NULL, 2)"
    assert sql(create, owner, name.title()) == [("taken_name",)]
    role = new_name()
    assert sql(create, owner, role) == [("ok",)]
    assert sql("SELECT status FROM user_create(%s, NULL, NULL, NULL, 'user')", role) == [("taken_name",)]
    assert sql(create, owner, new_name()) == [("ok",)]
    assert sql(create, owner, new_name()) == [("limit",)]
    number = sql("SELECT id FROM roles WHERE name = %s", role)[0][0]
    assert sql("SELECT role_delete(%s, %s, false)", number, owner + 1) == [("forbidden",)]
    assert sql("SELECT role_delete(%s, %s, false)", number, owner) == [("ok",)]
    assert sql("SELECT status FROM user_create(%s, NULL, NULL, NULL, 'user')", role) == [("ok",)]


@pytest.mark.parametrize("batch", [False, True])
def test_append_judges_each_message(sql, user, batch):
    owner, stranger = user(), user()
    role = sql("SELECT id FROM role_create(%s, %s, '', NULL, NULL, NULL, NULL, 9)", owner, new_name())[0][0]
    room = make_room(sql, owner, roles=[role])
    cases = [(("user", owner, "a", "hi"), ("ok", 2)), (("user", owner, "a", "hi"), ("duplicate", 2)),
             (("user", owner, "a", "ho"), ("conflict", None)), (("user", stranger, "a", "hi"), ("forbidden", None)),
             (("role", role, "a", "hi", 2), ("ok", 3)), (("role", role + 1, "a", "hi"), ("forbidden", None)),
             (("system", 0, "a", "hi", 99), ("ok", 4)), (("user", owner, "b", "hi"), ("ok", 5))]
    if batch:
        assert append(sql, room, *(case[0] for case in cases)) == [case[1] for case in cases]
    else:
        assert [append(sql, room, case[0])[0] for case in cases] == [case[1] for case in cases]
    again = [want if want[0] != "ok" else ("duplicate", want[1]) for _, want in cases]
    assert append(sql, room, *(case[0] for case in cases)) == again
    replies = dict(sql("SELECT seq, reply_to FROM messages WHERE room_id = %s", room))
    # in one batch a reply cannot know the seq of its neighbor
    assert replies == {2: None, 3: None if batch else 2, 4: None, 5: None}
    sql("UPDATE rooms SET archived = true WHERE id = %s RETURNING 1", room)
    assert append(sql, room, ("user", owner, "a", "hi"), ("user", owner, "new", "x")) == [("duplicate", 2), ("archived", None)]
    assert append(sql, room, ("user", owner, "new", "x")) == [("archived", None)]
    assert append(sql, -1, ("user", owner, "a", "hi"), ("user", owner, "b", "hi")) == [("not_found", None)] * 2
    assert sql(DENSE, room) == [(0,)]


def test_seq_is_dense_under_concurrent_writers(sql, user, pg_dsn):
    owner, others = user(), [user() for _ in range(4)]
    room = make_room(sql, owner)
    problems = []

    def write(author):
        try:
            with psycopg.connect(pg_dsn, autocommit=True) as conn:
                call = lambda text, *params: conn.execute(text, params).fetchall()  # noqa: E731
                call("SELECT status FROM room_join(%s, %s)", room, author)
                for batch in range(20):
                    sent = [("user", author, f"{batch}.{i}", "text") for i in range(batch % 4 + 1)]
                    assert {row[0] for row in append(call, room, *sent)} == {"ok"}
                call("SELECT status FROM room_leave(%s, %s)", room, author)
        except Exception as why:  # pylint: disable=broad-except
            problems.append(why)

    threads = [threading.Thread(target=write, args=(author,)) for author in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert sql("SELECT last_seq FROM rooms WHERE id = %s", room) == [(1 + 4 * (2 + 50),)]
    assert sql(DENSE, room) == [(0,)]
    assert sql("SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER (ORDER BY seq) AS fell FROM log_rows"
               " WHERE room_id = %s) t WHERE fell", room) == [(0,)]


def test_join_is_idempotent_and_private_rooms_do_not_exist_for_strangers(sql, user):
    owner, stranger = user(), user()
    public, private = make_room(sql, owner), make_room(sql, owner, "private")
    join = "SELECT status, change_seq, member_count FROM room_join(%s, %s)"
    assert sql(join, public, stranger) == [("joined", 2, 2)]
    assert sql(join, public, stranger) == [("already", None, 2)]
    assert sql(join, private, stranger) == [("not_found", None, None)]
    assert sql(join, private, owner) == [("already", None, 1)]
    assert sql("SELECT * FROM room_head(%s, %s)", private, stranger) == []
    assert sql("SELECT status FROM room_leave(%s, %s)", private, stranger) == [("not_found",)]
    assert sql("SELECT status FROM room_leave(%s, %s)", public, owner) == [("conflict",)]
    assert sql("SELECT status, change_kind FROM room_leave(%s, %s)", public, stranger) == [("ok", "left")]
    assert sql("SELECT status FROM room_member_add(%s, %s, false, %s, 'member')", private, stranger, owner) == [("not_found",)]
    assert sql("SELECT status FROM room_member_add(%s, %s, false, %s, 'moderator')", private, owner, stranger) == [("ok",)]
    assert sql("SELECT status FROM room_member_remove(%s, %s, false, %s)", private, stranger, owner) == [("forbidden",)]


def refresh(sql, login, counter, reuse_ms=10000, rotate=True):
    return sql("SELECT status, counter FROM auth_refresh(%s, %s, %s, %s)", login, counter, reuse_ms, rotate)[0]


def test_refresh_repeats_the_current_counter_within_the_window(sql, user):
    login = sql("SELECT id FROM login_create(%s, '1 hour', NULL, NULL)", user())[0][0]
    assert refresh(sql, login, 1) == ("rotated", 2)
    for _ in range(3):
        assert refresh(sql, login, 1) == ("current", 2)
    assert refresh(sql, login, 2, rotate=False) == ("current", 2)
    sql("UPDATE login_sessions SET rotated_at = rotated_at - interval '11 s' WHERE id = %s RETURNING 1", login)
    assert refresh(sql, login, 1) == ("reused", 2)
    assert refresh(sql, login, 2) == ("gone", 2)
    assert sql("SELECT end_reason FROM login_sessions WHERE id = %s", login) == [("refresh reuse",)]


@pytest.mark.parametrize("rotations, counter, reuse_ms", [(2, 1, 10000), (1, 1, 0), (0, 2, 10000), (0, 0, 10000)])
def test_refresh_with_any_other_counter_ends_the_session(sql, user, rotations, counter, reuse_ms):
    login = sql("SELECT id FROM login_create(%s, '1 hour', NULL, NULL)", user())[0][0]
    for number in range(rotations):
        assert refresh(sql, login, number + 1) == ("rotated", number + 2)
    assert refresh(sql, login, counter, reuse_ms)[0] == "reused"
    assert refresh(sql, login, rotations + 1)[0] == "gone"


def test_two_tabs_refresh_at_once_and_both_get_the_same_counter(user, sql, pg_dsn):
    login = sql("SELECT id FROM login_create(%s, '1 hour', NULL, NULL)", user())[0][0]
    results, gate = [], threading.Barrier(4)

    def tab():
        with psycopg.connect(pg_dsn, autocommit=True) as conn:
            gate.wait()
            results.append(refresh(lambda text, *params: conn.execute(text, params).fetchall(), login, 1))

    threads = [threading.Thread(target=tab) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [("current", 2)] * 3 + [("rotated", 2)]


def test_a_deleted_message_keeps_its_slot_and_loses_its_text(sql, user):
    owner, other = user(), user()
    room = make_room(sql, owner)
    sql("SELECT status FROM room_join(%s, %s)", room, other)
    append(sql, room, ("user", owner, "a", "secret"))
    edit = "SELECT status, seq, kind FROM message_edit(%s, %s, %s, %s)"
    assert sql(edit, room, 3, other, "x") == [("not_author", None, None)]
    assert sql(edit, room, 3, owner, "secret two") == [("ok", 3, None), ("ok", 4, "edited")]
    assert sql("SELECT status, seq, kind FROM message_delete(%s, 3, %s, false)", room, owner) == [
        ("ok", 3, None), ("ok", 5, "deleted")]
    assert sql("SELECT count(*) FROM log_rows WHERE room_id = %s AND (content || coalesce(meta, '')) LIKE '%%secret%%'"
               " OR (room_id = %s AND meta LIKE '%%secret%%')", room, room) == [(0,)]
    assert sql(DENSE, room) == [(0,)]


def test_one_generation_per_room_and_role_and_its_follow_up(sql, user):
    owner = user()
    role = sql("SELECT id FROM role_create(%s, %s, '', NULL, NULL, NULL, NULL, 9)", owner, new_name())[0][0]
    room = make_room(sql, owner, roles=[role])
    begin = "SELECT generation_begin(%s, %s, %s, %s, %s, NULL, NULL, 'host', 1, 0, %s)"
    end = "SELECT status, follow_up_seq FROM generation_end(%s, 'done', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    ids = [str(uuid.uuid4()) for _ in range(3)]
    assert sql(begin, ids[0], room, role, owner, 2, 1) == [("ok",)]
    assert sql(begin, ids[1], room, role, owner, 3, 1) == [("busy",)]
    assert sql(begin, ids[1], room, role, owner, 4, 1) == [("busy",)]
    assert sql(end, ids[0]) == [("ok", 4)]
    assert sql(end, ids[0]) == [("already", None)]
    assert sql(begin, ids[2], room, role, owner, 4, 1) == [("ok",)]
    again = "SELECT generation_begin(%s, %s, %s, %s, %s, NULL, NULL, 'host', 1, 0, %s, true)"
    for seq, follow_up in ((4, None), (2, None), (3, None), (5, 5), (5, 5), (4, 5)):
        assert sql(again, str(uuid.uuid4()), room, role, owner, seq, 1) == [("busy",)], "each message once"
        assert sql("SELECT follow_up_seq FROM generations WHERE id = %s", ids[2]) == [(follow_up,)], seq
    interrupt = "SELECT id::text, state FROM generation_interrupt('host', %s, 0, %s)"
    assert sql(interrupt, 1, 1) == []
    assert sql(interrupt, 1, 2) == [(ids[2], "interrupted")]
    for call in (begin, again):
        assert sql(call, str(uuid.uuid4()), room, role, owner, 4, 1) == [("busy",)], "also when it is over"
    assert sql(again, str(uuid.uuid4()), room, role, owner, 3, 1) == [("busy",)], "a later one was asked about"
    assert sql(again, str(uuid.uuid4()), room, role, owner, 6, 1) == [("ok",)]


@pytest.mark.parametrize("stop, want", [
    ("stop", "done"), ("length", "done"), ("interrupted", "interrupted"), ("cancelled", "cancelled"), ("failed", "failed")])
@pytest.mark.parametrize("ender", ["slot", "adopter", "late adopter"])
def test_what_the_message_says_is_how_its_answer_ended(sql, user, stop, want, ender):
    """A worker died between storing the text and ending the generation. The process that replaces it ends the
    generation, or the worker that adopted it and found less text, or none; that worker may also be late, after the row
    was marked."""
    owner, ident = user(), str(uuid.uuid4())
    role = sql("SELECT id FROM role_create(%s, %s, '', NULL, NULL, NULL, NULL, 9)", owner, new_name())[0][0]
    room = make_room(sql, owner, roles=[role])
    append(sql, room, ("user", owner, "q", "hi"))
    assert sql("SELECT generation_begin(%s, %s, %s, %s, 2, 'peer', 'model', 'dead', 1, 0, 1)", ident, room, role,
               owner) == [("ok",)]
    if ender == "late adopter":
        assert sql("SELECT state, answer_seq FROM generation_interrupt('dead', 1, 0, 2)") == [("interrupted", None)]
    meta = '{"model": "model", "usage": {"prompt_tokens": 7, "completion_tokens": 5, "stop": "%s"}}' % stop
    assert sql("SELECT status FROM room_append(%s, '{role}', ARRAY[%s]::bigint[], ARRAY[%s], '{text}', '{2}',"
               " ARRAY[%s]::uuid[], ARRAY[%s]::jsonb[])", room, role, ident, ident, meta) == [("ok",)]
    if ender == "slot":
        sql("SELECT * FROM generation_interrupt('dead', 1, 0, 2)")
    else:
        assert sql("SELECT status, state, answer_seq FROM generation_end(%s, 'interrupted', NULL, NULL, NULL, NULL, NULL, NULL,"
                   " NULL, NULL, NULL)", ident) == [("ok", want, 3)]
    assert sql("SELECT state, answer_seq, prompt_tokens, completion_tokens FROM generations WHERE id = %s", ident) == [
        (want, 3, 7, 5)]
    if ender == "late adopter":
        return  # its usage was stored when the row was marked
    assert sql("SELECT state, prompt_tokens, completion_tokens FROM usage WHERE generation_id = %s", ident) == [(want, 7, 5)]


def test_every_table_and_column_has_a_comment(sql):
    assert sql("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')"
               " AND obj_description(c.oid, 'pg_class') IS NULL") == []
    assert sql("SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
               " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
               " AND col_description(c.oid, a.attnum) IS NULL") == []
    assert sql("SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"
               " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
               " AND obj_description(p.oid, 'pg_proc') IS NULL") == []


def test_the_daemons_role_cannot_change_the_schema_or_its_history(sql):
    if sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]:
        pytest.skip("connected as superuser")
    for text in ("CREATE TABLE mine (a integer)", "ALTER TABLE users ADD COLUMN a integer", "DELETE FROM audit",
                 "UPDATE audit SET action = 'x'", "DELETE FROM users", "DELETE FROM schema_migrations", "TRUNCATE messages"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(text)


def test_people_read_views_and_nothing_else(pg, database):
    with psycopg.connect(pg.dsn(database, "parlour_report"), autocommit=True) as conn:
        views = [row[0] for row in conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'public'"
                                                " AND viewname LIKE 'v\\_%'").fetchall()]
        assert len(views) >= 6
        for view in views:
            conn.execute(f"SELECT * FROM {view} LIMIT 1").fetchall()
        for table in ("users", "messages", "login_sessions", "message_rows"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(f"SELECT * FROM {table} LIMIT 1")
