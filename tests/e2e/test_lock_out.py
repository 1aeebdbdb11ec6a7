# SPDX-License-Identifier: ISC
"""Many failed logins to one account from one network lock further logins from that network, and no others."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from parlour import wait_for
from totp import first_step, second_step, turn_on

NEW = "battery staple 7"
HERE, NEAR, FAR = "192.0.2.7", "192.0.2.250", "198.51.100.7"


@pytest.fixture
def daemon(parlour, rows):
    rows("DELETE FROM jobs")
    return parlour(rate_login="10000/min", lockout_attempts=3, lockout_time="1h", workers=2, watchdog="10min")


def sign_in(daemon, user, password=None, addr=HERE, path="/api/auth/login"):
    body = {"username": user.name, "password": password or user.password}
    return daemon.post(path, body, headers={"X-Forwarded-For": addr})


def locks(rows, user):
    return rows(f"SELECT prefix, failures, locks FROM login_locks WHERE user_id = {user.id} ORDER BY prefix")


def fail(daemon, rows, user, times=1, addr=HERE, **how):
    """Sends wrong passwords; returns when they were counted, which happens after the reply."""
    for _ in range(times):
        before = locks(rows, user)
        assert sign_in(daemon, user, "wrong password", addr, **how).status_code == 401
        wait_for(lambda: locks(rows, user) != before, what="the attempt was counted")


def same(one, other):
    strip = lambda a: {**a.json(), "request_id": ""}  # noqa: E731
    drop = {"x-request-id", "ratelimit", "date"}
    return (one.status_code, strip(one)) == (other.status_code, strip(other)) and \
        {k: v for k, v in one.headers.items() if k not in drop} == {k: v for k, v in other.headers.items() if k not in drop}


def test_three_attempts_lock_the_network(daemon, rows):
    user, other = daemon.register(), daemon.register()
    wrong = sign_in(daemon, other, "wrong password")
    fail(daemon, rows, user, 2)
    assert sign_in(daemon, user).status_code == 200 and locks(rows, user) == [], "a login resets the number"
    fail(daemon, rows, user, 3)
    assert locks(rows, user) == [("192.0.2.0/24", 0, 1)]
    for addr in (HERE, NEAR):
        assert same(sign_in(daemon, user, addr=addr), wrong), "as if the password were wrong"
    assert same(sign_in(daemon, user, "wrong password"), wrong)
    assert sign_in(daemon, user, addr=FAR).status_code == 200 and sign_in(daemon, other).status_code == 200
    assert user.get("/api/auth/me").status_code == 200 and user.refresh_now().status_code == 200, "login sessions go on"
    daemon.wait_log("too many failed logins: locked")
    assert rows(f"SELECT actor_id, address FROM audit WHERE action = 'login locked' AND target = 'user:{user.id}'") == [(0, HERE)]
    assert rows("SELECT count(*) FROM jobs") == [(0,)], "mail is not configured"


@pytest.mark.parametrize("addr, prefix, near, far", [
    ("192.0.2.7", "192.0.2.0/24", "192.0.2.8", "192.0.3.7"), ("2001:db8:1:2::7", "2001:db8:1:2::/64", "2001:db8:1:2:ffff::1", "2001:db8:1:3::7")])
def test_networks(daemon, rows, addr, prefix, near, far):
    user = daemon.register()
    fail(daemon, rows, user, 3, addr)
    assert locks(rows, user) == [(prefix, 0, 1)]
    assert (sign_in(daemon, user, addr=near).status_code, sign_in(daemon, user, addr=far).status_code) == (401, 200)


@pytest.mark.parametrize("address, prefix", [("127.0.0.1", "127.0.0.0/24"), ("::ffff:192.0.2.9", "192.0.2.0/24"), ("::1", "::/64"),
                                             ("unix", "unix"), ("", ""), (None, "")])
def test_prefixes(rows, address, prefix):
    text = "NULL" if address is None else f"'{address}'"
    assert rows(f"SELECT address_prefix({text})") == [(prefix,)]


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/token", "/auth/token", "/auth/refresh", "/api/auth/refresh"])
def test_all_logins_count(daemon, rows, path):
    user = daemon.register()
    fail(daemon, rows, user, 3, path=path)
    assert sign_in(daemon, user, path=path).status_code == 401


def test_a_refresh_with_a_password_takes_from_the_login_limit(parlour):
    daemon = parlour(rate_login="2/min")
    user = daemon.register()
    answers = [sign_in(daemon, user, path="/auth/refresh") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429] and answers[0].headers["RateLimit"].startswith('"login"')


def test_locks_grow_and_end(daemon, rows):
    user = daemon.register()
    lasts = f"SELECT round(extract(epoch FROM locked_until - last_at) / 3600) FROM login_locks WHERE user_id = {user.id}"
    for hours in (1, 2, 4, 8, 16, 24, 24):
        fail(daemon, rows, user, 3)
        assert rows(lasts) == [(hours,)]
        assert sign_in(daemon, user).status_code == 401
        rows(f"UPDATE login_locks SET locked_until = clock_timestamp() WHERE user_id = {user.id}")
    fail(daemon, rows, user, 1)
    rows(f"UPDATE login_locks SET last_at = last_at - interval '25 hours', locked_until = locked_until - interval '25 hours' WHERE user_id = {user.id}")
    fail(daemon, rows, user, 1)
    assert locks(rows, user) == [("192.0.2.0/24", 1, 0)], "a day without attempts"
    assert sign_in(daemon, user).status_code == 200 and locks(rows, user) == []


def test_attempts_during_a_lock_do_not_count(daemon, rows):
    user = daemon.register()
    fail(daemon, rows, user, 3)
    until = rows(f"SELECT locked_until FROM login_locks WHERE user_id = {user.id}")
    for _ in range(4):
        sign_in(daemon, user, "wrong password")
    wait_for(lambda: rows(f"SELECT count(*) FROM audit WHERE action = 'login refused' AND target = 'user:{user.id}'") == [(7,)])
    assert rows(f"SELECT locked_until FROM login_locks WHERE user_id = {user.id}") == until and locks(rows, user) == [("192.0.2.0/24", 0, 1)]


def test_many_at_once(daemon, rows):
    """Each of many concurrent wrong passwords is counted, and they cause one lock."""
    user = daemon.register()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: sign_in(daemon, user, f"wrong password {n}"), range(24)))
    assert {a.status_code for a in answers} == {401}
    wait_for(lambda: [row[2] for row in locks(rows, user)] == [1])
    wait_for(lambda: sign_in(daemon, user).status_code == 401)
    assert rows(f"SELECT count(*) FROM audit WHERE action = 'login locked' AND target = 'user:{user.id}'") == [(1,)]


def test_a_right_password_that_was_checked_before_the_lock(daemon, rows):
    user = daemon.register()
    fail(daemon, rows, user, 3)
    make = f"SELECT count(*) FROM users u, login_create(u.id, interval '1 hour', 'x', '{{}}', u.password_hash, u.access) WHERE u.id = {user.id}"
    assert rows(make.format(NEAR)) == [(0,)] and rows(make.format(FAR)) == [(1,)]


def test_codes_of_the_second_factor_count(daemon, rows):
    user = daemon.register()
    app, codes = turn_on(user)
    there = {"X-Forwarded-For": HERE}
    ticket = daemon.post("/api/auth/login", {"username": user.name, "password": user.password}, headers=there).json()["mfa_ticket"]
    elsewhere = first_step(daemon, user)
    for _ in range(3):
        before = locks(rows, user)
        answer = daemon.post("/api/auth/mfa", {"mfa_ticket": ticket, "code": app.wrong()}, headers=there)
        assert answer.json()["code"] == "invalid_grant"
        wait_for(lambda: locks(rows, user) != before)
    answer = daemon.post("/api/auth/mfa", {"mfa_ticket": ticket, "recovery_code": codes[0]}, headers=there)
    assert answer.status_code == 401 and answer.json()["code"] == "invalid_grant"
    assert sign_in(daemon, user).json()["code"] == "invalid_grant", "nor does the password get a ticket there"
    assert second_step(daemon, elsewhere, recovery_code=codes[0]).status_code == 200, "it was not used up"


def test_a_right_password_does_not_reset_wrong_codes(daemon, rows):
    user = daemon.register()
    app, _ = turn_on(user)
    for _ in range(3):
        ticket, before = first_step(daemon, user), locks(rows, user)
        assert second_step(daemon, ticket, code=app.wrong()).status_code == 401
        wait_for(lambda: locks(rows, user) != before)
    assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}).json()["code"] == "invalid_grant"


def test_a_new_password_ends_the_locks(daemon, rows):
    user = daemon.register()
    fail(daemon, rows, user, 3)
    fail(daemon, rows, user, 1, FAR)
    assert user.post("/api/auth/password", {"current_password": user.password, "new_password": NEW}).status_code == 204
    assert locks(rows, user) == [] and sign_in(daemon, user, NEW).status_code == 200


def test_the_operator_ends_them(daemon, rows):
    user = daemon.register()
    fail(daemon, rows, user, 3)
    fail(daemon, rows, user, 3, FAR)
    shown = daemon.ctl("user", "show", user.name).stdout
    assert "from 192.0.2.0/24 until " in shown and "from 198.51.100.0/24 until " in shown
    assert daemon.ctl("user", "unlock", user.name).stdout == f"{user.name} is unlocked; 2 locks ended\n"
    assert sign_in(daemon, user).status_code == 200
    assert rows(f"SELECT count(*) FROM audit WHERE action = 'login unlocked' AND target = 'user:{user.id}'") == [(1,)]
    done = daemon.ctl("user", "unlock", user.name, check=False)
    assert done.returncode == 65 and "is not locked" in done.stderr
    assert daemon.ctl("user", "unlock", "nobody-here", check=False).returncode == 65


def test_unknown_and_disabled_accounts_leave_nothing(daemon, rows):
    user = daemon.register()
    rows(f"UPDATE users SET disabled = true WHERE id = {user.id}")
    wrong = sign_in(daemon, user, "wrong password")
    body = {"username": "nobody-here", "password": "wrong password"}
    assert same(daemon.post("/api/auth/login", body, headers={"X-Forwarded-For": HERE}), wrong)
    wait_for(lambda: rows(f"SELECT count(*) FROM audit WHERE action = 'login refused' AND target = 'user:{user.id}'") == [(1,)])
    assert locks(rows, user) == []


def test_off(parlour, rows):
    daemon = parlour(rate_login="10000/min", lockout_attempts=0)
    user = daemon.register()
    for _ in range(12):
        assert sign_in(daemon, user, "wrong password").status_code == 401
    assert sign_in(daemon, user).status_code == 200 and locks(rows, user) == []


def test_one_mail_to_the_owner(parlour, rows, smtp):
    rows("DELETE FROM jobs")
    peer = smtp()
    daemon = parlour(rate_login="10000/min", lockout_attempts=3, lockout_time="1h", server_name="Tea house",
                     smtp_url=f"smtp://127.0.0.1:{peer.port}/parlour.example", smtp_tls="off", mail_from="bot@parlour.example")
    user, mute = daemon.register(), daemon.register()
    rows(f"UPDATE users SET email = NULL WHERE id = {mute.id}")
    fail(daemon, rows, mute, 3)
    fail(daemon, rows, user, 3)
    for _ in range(3):
        sign_in(daemon, user, "wrong password")
    mail = wait_for(lambda: peer.mails and peer.mails[0], 20, "the mail came")
    assert mail.to == [f"{user.name}@example.org"] and mail.subject == "Tea house: failed logins to your account"
    for part in (user.name, "3 failed logins", "192.0.2.0/24", "UTC"):
        assert part in mail.body
    wait_for(lambda: rows("SELECT state, count(*) FROM jobs GROUP BY 1") == [("done", 1)])
    assert len(peer.mails) == 1


@pytest.mark.parametrize("path, body", [
    ("/api/auth/mfa/totp/off", {"code": "wrong"}), ("/api/auth/mfa/totp/off", {"password": "wrong password", "recovery_code": "x"}),
    ("/api/auth/mfa/totp/off", {"recovery_code": "aaaa-bbbb-cccc-dddd"}), ("/api/auth/mfa/recovery-codes", {"code": "wrong"})])
def test_proofs_for_the_second_factor_count(daemon, rows, path, body):
    """A stolen token does not suffice to guess codes: wrong codes count, and during the lock even valid ones are
    refused."""
    user = daemon.register()
    app, codes = turn_on(user)
    given = {"password": user.password, **{k: app.wrong() if v == "wrong" else v for k, v in body.items()}}
    at = {"X-Forwarded-For": HERE}
    for _ in range(3):
        before = locks(rows, user)
        assert user.post(path, given, headers=at).status_code == 422
        wait_for(lambda n=before: locks(rows, user) != n, what="the attempt was counted")
    assert locks(rows, user) == [("192.0.2.0/24", 0, 1)]
    answer = user.post(path, {"password": user.password, "recovery_code": codes[0]}, headers=at)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "password"]
    assert user.post(path, {"password": user.password, "recovery_code": codes[0]}, headers={"X-Forwarded-For": FAR}).status_code in (200, 204)
