# SPDX-License-Identifier: ISC
"""Reset of a forgotten password: the mail, its link, and the login sessions that the new password ends."""

import hashlib
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import cluster
from mail_peer import RudePeer
from parlour import porters, wait_for
from usagedata import unique

ASK = "/api/auth/password/reset"                  # covers: POST /api/auth/password/reset
CONFIRM = "/api/auth/password/reset/confirm"      # covers: POST /api/auth/password/reset/confirm
PUBLIC = "https://chat.example.org"
OLD, NEW = "correct horse 9", "battery staple 7"
LINK = re.compile(re.escape(PUBLIC) + r"/reset-password#([0-9a-f]{64})(?=\s)")


@pytest.fixture(autouse=True)
def empty_queue(rows):
    rows("DELETE FROM jobs")


@pytest.fixture
def mailing(parlour, smtp):
    """mailing() returns (a daemon that can mail links, its mail server)."""
    def make(peer=None, **settings):
        peer = peer or smtp()
        return parlour(**{"smtp_url": f"smtp://127.0.0.1:{peer.port}/parlour.example", "smtp_tls": "off", "public_url": PUBLIC + "/",
                          "mail_from": "bot@parlour.example", "rate_login": "10000/min", **settings}), peer
    return make


def ask(daemon, login):
    answer = daemon.post(ASK, {"username": login})
    assert answer.status_code == 202, answer.text
    return answer


def settled(rows):
    """Waits until all mails about accounts were sent or dropped, and returns how many of each."""
    wait_for(lambda: not rows("SELECT 1 FROM jobs WHERE kind = 'account_mail' AND state IN ('waiting', 'running')"), 20, "no mail waits")
    return dict(rows("SELECT state, count(*) FROM jobs WHERE kind = 'account_mail' GROUP BY 1"))


def token_of(mail):
    return LINK.search(mail.body).group(1)


def link(daemon, peer, login):
    """Returns the token of the next mail."""
    before = len(peer.mails)
    ask(daemon, login)
    return token_of(wait_for(lambda: len(peer.mails) > before and peer.mails[before], 20, "the mail came"))


def confirm(daemon, token, password=NEW):
    return daemon.post(CONFIRM, {"token": token, "new_password": password})


def sign_in(daemon, user, password):
    return daemon.post("/api/auth/login", {"username": user.name, "password": password}).status_code


def is_bad_token(answer):
    return answer.status_code == 422 and [e["loc"] for e in answer.json()["detail"]] == [["body", "token"]]


def test_a_link_for_a_new_password(mailing, rows):
    daemon, peer = mailing(workers=2, watchdog="10min", server_name="Tea house")
    user = daemon.register()
    other = daemon.login(user.name)
    answer = daemon.http.post(ASK, json={"username": f" {user.name.upper()} "}, headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 202 and set(answer.json()) == {"message"}
    mail = wait_for(lambda: peer.mails and peer.mails[0], 20, "the mail came")
    token = token_of(mail)
    address = user.get("/api/auth/me").json()["email"]
    assert mail.to == [address] and mail.subject == "Tea house: reset your password" and user.name in mail.body
    assert settled(rows) == {"done": 1} and "evil.example" not in mail.body
    with other.ws() as closed:
        assert confirm(daemon, token).status_code == 204
        assert closed.wait_closed() == 4410
    for slot in (0, 1):
        with daemon.only_worker(slot):
            for access in (user.access, other.access):
                assert daemon.once("GET", "/api/auth/me", headers={"Authorization": "Bearer " + access}).status_code == 401
    assert daemon.post("/api/auth/refresh", {"refresh_token": other.refresh}).status_code == 401
    assert is_bad_token(confirm(daemon, token, "something else 3"))
    assert (sign_in(daemon, user, OLD), sign_in(daemon, user, NEW)) == (401, 200)
    assert [row[0] for row in rows(f"SELECT action FROM audit WHERE target = 'user:{user.id}' AND action LIKE 'password%' ORDER BY id")] == \
        ["password reset asked for", "password reset", "password changed"]
    assert rows(f"SELECT count(*) FROM audit WHERE action LIKE 'password reset%' AND target = 'user:{user.id}' AND address = '127.0.0.1' "
                "AND request_id IS NOT NULL") == [(2,)]
    stored = str(rows("SELECT j.* FROM jobs j") + rows("SELECT a.* FROM audit a") + rows("SELECT t.* FROM account_tokens t"))
    assert token not in stored and token not in daemon.log_text(), "it is only in the mail"
    assert rows(f"SELECT encode(token_hash, 'hex') FROM account_tokens WHERE user_id = {user.id}") == \
        [(hashlib.sha256(token.encode()).hexdigest(),)]
    assert address not in str(rows("SELECT payload FROM jobs WHERE kind = 'account_mail'"))


def test_by_address_and_without_a_password_until_then(mailing, rows):
    """An account without a password, for instance after an import, gets one."""
    daemon, peer = mailing()
    user = daemon.register()
    rows(f"UPDATE users SET password_hash = NULL WHERE id = {user.id}")
    address = user.get("/api/auth/me").json()["email"]
    assert daemon.post(ASK, {"email": address.upper()}).status_code == 202
    mail = wait_for(lambda: peer.mails and peer.mails[0], 20, "the mail came")
    assert confirm(daemon, token_of(mail)).status_code == 204 and sign_in(daemon, user, NEW) == 200


def test_the_reply_says_nothing_about_accounts(mailing, rows):
    daemon, peer = mailing()
    known, disabled, mute = daemon.register(), daemon.register(), daemon.register()
    rows(f"UPDATE users SET disabled = true WHERE id = {disabled.id}")
    rows(f"UPDATE users SET email = NULL WHERE id = {mute.id}")
    answers = [ask(daemon, name) for name in (known.name, disabled.name, mute.name, unique(), unique() + "@example.org")]
    assert len({(a.status_code, a.text) for a in answers}) == 1
    assert len({tuple(sorted(set(a.headers) - {"ratelimit"})) for a in answers}) == 1
    assert settled(rows) == {"done": 1, "dropped": 4} and len(peer.mails) == 1
    assert rows("SELECT DISTINCT payload::text FROM jobs WHERE state = 'dropped'") == [("{}",)], "what was typed is not kept"


@pytest.mark.parametrize("body, fields", [
    ({}, ["email"]), ({"email": "ann@example.org", "username": "ann"}, ["username"]), ({"email": "ann"}, ["email"]),
    ({"username": ""}, ["username"]), ({"username": 7}, ["username"]), ({"username": "x" * 255}, ["username"])])
def test_what_cannot_be_asked_for(mailing, body, fields):
    answer = mailing()[0].post(ASK, body)
    assert answer.status_code == 422 and [e["loc"][1] for e in answer.json()["detail"]] == fields, answer.text


def test_fields_of_the_new_password(mailing):
    daemon, peer = mailing()
    user = daemon.register()
    token = link(daemon, peer, user.name)
    for body, field in (({"token": token, "new_password": "short"}, "new_password"), ({"token": token}, "new_password"),
                        ({"token": token, "new_password": "x" * 1025}, "new_password"), ({"new_password": NEW}, "token"),
                        ({"token": token[:-1], "new_password": NEW}, "token"), ({"token": token.upper(), "new_password": NEW}, "token"),
                        ({"token": "", "new_password": NEW}, "token"), ({"token": 7, "new_password": NEW}, "token"),
                        ({"token": user.access[:200], "new_password": NEW}, "token")):
        answer = daemon.post(CONFIRM, body)
        assert answer.status_code == 422 and [e["loc"] for e in answer.json()["detail"]] == [["body", field]], (body, answer.text)
    assert confirm(daemon, token).status_code == 204, "none of these used it up"


@pytest.mark.parametrize("missing", ["smtp_url", "public_url"])
def test_without_mail_or_address_it_is_off(mailing, missing):
    daemon, _ = mailing(**{missing: ""})
    answer = daemon.post(ASK, {"username": "ann"})
    assert answer.status_code == 501 and answer.json()["code"] == "not_implemented" and missing in answer.json()["detail"]


def test_requests_are_limited(mailing):
    daemon, _ = mailing(rate_login="3/h")
    assert [daemon.post(ASK, {"username": "ann"}).status_code for _ in range(2)] == [202, 202]
    assert [confirm(daemon, "guess").status_code for _ in range(2)] == [422, 429]


def test_three_mails_an_hour(mailing, rows):
    daemon, peer = mailing()
    user, other = daemon.register(), daemon.register()
    for _ in range(5):
        ask(daemon, user.name)
    assert settled(rows) == {"done": 3, "dropped": 2} and len(peer.mails) == 3
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}' AND action LIKE 'password reset refused%'") == [(2,)]
    ask(daemon, other.name)
    assert settled(rows) == {"done": 4, "dropped": 2}
    rows(f"UPDATE account_tokens SET created_at = created_at - interval '1 hour' WHERE user_id = {user.id}")
    ask(daemon, user.name)
    assert settled(rows) == {"done": 5, "dropped": 2}
    assert len({token_of(mail) for mail in peer.mails}) == 5
    assert confirm(daemon, token_of(peer.mails[0])).status_code == 204, "each of them is valid"
    assert is_bad_token(confirm(daemon, token_of(peer.mails[1]))), "until one was used"


@pytest.mark.parametrize("change", [
    "UPDATE account_tokens SET expires_at = now() WHERE user_id = {id}", "UPDATE users SET disabled = true WHERE id = {id}",
    "UPDATE users SET email = 'elsewhere-' || id || '@example.org' WHERE id = {id}",
    "SELECT user_password({id}, password_hash, 0) FROM users WHERE id = {id}"],
    ids=["an hour passed", "disabled", "another address", "another password"])
def test_a_link_that_is_not_valid_any_more(mailing, rows, change):
    daemon, peer = mailing()
    user = daemon.register()
    token = link(daemon, peer, user.name)
    rows(change.format(id=user.id))
    assert is_bad_token(confirm(daemon, token))
    assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}' AND action = 'password reset'") == [(0,)]


@pytest.mark.parametrize("late", ["created_at = created_at - interval '61 minutes'", None], ids=["an hour passed", "another password"])
def test_a_mail_that_nobody_waits_for(mailing, rows, late):
    """The link of a queued mail has expired, or the password has changed, before there is a mail server: the mail is
    dropped."""
    daemon, peer = mailing(smtp_url="")
    user = daemon.register()
    rows(f"SELECT password_reset_ask('{user.name}', NULL, NULL)")
    rows(f"UPDATE jobs SET {late}" if late else f"SELECT user_password({user.id}, password_hash, 0) FROM users WHERE id = {user.id}")
    daemon.configure(smtp_url=f"smtp://127.0.0.1:{peer.port}")
    daemon.reload()
    assert settled(rows) == {"dropped": 1} and peer.mails == []


def test_a_changed_password_ends_the_links(mailing):
    daemon, peer = mailing()
    user = daemon.register()
    token = link(daemon, peer, user.name)
    assert user.post("/api/auth/password", {"current_password": OLD, "new_password": NEW}).status_code == 204
    assert is_bad_token(confirm(daemon, token, "something else 3")) and sign_in(daemon, user, NEW) == 200


def test_of_two_at_once_one_wins(mailing):
    daemon, peer = mailing(workers=2)
    user = daemon.register()
    tokens = [link(daemon, peer, user.name) for _ in range(2)]
    tries = [(tokens[0], "first one 1"), (tokens[0], "second one 2"), (tokens[1], "third one 3")]
    with ThreadPoolExecutor(3) as pool:
        got = list(pool.map(lambda t: daemon.once("POST", CONFIRM, json={"token": t[0], "new_password": t[1]}).status_code, tries))
    assert sorted(got) == [204, 422, 422]
    assert [sign_in(daemon, user, password) for _, password in tries] == [200 if status == 204 else 401 for status in got]


def test_a_login_under_way_fails(mailing, pg, database):
    """A login that was verified with the old password must not create a login session after the others were ended."""
    daemon, peer = mailing(workers=1, db_lock_timeout="30s", db_statement_timeout="30s")
    user = daemon.register()
    token = link(daemon, peer, user.name)
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn, ThreadPoolExecutor(2) as pool, \
            psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as other:
        conn.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (user.id,))
        reset = pool.submit(daemon.once, "POST", CONFIRM, json={"token": token, "new_password": NEW})
        wait_for(lambda: other.execute(waits, ("%password_reset(%",)).fetchone(), 10, "the reset waits for the row")
        late = pool.submit(daemon.once, "POST", "/api/auth/login", json={"username": user.name, "password": OLD})
        wait_for(lambda: other.execute(waits, ("%login_create%",)).fetchone(), 10, "the login waits for the row")
        conn.commit()
        assert reset.result(30).status_code == 204 and late.result(30).status_code == 401


def test_killed_in_the_middle(mailing, pg, database, rows):
    """After kill -9 of all processes, the new password is either stored completely or not at all."""
    daemon, peer = mailing(workers=1, db_lock_timeout="30s", db_statement_timeout="30s")
    user = daemon.register()
    token = link(daemon, peer, user.name)
    running = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%password_reset(%%' AND state = 'active' AND pid <> pg_backend_pid()"
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn, ThreadPoolExecutor(1) as pool, \
            psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as other:
        conn.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (user.id,))
        reset = pool.submit(daemon.once, "POST", CONFIRM, json={"token": token, "new_password": NEW})
        wait_for(lambda: other.execute(running).fetchone(), 10, "the reset waits for the row")
        daemon.kill_all()
        assert reset.exception(30) is not None
        conn.commit()
        wait_for(lambda: not other.execute(running).fetchone(), 20, "PostgreSQL has ended it")
    daemon.start()
    state = rows(f"SELECT t.used_at IS NOT NULL, u.password_changed_at IS NOT NULL, (SELECT count(*) FROM login_sessions l WHERE "
                 f"l.user_id = u.id AND l.ended_at IS NULL), (SELECT count(*) FROM audit a WHERE a.action = 'password reset' AND "
                 f"a.target = 'user:' || u.id) FROM users u JOIN account_tokens t ON t.user_id = u.id WHERE u.id = {user.id}")[0]
    assert state in ((True, True, 0, 1), (False, False, 1, 0))
    assert (sign_in(daemon, user, OLD), sign_in(daemon, user, NEW)) == ((401, 200) if state[0] else (200, 401))


@pytest.mark.parametrize("victim", ["courier", "porter"])
def test_a_courier_that_is_killed(mailing, rows, victim):
    """After kill -9 before the reply of the mail server, the mail is sent again with another link, and both are
    valid."""
    peer = RudePeer()
    daemon, _ = mailing(peer)
    user = daemon.register()

    def die(_mail):
        gone = porters(daemon)
        if victim == "courier":
            for pid in daemon.procs("courier").values():
                daemon.kill_child(pid)
        else:
            for pid in gone:
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not gone & porters(daemon), 10, "the try is over")

    try:
        wait_for(lambda: "QUIT" in peer.lines, 20, "the courier has looked at its server")
        peer.plan["dot"] = [die]
        ask(daemon, user.name)
        wait_for(lambda: len(peer.accepted) == 2, 30, "it was sent again")
        assert settled(rows) == {"done": 1} and len(set(peer.ids())) == 1
        assert rows(f"SELECT count(*), count(DISTINCT job_id) FROM account_tokens WHERE user_id = {user.id}") == [(2, 1)]
        assert rows(f"SELECT count(*) FROM audit WHERE target = 'user:{user.id}' AND action = 'password reset asked for'") == [(1,)]
    finally:
        peer.stop()


def test_opening_the_link_uses_nothing(mailing, rows):
    daemon, peer = mailing()
    user = daemon.register()
    token = link(daemon, peer, user.name)
    page = daemon.get("/reset-password")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert page.headers["referrer-policy"] == "no-referrer" and "script-src 'self'" in page.headers["content-security-policy"]
    assert daemon.http.get("/reset-password", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert daemon.http.head("/reset-password").status_code == 200
    assert rows(f"SELECT count(*) FROM account_tokens WHERE user_id = {user.id} AND used_at IS NULL") == [(1,)]
    assert confirm(daemon, token).status_code == 204


def test_old_tokens_are_thrown_away(shared, rows):
    user = shared.register()
    rows(f"INSERT INTO account_tokens (token_hash, purpose, user_id, email, job_id, created_at, expires_at) SELECT "
         f"sha256((i || '{user.name}')::bytea), 'reset', {user.id}, 'a@b.org', gen_random_uuid(), now() - i * interval '13 hours', now() "
         "FROM generate_series(0, 2) i")
    rows("SELECT purge(1000)")
    assert rows(f"SELECT count(*) FROM account_tokens WHERE user_id = {user.id}") == [(2,)]
