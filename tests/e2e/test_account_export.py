# SPDX-License-Identifier: ISC
"""Exports of accounts: everything that an account owns and wrote, no secrets."""

import contextlib
import json
import os
import stat

import pytest

from conftest import finish, maker
from parlour import SLOW, wait_for
from test_account_delete import WORDS, add, live
from test_people import word

PATH = "/api/profile/export"                        # covers: POST /api/profile/export
# covers: GET /api/profile/export

# Tables with rows of users that the document does not have, and why.
LEFT_OUT = {"account_tokens": "secrets of mailed links", "second_factors": "a secret; profile.second_factor tells that it is on",
            "recovery_codes": "hashes of secrets", "mfa_tickets": "secrets", "oidc_flows": "sign-ins in progress", "oidc_codes": "secrets",
            "login_locks": "the state of a safeguard", "account_exports": "exports themselves", "rooms": "memberships.created_by_user",
            "room_bans": "decisions of moderators; the room does not exist for the user"}
LISTED = {"blocks": "blocks", "dashboards": "dashboards", "feedback_requests": "feedback_requests", "feedback": "feedback",
          "invite_uses": "invites_used", "invites": "invites", "knowledge_documents": "documents", "login_sessions": "logins",
          "members": "memberships", "notification_settings": "notification_settings", "notification_digests": "digest_hour", "notifications": "notifications",
          "preferences": "preferences", "provider_keys": "provider_keys", "query_history": "queries", "reactions": "reactions", "roles": "roles",
          "sessions": "sessions", "usage": "usage", "user_identities": "identities"}


@pytest.fixture(name="daemon", scope="module")
def fixture_daemon(request, workdir):
    make, made = maker(request, workdir)
    yield make(workers=2, rate_login="10000/min", exports_per_day=4, user_directory="all")
    finish(made, request.session.testsfailed > 0)


def document(user, within=20):
    """Waits until the export is complete."""
    def done():
        answer = user.get(PATH)
        assert answer.status_code in (200, 202), answer.text
        return answer.status_code == 200 and answer
    return wait_for(done, within * SLOW, "the export is complete")


def export(user, within=20):
    answer = user.post(PATH)
    assert answer.status_code == 202, answer.text
    return document(user, within)


@contextlib.contextmanager
def slowly(rows, seconds):
    """Each step of an export takes a moment."""
    rows(f"CREATE FUNCTION slow_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$; "
         "CREATE TRIGGER slow_test AFTER INSERT ON account_export_parts FOR EACH STATEMENT EXECUTE FUNCTION slow_test()")
    try:
        yield
    finally:
        rows("DROP TRIGGER slow_test ON account_export_parts; DROP FUNCTION slow_test()")


def writer(daemon, rows, messages, characters):
    """Somebody who wrote so much, in two rooms."""
    user = daemon.register()
    rooms = [user.room()["id"] for _ in range(2)]
    rows("INSERT INTO messages (room_id, seq, author_id, created_at, author_kind, client_id, content) SELECT r, s + 10, "
         f"{user.id}, now(), 'user', 'c' || s, 'ü' || repeat('z', {characters - 6}) || s FROM unnest(ARRAY{rooms}) r, generate_series(1, {messages} / 2) s")
    rows(f"UPDATE rooms SET last_seq = 10 + {messages} / 2 WHERE id = ANY (ARRAY{rooms})")
    return user


# ---- what it has ----

def test_everything_and_no_secrets(daemon, rows):
    user, friend, room = live(daemon, rows)
    key = user.post("/api/keys", {"name": "script", "scopes": ["read"]}).json()["key"]
    session = user.post("/api/sessions", {"kind": "guided"}).json()
    rows(f"INSERT INTO user_identities (user_id, issuer, subject, provider, email) VALUES ({user.id}, 'https://id.example.org', 's-1', 'id', 'x@example.org')")
    rows(f"INSERT INTO session_slots (session_id, name, value, raw, sealed, collected_at) VALUES ('{session['id']}', 'city', 'Berlin', 'in berlin', NULL, now()), "
         f"('{session['id']}', 'iban', NULL, NULL, 'sealed-bytes', now()) ON CONFLICT DO NOTHING")
    seq = user.get(f"/api/rooms/{room}/messages").json()[0]["seq"]
    assert user.put(f"/api/rooms/{room}/messages/{seq}/reactions/👍").status_code in (200, 204)
    assert user.put(f"/api/rooms/{room}/draft", {"content": f"{WORDS} draft"}).status_code == 200
    answer = export(user)
    assert answer.headers["content-disposition"] == 'attachment; filename="account.json"'
    assert answer.headers["content-type"] == "application/json"
    data = answer.json()
    assert (data["format"], data["version"]) == ("parlour-account-export", 1)
    assert (data["profile"]["id"], data["profile"]["username"], data["profile"]["email"], data["profile"]["name"], data["profile"]["timezone"]) == \
        (user.id, user.name, f"{user.name}@example.org", "Wilhelmine Quastenflosser", "Europe/Berlin")
    assert data["preferences"] == {"secret": WORDS}
    assert [(m["content"], m["room_id"]) for m in data["messages"]] == [(f"{WORDS} {w}", room) for w in ("edited", "two", "three")]
    assert [(d["content"], d["room_id"]) for d in data["drafts"]] == [(f"{WORDS} draft", room)]
    assert [(r["emoji"], r["seq"]) for r in data["reactions"]] == [("👍", seq)]
    assert [v["content"] for v in data["message_versions"]] == [f"{WORDS} one"]
    assert [m["content"] for m in data["session_messages"] if m["author"] == "user"] == [f"{WORDS} chat"]
    assert any(m["author"] == "assistant" for m in data["session_messages"]), "with the answers"
    assert {s["id"] for s in data["sessions"]} >= {session["id"]}
    lead = next(one for one in data["leads"] if one["session_id"] == session["id"])
    assert (lead["collected_data"]["city"], lead["written"]["city"], lead["collected_data"]["iban"], lead["sensitive"]) == \
        ("Berlin", "in berlin", None, ["iban"])
    assert {(m["room_id"], m["level"], m["created_by_user"]) for m in data["memberships"]} >= {(room, "owner", True)}
    assert [r["instructions"] for r in data["roles"]] == ["Repeat it.", f"Nobody uses {WORDS}."]
    assert [f["comment"] for f in data["feedback"]] == [f"{WORDS} good"]
    assert [(q["question"], q["asked_by_user"]) for q in data["feedback_requests"]] == [(f"{WORDS}?", True), ("really?", False)]
    assert {n["kind"] for n in data["notifications"]} >= {"added", "question"}
    assert [q["query"] for q in data["queries"]] == [f"{WORDS} tokens per day"]
    assert [d["layout_id"] for d in data["dashboards"]] == ["mine"] and [b["username"] for b in data["blocks"]] == [friend.name]
    assert [i["note"] for i in data["invites"]] == [WORDS] and [k["name"] for k in data["api_keys"]] == [WORDS, "script"]
    assert len(data["logins"]) == 1 and data["logins"][0]["ended_at"] is None
    assert [i["subject"] for i in data["identities"]] == ["s-1"] and data["usage"][0]["room_id"] == room
    assert {a["act"] for a in data["audit"]} >= {"account created", "login", "export requested"}
    assert all(a["by_user"] or a["address"] is None for a in data["audit"])
    secrets = [user.password, user.access, user.refresh, key, "sealed-bytes", *rows(f"SELECT password_hash FROM users WHERE id = {user.id}")[0],
               *(h for h, in rows(f"SELECT encode(key_hash, 'hex') FROM login_sessions WHERE user_id = {user.id} AND kind = 'key'"))]
    assert not [s for s in secrets if s in answer.text]
    assert "my own text" not in answer.text, "nothing that others wrote"


def test_every_table_is_considered(daemon, rows):
    """A table with rows of users is in the document, or in LEFT_OUT."""
    data = export(daemon.register()).json()
    tables = {t for t, in rows("SELECT DISTINCT c.conrelid::regclass::text FROM pg_constraint c WHERE c.contype = 'f' "
                               "AND c.confrelid = 'users'::regclass")}
    assert tables - LEFT_OUT.keys() == LISTED.keys()
    assert not [name for name in (*LISTED.values(), "messages", "message_versions", "drafts", "session_messages", "leads", "audit") if name not in data]


def test_the_own_one_only(daemon):
    """Nobody gets another's document, and API keys get none."""
    user, other = daemon.register(), daemon.register()
    assert user.get(PATH).status_code == 404
    assert export(user).json()["profile"]["id"] == user.id
    assert other.get(PATH).status_code == 404
    key = user.post("/api/keys", {"name": "all", "scopes": ["read", "write", "chat", "v1"]}).json()["key"]
    for method in ("POST", "GET"):
        answer = daemon.once(method, PATH, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "api_key_refused")
        assert daemon.once(method, PATH).status_code == 401
    head = daemon.once("HEAD", PATH, headers=user.auth)
    assert (head.status_code, head.content) == (200, b"")


def test_audited(daemon, rows):
    user = daemon.register()
    export(user)
    acts = rows(f"SELECT action, actor_id, address IS NOT NULL, request_id IS NOT NULL FROM audit WHERE target = 'user:{user.id}' "
                "AND action LIKE 'export%' ORDER BY id")
    assert acts == [("export requested", user.id, True, True), ("export downloaded", user.id, True, True)]


# ---- one at a time, a few a day, not for long ----

def test_one_unfinished_at_a_time(daemon, rows):
    user = daemon.register()
    with slowly(rows, 1.5):
        first = user.post(PATH)
        assert first.status_code == 202 and first.json()["state"] == "queued" and first.headers["retry-after"]
        again, state = user.post(PATH).json(), user.get(PATH)
        assert state.status_code == 202 and again["created_at"] == state.json()["created_at"] == first.json()["created_at"]
        assert {again["state"], state.json()["state"]} <= {"queued", "running"} and again["finished_at"] is None
        document(user)
    assert rows(f"SELECT count(*) FROM jobs WHERE kind = 'account_export' AND payload ->> 'user' = '{user.id}'") == [(1,)]


def test_a_few_a_day(daemon, rows):
    user = daemon.register()
    for _ in range(4):
        old = export(user).json()["exported_at"]
    refused = user.post(PATH)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 86000 < int(refused.headers["retry-after"]) <= 86401
    assert document(user).json()["exported_at"] == old, "the newest one is kept"
    assert rows(f"SELECT count(DISTINCT p.export_id) FROM account_export_parts p JOIN account_exports e ON e.id = p.export_id WHERE e.user_id = {user.id}") == [(1,)]
    rows(f"UPDATE account_exports SET created_at = created_at - interval '1 day' WHERE user_id = {user.id}")
    assert user.post(PATH).status_code == 202
    document(user)


def test_turned_off(daemon):
    user = daemon.register()
    daemon.configure(exports_per_day=0)
    daemon.reload()
    try:
        wait_for(lambda: user.post(PATH).status_code == 403, 5 * SLOW, "exports are off")
    finally:
        daemon.configure(exports_per_day=4)
        daemon.reload()


def test_kept_for_a_while(daemon, rows):
    user, other = daemon.register(), daemon.register()
    export(user)
    export(other)
    rows(f"UPDATE account_exports SET finished_at = finished_at - interval '7 days' WHERE user_id = {user.id}")
    assert user.get(PATH).status_code == 404
    assert rows("SELECT account_exports_purge(7 * 86400000::bigint, 1000)") == [(1,)]
    assert rows(f"SELECT user_id FROM account_exports WHERE user_id IN ({user.id}, {other.id})") == [(other.id,)]
    assert user.get(PATH).status_code == 404 and document(other)


def test_one_that_was_dropped(daemon, rows):
    """It failed, and another one can be requested."""
    user = daemon.register()
    with slowly(rows, 3):
        user.post(PATH)
        rows(f"UPDATE jobs SET state = 'dropped', owner = NULL, finished_at = now() WHERE kind = 'account_export' AND payload ->> 'user' = '{user.id}'")
        answer = user.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert export(user).json()["profile"]["id"] == user.id


# ---- accounts that are deleted ----

def test_deleted_with_the_account(daemon, rows):
    done, unfinished = daemon.register(), writer(daemon, rows, 200, 16000)
    export(done)
    with slowly(rows, 0.3):
        unfinished.post(PATH)
        wait_for(lambda: rows(f"SELECT parts FROM account_exports WHERE user_id = {unfinished.id}")[0][0] > 4, 10 * SLOW, "it is being made")
        for user in (done, unfinished):
            assert user.post("/api/profile/delete", {"password": user.password}).status_code == 204
            assert rows(f"SELECT count(*) FROM account_exports WHERE user_id = {user.id}") == [(0,)], "at once"
        wait_for(lambda: rows(f"SELECT state FROM jobs WHERE kind = 'account_export' AND payload ->> 'user' = '{unfinished.id}'") == [("done",)],
                 10 * SLOW, "the job ends")
    assert rows("SELECT count(*) FROM account_export_parts p WHERE NOT EXISTS (SELECT FROM account_exports e WHERE e.id = p.export_id)") == [(0,)]
    assert rows(f"SELECT count(*) FROM account_exports WHERE user_id = {unfinished.id}") == [(0,)]


# ---- parlourctl ----

def same(one, other):
    """Without what changes between two exports."""
    return [{k: v for k, v in d.items() if k not in ("exported_at", "audit")} for d in (one, other)]


def test_parlourctl(daemon, rows, tmp_path):
    user, friend = daemon.register(), daemon.register()
    room = user.room("ours")["id"]
    add(user, room, friend)
    user.say(room, "words\u2028 and \U0001f600")
    mine, theirs = same(export(user).json(), json.loads(daemon.ctl("user", "export", user.name.upper()).stdout))
    assert mine == theirs
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        with contextlib.suppress(PermissionError):
            parent.chmod(0o755)
    path = f"{tmp_path}/{user.name}.json"
    assert daemon.ctl("user", "export", f"{user.name}@example.org", path).stdout == f"account {user.name}@example.org exported to {path}\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as file:
        assert same(json.load(file), theirs)[0] == same(theirs, theirs)[0]
    assert daemon.ctl("user", "export", user.name, path, check=False).returncode == 73, "it overwrites nothing"
    assert daemon.ctl("user", "export", word(), f"{tmp_path}/none.json", check=False).returncode == 65 and not os.path.exists(f"{tmp_path}/none.json")
    assert daemon.ctl("user", "export", user.name, "/dev/full", check=False).returncode in (73, 74)
    found = rows(f"SELECT actor_id, address LIKE 'parlourctl:%' FROM audit WHERE action = 'account exported' AND target = 'user:{user.id}'")
    assert found == [(0, True)] * len(found) and len(found) >= 2
