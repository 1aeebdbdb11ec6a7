# SPDX-License-Identifier: ISC
"""Moving from another system: accounts, roles, rooms, and messages through parlourctl import."""

import json
import os
import re
import sqlite3
import subprocess

import pytest

import cluster
from usagedata import lines, unique

BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
PASSWORD = "U*U"
IMPORT_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/import")


@pytest.fixture(name="bring")
def fixture_bring(shared):
    source = unique()

    def bring(kind, records, *options, check=True):
        path = f"{shared.dir}/{unique()}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(records if isinstance(records, str) else lines(records))
        return shared.ctl("import", kind, path, "--source", source, *options, check=check)
    bring.source = source
    return bring


@pytest.fixture(name="old")
def fixture_old(bring):
    """Imports two accounts, a role, and a room of the old system, and returns its records by name."""
    tag = unique().replace("-", "")[:12]
    old = {"ann": f"ann{tag}", "bob": f"bob{tag}", "role": f"sage{tag}"}
    assert bring("users", [
        {"id": 1, "username": old["ann"], "email": f"{old['ann']}@example.org", "name": "Ann", "password_hash": BCRYPT,
         "created_at": "2024-01-02T03:04:05"},
        {"id": 2, "username": old["bob"], "password_hash": BCRYPT}]).stdout == "2 imported, 0 duplicates, 0 refused\n"
    assert bring("roles", [{"id": "r1", "name": old["role"], "instructions": "Be brief.", "owner_id": 1}]
                 ).stdout.startswith("1 imported")
    assert bring("rooms", [{"id": 7, "name": "Old room", "owner_id": 1, "member_ids": [1, 2], "role_ids": ["r1"],
                            "created_at": "2024-02-01T00:00:00Z"}]).stdout.startswith("1 imported")
    return old


def message(number, minute, **more):
    return {"id": number, "room_id": 7, "user_id": 1, "content": f"no. {number}", "created_at": f"2024-03-01T10:{minute:02}:00Z", **more}


def test_accounts_log_in_with_their_old_password(shared, rows, old):
    user = shared.login(old["ann"], PASSWORD)
    me = user.get("/api/auth/me").json()
    assert (me["username"], me["name"], me["email"]) == (old["ann"], "Ann", f"{old['ann']}@example.org")
    assert me["created_at"].startswith("2024-01-02T03:04:05")
    shared.login(old["ann"], PASSWORD)
    found = rows(f"SELECT password_hash FROM users WHERE username = '{old['ann']}'")[0][0]
    assert found.startswith("$argon2id$"), "hashed again at the first login"
    wrong = shared.post("/api/auth/login", {"username": old["bob"], "password": "U*V"})
    assert wrong.status_code == 401
    assert rows(f"SELECT password_hash FROM users WHERE username = '{old['bob']}'")[0][0] == BCRYPT


def test_messages_keep_their_times_and_get_a_dense_log(shared, rows, bring, old):
    room = rows(f"SELECT new_id FROM import_ids WHERE source = '{bring.source}' AND kind = 'room'")[0][0]
    records = [message(13, 3, role_id="r1", user_id=None, reply_to=12), message(11, 1), message(12, 2, user_id=2, reply_to=11),
               message(14, 4, user_id=None, content="the \"system\" \\ said \u00e4\U0001f600" * 20000)]
    assert bring("messages", records, "--dry-run").stdout == "dry run: 4 imported, 0 duplicates, 0 refused\n"
    assert rows(f"SELECT count(*) FROM messages WHERE room_id = {room}")[0][0] == 0
    assert bring("messages", records).stdout == "4 imported, 0 duplicates, 0 refused\n"
    assert bring("messages", records).stdout == "0 imported, 4 duplicates, 0 refused\n"
    user = shared.login(old["bob"], PASSWORD)
    found = user.get(f"/api/rooms/{room}/messages").json()
    found = sorted(found["messages"] if isinstance(found, dict) else found, key=lambda m: m["seq"])
    assert [m["content"] for m in found] == ["no. 11", "no. 12", "no. 13", records[3]["content"]]
    assert [m["created_at"][:16] for m in found] == [f"2024-03-01T10:0{n}" for n in (1, 2, 3, 4)]
    assert [r[0] for r in rows(f"SELECT seq FROM log_rows WHERE room_id = {room} ORDER BY 1")] == [1, 2, 3, 4, 5, 6]
    stored = rows(f"SELECT seq, author_kind, client_id, reply_to FROM messages WHERE room_id = {room} ORDER BY seq")
    assert [tuple(r) for r in stored] == [
        (3, "user", f"import:{bring.source}:11", None), (4, "user", f"import:{bring.source}:12", 3),
        (5, "role", f"import:{bring.source}:13", 4), (6, "system", f"import:{bring.source}:14", None)]
    said = user.post(f"/api/rooms/{room}/messages", {"content": "new here"})
    assert said.status_code in (200, 201) and said.json()["seq"] == 7
    done = bring("messages", [message(15, 5)], check=False)
    assert done.returncode == 65 and "times never fall within a room" in done.stderr
    assert rows(f"SELECT last_seq FROM rooms WHERE id = {room}")[0][0] == 7


def test_roles_with_names_for_people(shared, rows, bring, old):
    """A role shows its display_name and gets a name for mentions from it; in a room without role_ids, it joins when it
    is mentioned."""
    tag = unique()
    assert bring("roles", [{"id": n, "name": f"x{n}-{tag}", "display_name": f"Night Watch {tag}", "ai_instructions": "Watch.",
                            "avatar": "\U0001f989", "owner_id": n} for n in (1, 2)]).stdout.startswith("2 imported")
    found = [tuple(r) for r in rows("SELECT name, instructions, avatar FROM roles WHERE "
                                    f"display_name = 'Night Watch {tag}' ORDER BY id")]
    made = f"Night_Watch_{tag}"[:28]
    assert found == [(made, "Watch.", "\U0001f989"), (made + "_2", "Watch.", "\U0001f989")]
    bring("rooms", [{"id": n, "name": "watch", "owner_id": 1, "created_at": "2024-02-01T00:00:00Z", **more}
                    for n, more in ((21, {}), (22, {"role_ids": []}))])
    taking = rows(f"SELECT r.takes_roles FROM import_ids i JOIN rooms r ON r.id = i.new_id WHERE i.source = '{bring.source}' "
                  "AND i.kind = 'room' AND i.old_id IN ('21', '22') ORDER BY i.old_id")
    assert [r[0] for r in taking] == [True, False]


def test_later_file_goes_on_behind_the_first(bring, old):
    assert bring("messages", [message(1, 1), message(2, 2)]).stdout.startswith("2 imported")
    assert bring("messages", [message(2, 2), message(3, 3)]).stdout == "1 imported, 1 duplicates, 0 refused\n"
    done = bring("messages", [message(4, 0), message(5, 5)], check=False)
    assert done.returncode == 65 and done.stdout == "1 imported, 0 duplicates, 1 refused\n"


@pytest.mark.parametrize("kind, record, words", [
    ("users", {"id": 9, "username": "a b"}, "username must be"),
    ("users", {"username": "somebody"}, "id must be"),
    ("users", {"id": 9, "username": "somebody", "password_hash": "plain"}, "password_hash must be bcrypt"),
    ("users", {"id": 9, "username": "somebody", "email": "nobody"}, "email must be"),
    ("users", {"id": 9, "username": "somebody", "access": "root"}, "access must be"),
    ("users", {"id": 9, "username": "somebody", "created_at": "yesterday"}, "created_at must be a time"),
    ("users", {"id": 9, "username": "somebody", "created_at": "2999-01-01T00:00:00Z"}, "created_at must be between"),
    ("users", {"id": 9, "username": "somebody", "disabled": "perhaps"}, "not usable"),
    ("users", {"id": 9, "username": "some\0body"}, "not usable"),
    ("roles", {"id": 9, "name": "x y"}, "name must be"),
    ("roles", {"id": 9, "name": "wizard9", "owner_id": 77}, "user 77 of"),
    ("roles", {"id": 9, "name": "wizard9", "temperature": 3}, "not usable"),
    ("rooms", {"id": 9, "name": "x"}, "created_at is missing"),
    ("rooms", {"id": 9, "name": "", "created_at": "2024-01-01T00:00:00Z"}, "name must have"),
    ("rooms", {"id": 9, "name": "x", "member_ids": 3, "created_at": "2024-01-01T00:00:00Z"}, "member_ids must be a list"),
    ("rooms", {"id": 9, "name": "x", "visibility": "no", "created_at": "2024-01-01T00:00:00Z"}, "visibility must be"),
    ("messages", {"id": 9, "room_id": 88, "content": "x", "created_at": "2024-01-01T00:00:00Z"}, "room 88 of"),
    ("messages", {"id": 9, "content": "x", "created_at": "2024-01-01T00:00:00Z"}, "room_id is missing"),
    ("messages", {"id": 9, "room_id": 7, "user_id": 1, "content": "", "created_at": "2024-04-01T00:00:00Z"}, "content must have"),
    ("messages", {"id": 9, "room_id": 7, "role_id": "r1", "content": "x" * (1 + (4 << 20)), "created_at": "2024-04-01T00:00:00Z"}, "content must have"),
    ("messages", {"id": 9, "room_id": 7, "user_id": 1, "role_id": "r1", "content": "x", "created_at": "2024-04-01T00:00:00Z"}, "user_id and role_id"),
    ("messages", {"id": 9, "room_id": 7, "content": "x"}, "created_at is missing"),
])
def test_refusals_name_the_rule_and_spoil_nothing_else(bring, old, kind, record, words):
    done = bring(kind, json.dumps(record) + "\n", check=False)
    assert done.returncode == 65 and done.stdout == "0 imported, 0 duplicates, 1 refused\n"
    assert f":1: {words}" in done.stderr, done.stderr


def test_broken_lines_and_taken_names(bring, old):
    done = bring("users", '{"id": 1, "username": "again"}\n{broken\n[]\n'
                 + json.dumps({"id": 5, "username": old["ann"].upper()}) + "\n"
                 + json.dumps({"id": 6, "username": "x" + old["ann"]}), check=False)
    assert done.returncode == 65 and done.stdout == "1 imported, 1 duplicates, 3 refused\n"
    assert ":2: not usable" in done.stderr and ":3: must be a JSON object" in done.stderr and ":4: username" in done.stderr


def test_wants_a_source(shared):
    done = shared.ctl("import", "users", "/dev/null", check=False)
    assert done.returncode == 64 and "--source" in done.stderr


def test_sqlite_comes_through_postgresql(pg, rows, tmp_path):
    """A back end on SQLite is imported with sqlite-tables, psql, and an export query."""
    old = sqlite3.connect(tmp_path / "old.db")
    old.executescript("""CREATE TABLE sessions (session_id VARCHAR, developer_id TEXT, timestamp DATETIME, model TEXT,
            total_tokens INTEGER, cost_usd REAL, accepted_flag BOOLEAN);
        INSERT INTO sessions VALUES ('s\\1', 'tab	here', '2024-10-28T11:30:00', NULL, 2500, 0.45, 1), ('s2', 'd', '2024-10-29', 'm', 1, 0, 0);
        CREATE TABLE "odd ""name" (x)""")
    old.close()
    script = subprocess.run([f"{IMPORT_DIR}/sqlite-tables", tmp_path / "old.db"], capture_output=True, text=True, check=True)
    assert script.stderr == "sqlite-tables: 2 tables\n"
    rows("CREATE DATABASE scratch")
    try:
        copied = subprocess.run([pg.bin + "/psql", "-qX", "-v", "ON_ERROR_STOP=1", pg.dsn("scratch", cluster.OWNER)], input=script.stdout,
                                capture_output=True, text=True, check=False)
        assert copied.returncode == 0 and copied.stderr == "", copied.stderr
        lines_of = subprocess.run([pg.bin + "/psql", "-XAtq", "-f", f"{IMPORT_DIR}/usage-sessions.sql", pg.dsn("scratch", cluster.OWNER)],
                                  capture_output=True, text=True, check=True).stdout.splitlines()
    finally:
        rows("DROP DATABASE scratch")
    assert json.loads(lines_of[0]) == {"session_id": "s\\1", "developer_id": "tab\there", "timestamp": "2024-10-28T11:30:00",
                                       "total_tokens": 2500, "cost_usd": 0.45, "accepted_flag": True}
    wrong = subprocess.run([f"{IMPORT_DIR}/sqlite-tables", tmp_path / "none.db"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1 and "none.db" in wrong.stderr and not (tmp_path / "none.db").exists()


def test_export_queries_fit(shared, rows, bring):
    """The queries of contrib/import run on the tables of a FastAPI back end, and parlourctl imports their output."""
    tag = unique().replace("-", "")[:8]
    rows(f"""CREATE SCHEMA old;
        CREATE TABLE old."user" (id int, email text, username text, name text, hashed_password text, is_active bool, created_at timestamp);
        CREATE TABLE old.role (id int, user_id int, name text, instructions text, created_at timestamp);
        CREATE TABLE old.room (id int, name text, created_by int, created_at timestamp);
        CREATE TABLE old.message (id int, room_id int, user_id int, role_id int, content text, created_at timestamp);
        INSERT INTO old."user" VALUES (1, 'x{tag}@example.org', 'x{tag}', 'X', '{BCRYPT}', true, '2024-01-01 10:00'),
            (2, 'y+{tag}@example.org', NULL, NULL, '{BCRYPT}', true, '2024-01-01 11:00');
        INSERT INTO old.role VALUES (1, 1, 'The {tag} sage', 'Be brief.', '2024-01-02');
        INSERT INTO old.room VALUES (5, 'General', 1, '2024-01-05');
        INSERT INTO old.message VALUES (1, 5, 2, NULL, 'hello', '2024-01-04'), (2, 5, 2, 1, 'hello back', '2024-01-05')""")
    try:
        for kind, count in (("users", 2), ("roles", 1), ("rooms", 1), ("messages", 2)):
            with open(f"{IMPORT_DIR}/fastapi-{kind}.sql", encoding="utf-8") as file:
                found = rows(re.sub(r'FROM ("user"|role|room|message) ', r"FROM old.\1 ", file.read()))
            text = "\n".join(json.dumps(r[0]) for r in found)
            assert bring(kind, text).stdout == f"{count} imported, 0 duplicates, 0 refused\n"
    finally:
        rows("DROP SCHEMA old CASCADE")
    user = shared.login(f"y_{tag}", PASSWORD)
    assert user.get("/api/auth/me").json()["email"] == f"y+{tag}@example.org"
    stored = rows("SELECT m.author_kind, m.content FROM messages m JOIN import_ids i ON i.room_id = m.room_id AND i.new_id = m.seq "
                  f"WHERE i.source = '{bring.source}' ORDER BY m.seq")
    assert [tuple(r) for r in stored] == [("user", "hello"), ("role", "hello back")]
