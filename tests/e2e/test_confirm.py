# SPDX-License-Identifier: ISC
"""Sensitive acts on the own account: what confirms them, the lock-out, accounts without a password, and what happens at the
same time."""

import base64
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import cluster
from oidc_flow import IDENTITIES, Browser, link, other_person, provider, serve, unique  # noqa: F401
from parlour import wait_for
from totp import TOTP, App, begin, turn_on

NEW = "battery staple 7"
FAR = {"X-Forwarded-For": "198.51.100.7"}
HERE = {"X-Forwarded-For": "192.0.2.7"}

# name: (method, path, other fields, name of the password's field, is a second factor needed (True) or excluded (False)?)
ACTS = {
    "password": ("POST", "/api/auth/password", {"new_password": NEW}, "current_password", None),
    "email": ("POST", "/api/profile/email", {"email": "moved-{0}@example.org"}, "password", None),
    "delete": ("POST", "/api/profile/delete", {}, "password", None),
    "delete by header": ("DELETE", "/api/profile", None, None, None),
    "begin": ("POST", TOTP, {}, "password", False),
    "off": ("POST", TOTP + "/off", {}, "password", True),
    "codes": ("POST", "/api/auth/mfa/recovery-codes", {}, "password", True),
    "link": ("POST", IDENTITIES, {"provider": "peer"}, "password", None),
    "unlink": ("DELETE", IDENTITIES + "/{1}", None, None, None),
}
PLAIN = [name for name, act in ACTS.items() if act[4] is not True]
FACTOR = [name for name, act in ACTS.items() if act[4] is not False]


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def act(user, name, password=None, at=HERE, recovery=None, **codes):
    """One request of the table."""
    method, path, body, field, _ = ACTS[name]
    path, headers = path.format(user.name, getattr(user, "link", 0)), dict(at)
    if body is not None:
        body = {key: text.format(user.name) for key, text in body.items()} | codes
        if recovery is not None:
            body["recovery_code"] = recovery
        if password is not None:
            body[field] = password
    else:
        if password is not None:
            headers["X-Current-Password"] = encoded(password)
        if recovery or codes:
            headers["X-Mfa-Code"] = recovery or codes["code"]
    return user.request(method, path, body, headers=headers)


def places(name):
    """Where errors of the password and of the code are."""
    method, _, body, field, _ = ACTS[name]
    return (["body", field], ["body", "code"]) if body is not None else (["header", "X-Current-Password"], ["header", "X-Mfa-Code"])


def locks(rows, user):
    return rows(f"SELECT prefix, failures, locks FROM login_locks WHERE user_id = {user.id} ORDER BY prefix")


def refused(answer, loc):
    assert answer.status_code == 422, answer.text
    assert [e["loc"] for e in answer.json()["detail"]] == [loc]
    return {**answer.json(), "request_id": ""}


def counted(rows, user, request, times):
    """Makes wrong requests, each of which is counted after its reply; gives the last reply."""
    for _ in range(times):
        before = locks(rows, user)
        answer = request()
        wait_for(lambda b=before: locks(rows, user) != b, what="the attempt was counted")
    return answer


@pytest.fixture(name="daemon")
def fixture_daemon(serve):
    return serve(rate_login="10000/min", lockout_attempts=3, lockout_time="1h", workers=2, watchdog="10min")


def somebody(daemon, rows):
    user = daemon.register(unique())
    rows(f"INSERT INTO user_identities (user_id, issuer, subject, provider) VALUES ({user.id}, 'https://id.example.org', '{user.name}', 'x')")
    user.link = user.get(IDENTITIES).json()[0]["id"]
    return user


# ---- the table ----

def test_every_wrong_password_counts(daemon, rows):
    """In all routes alike; and during the lock, the right password gets the same reply."""
    for name in PLAIN:
        user, (at_password, _) = somebody(daemon, rows), places(name)
        assert refused(act(user, name), at_password)["detail"][0]["type"] == "missing", name
        assert locks(rows, user) == [], "a missing one is not a guess"
        wrong = counted(rows, user, lambda u=user, n=name: act(u, n, "wrong password"), 3)
        assert locks(rows, user) == [("192.0.2.0/24", 0, 1)], name
        assert refused(act(user, name, user.password), at_password) == refused(wrong, at_password), name
        assert user.get("/api/auth/me").json()["email"] == f"{user.name}@example.org" and user.get(IDENTITIES).json(), name
        answer = act(user, name, user.password, FAR)
        assert answer.status_code in (200, 202, 204), (name, answer.text)


def test_every_wrong_code_counts(daemon, rows):
    for name in FACTOR:
        user, (at_password, at_code) = somebody(daemon, rows), places(name)
        app, codes = turn_on(user)
        rows(f"UPDATE second_factors SET last_step = 0 WHERE user_id = {user.id}")
        assert refused(act(user, name, user.password), at_code)["detail"][0]["type"] == "missing", name
        counted(rows, user, lambda u=user, n=name, a=app: act(u, n, u.password, code=a.wrong()), 3)
        assert locks(rows, user) == [("192.0.2.0/24", 0, 1)], name
        refused(act(user, name, user.password, recovery=codes[0]), at_password)
        answer = act(user, name, user.password, FAR, recovery=codes[0])
        assert answer.status_code in (200, 202, 204), (name, answer.text)


def test_a_code_that_confirms_is_used_up(daemon, rows):
    for name in ("password", "email", "link", "codes"):
        user = somebody(daemon, rows)
        _, codes = turn_on(user)
        assert act(user, name, user.password, recovery=codes[0]).status_code in (200, 202, 204), name
        password = NEW if name == "password" else user.password
        answer = user.post(TOTP + "/off", {"password": password, "recovery_code": codes[0]})
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "recovery_code"], name
    answer = user.post("/api/profile/email", {"email": "x@example.org", "password": user.password, "code": "123456", "recovery_code": "x"})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "recovery_code"]


def test_codes_that_turn_a_factor_on_count(daemon, rows):
    user = daemon.register()
    app = App(begin(user).json()["secret"])
    wrong = counted(rows, user, lambda: user.post(TOTP + "/confirm", {"code": app.wrong()}, headers=HERE), 3)
    answer = user.post(TOTP + "/confirm", {"code": app.code()}, headers=HERE)
    assert refused(answer, ["body", "code"]) == refused(wrong, ["body", "code"])
    app.used = 0
    assert user.post(TOTP + "/confirm", {"code": app.code()}, headers=FAR).status_code == 200


def test_a_confirmation_resets_the_number(daemon, rows):
    user = somebody(daemon, rows)
    counted(rows, user, lambda: act(user, "email", "wrong password"), 2)
    assert act(user, "email", user.password).status_code == 200 and locks(rows, user) == []


def test_many_guesses_at_once(daemon, rows):
    """The right password among many wrong ones: once logins are locked, it is refused, too."""
    user = somebody(daemon, rows)
    rows(f"INSERT INTO login_locks (user_id, prefix, failures, locks, last_at, locked_until) VALUES ({user.id}, '192.0.2.0/24', 0, 1, now(), "
         "now() + interval '1 hour')")
    take = (f"SELECT confirm_take(ROW(u.id, 0, u.password_hash, NULL, NULL, NULL, '{{}}')::confirmation) FROM users u WHERE u.id = {user.id}")
    assert rows(take.format("192.0.2.9")) == [("unconfirmed",)] and rows(take.format("198.51.100.9")) == [("ok",)]
    assert rows(take.replace("u.password_hash", "'another'").format("198.51.100.9")) == [("unconfirmed",)]


# ---- accounts without a password ----

def test_accounts_without_a_password(daemon, provider, rows):
    """They confirm with a recent sign-in; an old one is told what to do."""
    def stale(user):
        rows(f"UPDATE login_sessions SET created_at = now() - interval '6 minutes' WHERE user_id = {user.id}")
    other_person(provider)
    user = Browser(daemon).user()
    assert user.get("/api/auth/mfa").json()["has_password"] is False
    user.link = user.get(IDENTITIES).json()[0]["id"]
    stale(user)
    for name in PLAIN:
        for password in (None, "any password"):
            answer = act(user, name, password)
            assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_again"), (name, answer.text)
            assert "identity provider" in answer.json()["detail"] and "/api/auth/password/reset" in answer.json()["detail"]
    user.refresh_now()
    assert act(user, "begin").status_code == 403, "a refresh is not a sign-in"
    assert locks(rows, user) == []
    again = Browser(daemon).user()
    assert again.id == user.id and act(again, "link").status_code == 200
    app = App(begin(again, "ignored").json()["secret"])
    codes = again.post(TOTP + "/confirm", {"code": app.code()}).json()["recovery_codes"]
    assert act(again, "email").json()["detail"][0]["loc"] == ["body", "code"]
    counted(rows, again, lambda: act(again, "email", code=app.wrong()), 3)
    assert refused(act(again, "email", recovery=codes[0]), ["body", "recovery_code"])
    assert act(again, "password", at=FAR, recovery=codes[0]).status_code == 204, "it sets a first password"
    assert again.get("/api/auth/mfa").json()["has_password"] is True
    assert refused(act(again, "link", at=FAR), ["body", "password"])["detail"][0]["type"] == "missing"
    other_person(provider)
    gone = Browser(daemon).user()
    assert act(gone, "delete").status_code == 204
    assert Browser(daemon).user().id != gone.id, "the link went with the account"


def test_deleted_accounts_are_unlinked_at_once(daemon, provider, rows):
    user = daemon.register(unique())
    other_person(provider)
    assert link(daemon, user) == {"oidc_linked": "peer"}
    assert act(user, "delete", user.password).status_code == 204
    assert rows(f"SELECT count(*) FROM user_identities WHERE user_id = {user.id}") == [(0,)]


# ---- at the same time ----

def held(pg, database, statements, request):
    """Runs statements in a transaction that commits when `request` waits for it; gives the reply."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn, ThreadPoolExecutor(1) as pool:
        for statement in statements:
            conn.execute(statement)
        sent = pool.submit(request)
        wait_for(lambda: pg.admin(waiting, database) != [(0,)] or sent.done(), what="the request waits")
        conn.commit()
        return sent.result()


def deletion(user):
    return [f"SELECT account_bury(u, false) FROM users u WHERE u.id = {user.id}"]


def test_changes_during_a_deletion(daemon, pg, database, rows):
    """A request that began before the deletion was committed gives the tombstone neither a name nor access."""
    admin = daemon.register(unique())
    rows(f"UPDATE users SET access = 'admin' WHERE id = {admin.id}")
    admin = daemon.login(admin.name)
    for what in ("name", "preferences", "access", "active", "email", "factor"):
        user = daemon.register(unique())
        request = {
            "name": lambda: user.patch("/api/profile", {"name": "Ann Example", "locale": "de"}),
            "preferences": lambda: user.patch("/api/profile", {"preferences": {"a": 1}}),
            "access": lambda: admin.patch(f"/api/admin/users/{user.id}", {"access": "operator"}),
            "active": lambda: admin.patch(f"/api/admin/users/{user.id}", {"is_active": True}),
            "email": lambda: act(user, "email", user.password),
            "factor": lambda: act(user, "begin", user.password)}[what]
        answer = held(pg, database, deletion(user), request)
        assert answer.status_code == (404 if what in ("access", "active") else 401), (what, answer.text)
        assert rows(f"SELECT username, name, email, access, disabled, locale FROM users WHERE id = {user.id}") == \
            [(f"deleted-{user.id}", None, None, "user", True, None)], what
        assert rows(f"SELECT (SELECT count(*) FROM preferences WHERE user_id = {user.id}) + "
                    f"(SELECT count(*) FROM second_factors WHERE user_id = {user.id})") == [(0,)], what


def test_a_password_that_changes_meanwhile(daemon, pg, database, rows):
    """The password was right when it was compared, but not at the commit."""
    for name in ("email", "link", "delete", "password", "begin"):
        user = somebody(daemon, rows)
        change = [f"SELECT user_password({user.id}, 'another hash', (SELECT max(id) FROM login_sessions WHERE user_id = {user.id}))"]
        answer = held(pg, database, change, lambda u=user, n=name: act(u, n, u.password))
        refused(answer, places(name)[0])
        assert rows(f"SELECT email, password_hash, deleted_at FROM users WHERE id = {user.id}") == \
            [(f"{user.name}@example.org", "another hash", None)], name


def mails(rows, user, what):
    return rows(f"SELECT count(*) FROM jobs WHERE kind = 'account_mail' AND payload ->> 'what' = '{what}' AND payload ->> 'user' = '{user.id}'")[0][0]


def test_notices_of_a_change_of_address(daemon, rows):
    """To the address of now, if it is verified, and not without end."""
    user, stranger = daemon.register(unique()), daemon.register(unique())
    rows(f"UPDATE users SET email_verified_at = now() WHERE id = {user.id}")
    for one in (user, stranger):
        for n in range(5):
            assert rows(f"SELECT email_change({one.id}, 'new{n}-{one.name}@example.net', true)") == [("ok",)]
    assert (mails(rows, user, "moving"), mails(rows, stranger, "moving")) == (3, 0)


def test_mails_to_deleted_accounts(daemon, rows):
    """Neither those that wait, nor those that somebody queues afterwards."""
    user = daemon.register(unique())
    rows(f"UPDATE users SET email_verified_at = now() WHERE id = {user.id}")
    rows(f"SELECT email_change({user.id}, 'new-{user.name}@example.net', true)")
    assert (mails(rows, user, "moving"), mails(rows, user, "change")) == (1, 1)
    assert act(user, "delete", user.password).status_code == 204
    assert (mails(rows, user, "moving"), mails(rows, user, "change")) == (0, 0)
    for what in ("moved", "moving", "change", "reset"):
        rows(f"SELECT account_mail_add('{{\"what\": \"{what}\", \"user\": {user.id}, \"to\": \"{user.name}@example.org\"}}', interval '1 day')")
    assert rows(f"SELECT DISTINCT (account_mail_make(j)).action FROM jobs j WHERE kind = 'account_mail' AND payload ->> 'user' = '{user.id}'") == \
        [("drop",)]


def test_a_deletion_cannot_be_dropped(daemon, rows):
    admin, user = daemon.register(unique()), daemon.register(unique())
    rows(f"UPDATE users SET access = 'admin' WHERE id = {admin.id}")
    admin = daemon.login(admin.name)
    rows(f"INSERT INTO jobs (kind, key, lane, payload, due_at, give_up_at) VALUES ('account_delete', 'test {user.id}', 'accounts', "
         "'{}', now() + interval '1 hour', now() + interval '1 day')")
    (ident,) = rows(f"SELECT id FROM jobs WHERE key = 'test {user.id}'")[0]
    answer = admin.delete(f"/api/admin/jobs/{ident}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict") and "deletes an account" in answer.json()["detail"]
    done = daemon.ctl("jobs", "drop", str(ident), check=False)
    assert done.returncode == 65 and "cannot be dropped" in done.stderr
    assert rows(f"SELECT state FROM jobs WHERE id = '{ident}'") == [("waiting",)]
    rows(f"UPDATE jobs SET state = 'dead', finished_at = now() WHERE id = '{ident}'")
    assert rows(f"SELECT job_drop('{ident}')") == [("needed",)]
    rows(f"DELETE FROM jobs WHERE id = '{ident}'")


def test_nobody_is_left_to_refuse(daemon, rows):
    """A request whose asked user deletes the account is not approved by its time-out."""
    for late in ("timer", "answer"):
        asker, asked = daemon.register(unique()), daemon.register(unique())
        made = asker.post("/api/feedback-requests", {"question": "Delete everything?", "on_timeout": "approve", "timeout_s": 3600,
                                                     "channel": {"kind": "web", "destination": asked.name}}).json()
        assert act(asked, "delete", asked.password).status_code == 204
        rows(f"UPDATE feedback_requests SET due_at = now() - interval '1 second' WHERE id = '{made['id']}'")
        if late == "answer":
            rows(f"SELECT feedback_request_answer('{made['id']}', 0, false, 'yes', NULL)")
        found = wait_for(lambda m=made, a=asker: (r := a.get(f"/api/feedback-requests/{m['id']}").json())["status"] not in ("created", "sent") and r,
                         what="it ends")
        assert (found["status"], found["outcome"]) == ("expired", "deny"), late
