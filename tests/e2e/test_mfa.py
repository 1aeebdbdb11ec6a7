# SPDX-License-Identifier: ISC
"""Second factors: setup, login with a code, recovery codes, and accounts that must have one."""

import hashlib
import json
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import wire
from parlour import User, claims, wait_for
from totp import TOTP, App, begin, first_step, second_step, turn_on

MFA = "/api/auth/mfa"                               # covers: GET /api/auth/mfa, POST /api/auth/mfa
CONFIRM = TOTP + "/confirm"                         # covers: POST /api/auth/mfa/totp/confirm
# covers: POST /api/auth/mfa/totp
CODES = "/api/auth/mfa/recovery-codes"              # covers: POST /api/auth/mfa/recovery-codes
OFF = TOTP + "/off"                                 # covers: POST /api/auth/mfa/totp/off
NEW = "battery staple 7"


@pytest.fixture
def daemon(parlour):
    return parlour(rate_login="10000/min", lockout_attempts=0, workers=2, watchdog="10min")


def acts(rows, user):
    return [row[0] for row in rows(f"SELECT action FROM audit WHERE target = 'user:{user.id}' AND "
                                   "(action LIKE '%factor%' OR action LIKE 'recovery%') ORDER BY id")]


def off(user, **given):
    return user.post(OFF, {"password": user.password, **given})


def fields(answer):
    return answer.status_code, [".".join(e["loc"]) for e in answer.json()["detail"]]


def code_of_answer(answer):
    return answer.status_code, answer.json()["code"]


# ---- setting it up ----

def test_on_and_off(daemon, rows):
    user = daemon.register()
    other = daemon.login(user.name)
    assert user.get(MFA).json() == {"totp": False, "totp_since": None, "recovery_codes_left": 0, "has_password": True,
                                    "required": False}
    made = begin(user).json()
    uri = urllib.parse.urlsplit(made["otpauth_uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/parlour:{user.name}")
    assert dict(urllib.parse.parse_qsl(uri.query)) == {"secret": made["secret"], "issuer": "parlour", "algorithm": "SHA1",
                                                       "digits": "6", "period": "30"}
    assert len(made["secret"]) == 32
    assert daemon.login(user.name), "it does not count yet"
    with other.ws() as closed:
        app, codes = turn_on(user)
        assert closed.wait_closed() == 4410
    assert app.secret != made["secret"], "the newest secret is the one that counts"
    assert len(set(codes)) == 10 and all(len(code) == 19 for code in codes)
    state = user.get(MFA).json()
    assert state["totp"] is True and state["totp_since"] and state["recovery_codes_left"] == 10
    assert other.get(MFA).status_code == 401, "the other logins ended"
    ticket = first_step(daemon, user)
    answer = second_step(daemon, ticket, code=app.code())
    assert answer.status_code == 200 and "mfa_enrolment_required" not in answer.json()
    new = User(daemon, user.name, user.password, answer.json())
    assert new.get("/api/auth/me").json()["username"] == user.name
    assert new.refresh_now().status_code == 200
    assert off(user, code=app.code()).status_code == 204
    assert daemon.login(user.name), "the password is enough again"
    assert user.get(MFA).json()["totp"] is False and rows(f"SELECT count(*) FROM recovery_codes WHERE user_id = {user.id}") == [(0,)]
    assert acts(rows, user) == ["second factor turned on", "second factor removed"]
    assert rows(f"SELECT count(*) FROM mfa_tickets WHERE user_id = {user.id}") == [(0,)]


def test_what_is_stored(daemon, rows):
    user = daemon.register()
    app, codes = turn_on(user)
    ticket = first_step(daemon, user)
    stored = str(rows("SELECT * FROM second_factors") + rows("SELECT * FROM recovery_codes") + rows("SELECT * FROM audit")
                 + rows("SELECT * FROM mfa_tickets")) + daemon.log_text()
    for secret in (app.secret, ticket, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in stored
    assert rows(f"SELECT length(sealed) FROM second_factors WHERE user_id = {user.id}") == [(20 + 37,)]
    plain = codes[0].replace("-", "")
    assert rows(f"SELECT count(*) FROM recovery_codes WHERE code_hash = sha256('recovery:{user.id}:{plain}')") == [(1,)]
    assert rows(f"SELECT ticket_hash FROM mfa_tickets WHERE user_id = {user.id}") == [(hashlib.sha256(ticket.encode()).digest(),)]


def test_beginning_needs_the_password_and_confirming_the_code(daemon, rows):
    user = daemon.register()
    assert fields(begin(user, "wrong password")) == (422, ["body.password"])
    answer = user.post(CONFIRM, {"code": "123456"})
    assert code_of_answer(answer) == (409, "conflict") and "begin" in answer.json()["detail"]
    app = App(begin(user).json()["secret"])
    for code in (app.wrong(), "", "12345", "1234567", "abcdef"):
        assert fields(user.post(CONFIRM, {"code": code})) == (422, ["body.code"]), code
    assert user.get(MFA).json()["totp"] is False and daemon.login(user.name)
    code = app.code()
    assert user.post(CONFIRM, {"code": code[:3] + " " + code[3:]}).status_code == 200, "apps show a blank"
    for answer in (begin(user), user.post(CONFIRM, {"code": app.code()})):
        assert code_of_answer(answer) == (409, "conflict") and "already" in answer.json()["detail"]
    wait_for(lambda: set(acts(rows, user)) == {"second factor turned on", "second factor: password refused", "second factor: code refused"})
    assert rows("SELECT actor_id, address, request_id IS NOT NULL FROM audit WHERE action = 'second factor turned on' "
                f"AND target = 'user:{user.id}'") == \
        [(user.id, "127.0.0.1", True)]


def test_secrets_confirmed_at_the_same_time(daemon):
    """Two tabs confirm at the same time: one gets recovery codes, and these are valid."""
    user = daemon.register()
    app = App(begin(user).json()["secret"])
    code = app.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: user.post(CONFIRM, {"code": code}), range(4)))
    good = [a for a in answers if a.status_code == 200]
    assert len(good) == 1 and {a.status_code for a in answers} == {200, 409}
    ticket = first_step(daemon, user)
    assert second_step(daemon, ticket, recovery_code=good[0].json()["recovery_codes"][3]).status_code == 200


# ---- logging in ----

@pytest.mark.parametrize("path, form", [("/api/auth/login", False), ("/api/auth/token", True), ("/auth/token", True),
                                        ("/auth/refresh", False), ("/api/auth/refresh", True)])
def test_all_logins_ask_for_it(daemon, path, form):
    user, plain = daemon.register(), daemon.register()
    app, _ = turn_on(user)
    body = {"username": user.name, "password": user.password}
    answer = daemon.http.post(path, data=body) if form else daemon.post(path, body)
    reply = answer.json()
    assert (answer.status_code, reply["code"], reply["error"], reply["temporary"]) == (401, "mfa_required", "mfa_required", False)
    assert isinstance(reply["detail"], str) and answer.headers["WWW-Authenticate"] == "Bearer"
    assert not {"access_token", "refresh_token", "user"} & set(reply)
    assert second_step(daemon, reply["mfa_ticket"], code=app.code()).status_code == 200
    wrong = daemon.post("/api/auth/login", {**body, "password": "wrong password"})
    assert code_of_answer(wrong) == (401, "invalid_grant") and "mfa_ticket" not in wrong.json()
    without = daemon.login(plain.name)
    assert set(without.tokens) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    problem = daemon.http.post("/api/auth/login", json=body, headers={"Accept": "application/problem+json"})
    assert problem.headers["Content-Type"] == "application/problem+json" and problem.json()["mfa_ticket"]


def test_a_code_counts_once(daemon, rows):
    user = daemon.register()
    app, _ = turn_on(user)
    code = app.code()
    first, second = first_step(daemon, user), first_step(daemon, user)
    assert second_step(daemon, first, code=code).status_code == 200
    assert code_of_answer(second_step(daemon, second, code=code)) == (401, "invalid_grant"), "somebody looked over the shoulder"
    assert code_of_answer(second_step(daemon, first, code=app.code())) == (401, "unauthorized"), "a ticket counts once, too"
    wait_for(lambda: acts(rows, user)[-1] == "second factor refused")


def test_a_code_counts_once_under_concurrency(daemon, rows):
    user = daemon.register()
    app, codes = turn_on(user)
    for given in ({"code": app.code()}, {"recovery_code": codes[0]}):
        tickets = [first_step(daemon, user) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda ticket: second_step(daemon, ticket, **given), tickets))
        assert sorted(a.status_code for a in answers) == [200] + 7 * [401], given
        assert {a.json().get("code") for a in answers} == {None, "invalid_grant"}
    ticket = first_step(daemon, user)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda code: second_step(daemon, ticket, recovery_code=code), codes[1:9]))
    assert sorted(a.status_code for a in answers) == [200] + 7 * [401], "one login for a ticket"
    assert rows(f"SELECT count(*) FROM recovery_codes WHERE user_id = {user.id} AND used_at IS NULL") == [(8,)]


def test_five_codes_for_a_ticket(daemon, rows):
    user = daemon.register()
    app, codes = turn_on(user)
    ticket = first_step(daemon, user)
    for _ in range(4):
        assert code_of_answer(second_step(daemon, ticket, code=app.wrong())) == (401, "invalid_grant")
    assert second_step(daemon, ticket, code=app.code()).status_code == 200, "the fifth is right"
    ticket = first_step(daemon, user)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: second_step(daemon, ticket, recovery_code=f"{n:016}"), range(10)))
    assert sorted(a.json()["code"] for a in answers) == 5 * ["invalid_grant"] + 5 * ["unauthorized"]
    assert code_of_answer(second_step(daemon, ticket, recovery_code=codes[0])) == (401, "unauthorized")
    assert second_step(daemon, first_step(daemon, user), recovery_code=codes[0]).status_code == 200, "the code was not used up"
    assert wait_for(lambda: acts(rows, user).count("second factor refused") == 9)


def test_tickets(daemon, rows):
    user, other = daemon.register(), daemon.register()
    app, codes = turn_on(user)
    _, others = turn_on(other)
    for ticket in ("", "x" * 201):
        assert fields(second_step(daemon, ticket, code="123456")) == (422, ["body.mfa_ticket"])
    for ticket in ("x", user.access[:200]):
        assert code_of_answer(second_step(daemon, ticket, code=app.code() if ticket == "x" else "123456")) == (401, "unauthorized")
    ticket = first_step(daemon, user)
    assert code_of_answer(second_step(daemon, ticket, recovery_code=others[0])) == (401, "invalid_grant"), "of another account"
    assert fields(second_step(daemon, ticket)) == (422, ["body.code"])
    assert fields(second_step(daemon, ticket, code="1", recovery_code="2")) == (422, ["body.recovery_code"])
    rows(f"UPDATE mfa_tickets SET expires_at = clock_timestamp() WHERE user_id = {user.id}")
    assert code_of_answer(second_step(daemon, ticket, recovery_code=codes[0])) == (401, "unauthorized")
    assert daemon.once("GET", "/api/auth/me", headers={"Authorization": "Bearer " + ticket}).status_code == 401, "it is no token"
    tickets = [first_step(daemon, user) for _ in range(12)]
    assert rows(f"SELECT count(*) FROM mfa_tickets WHERE user_id = {user.id}") == [(10,)], "old ones are thrown away"
    assert code_of_answer(second_step(daemon, tickets[0], recovery_code=codes[0])) == (401, "unauthorized")
    assert second_step(daemon, tickets[-1], recovery_code=codes[0]).status_code == 200


@pytest.mark.parametrize("change", [
    "SELECT user_password({id}, password_hash, 0) FROM users WHERE id = {id}", "UPDATE users SET disabled = true WHERE id = {id}",
    "SELECT second_factor_remove({id})"], ids=["another password", "disabled", "removed"])
def test_a_ticket_ends_with_what_it_stands_on(daemon, rows, change):
    user = daemon.register()
    _, codes = turn_on(user)
    ticket = first_step(daemon, user)
    rows(change.format(id=user.id))
    assert code_of_answer(second_step(daemon, ticket, recovery_code=codes[0])) == (401, "unauthorized")


def test_tickets_work_in_every_worker_and_after_a_restart(daemon):
    user = daemon.register()
    app, codes = turn_on(user)
    tickets = []
    with daemon.only_worker(0):
        for _ in range(2):
            answer = daemon.once("POST", "/api/auth/login", json={"username": user.name, "password": user.password})
            tickets.append(answer.json()["mfa_ticket"])
    with daemon.only_worker(1):
        assert daemon.once("POST", MFA, json={"mfa_ticket": tickets[0], "code": app.code()}).status_code == 200
    daemon.stop()
    daemon.start()
    daemon.open_http()
    assert second_step(daemon, tickets[1], recovery_code=codes[0]).status_code == 200


def test_a_login_under_way_when_it_is_turned_on(daemon, rows):
    """The password was checked before the second factor was turned on; the login session would be created after it."""
    user = daemon.register()
    make = (f"SELECT count(*) FROM users u, login_create(u.id, interval '1 hour', 'x', 'x', u.password_hash, u.access) WHERE u.id = {user.id}")
    assert rows(make) == [(1,)]
    turn_on(user)
    assert rows(make) == [(0,)]


def test_recovery_codes(daemon, rows):
    user = daemon.register()
    app, codes = turn_on(user)
    spellings = [codes[0].upper(), codes[1].replace("-", ""), codes[2].replace("-", " ")]
    for code in spellings:
        assert second_step(daemon, first_step(daemon, user), recovery_code=code).status_code == 200, code
        assert second_step(daemon, first_step(daemon, user), recovery_code=code).status_code == 401, "it was used"
    assert user.get(MFA).json()["recovery_codes_left"] == 7
    body = {"password": user.password}
    assert fields(user.post(CODES, {**body, "password": "wrong password", "code": app.code()})) == (422, ["body.password"])
    assert fields(user.post(CODES, {**body, "code": app.wrong()})) == (422, ["body.code"])
    assert fields(user.post(CODES, {**body, "recovery_code": codes[0]})) == (422, ["body.recovery_code"])
    assert fields(user.post(CODES, body)) == (422, ["body.code"])
    renewed = user.post(CODES, {**body, "code": app.code()}).json()["recovery_codes"]
    assert len(renewed) == 10 and not set(renewed) & set(codes)
    ticket = first_step(daemon, user)
    assert second_step(daemon, ticket, recovery_code=codes[5]).status_code == 401
    assert second_step(daemon, ticket, recovery_code=renewed[5]).status_code == 200
    more = user.post(CODES, {**body, "recovery_code": renewed[0]}).json()["recovery_codes"]
    assert off(user, recovery_code=renewed[1]).status_code == 422 and off(user, recovery_code=more[0]).status_code == 204
    assert code_of_answer(off(user, code="123456")) == (409, "conflict")
    assert code_of_answer(user.post(CODES, {**body, "code": "123456"})) == (409, "conflict")
    assert acts(rows, user).count("recovery code used") == 6 and acts(rows, user).count("recovery codes replaced") == 2


def test_turning_it_off_needs_both(daemon):
    user = daemon.register()
    app, codes = turn_on(user)
    assert fields(user.post(OFF, {"password": "wrong password", "recovery_code": codes[0]})) == (422, ["body.password"])
    assert fields(user.post(OFF, {"password": user.password})) == (422, ["body.code"])
    assert fields(user.post(OFF, {"recovery_code": codes[0]})) == (422, ["body.password"])
    assert fields(user.post(OFF, {})) == (422, ["body.password"])
    assert fields(off(user, code=app.wrong())) == (422, ["body.code"])
    assert off(user, recovery_code=codes[0]).status_code == 204, "the refusals did not use it up"


def test_a_secret_that_cannot_be_opened(daemon, rows):
    """When the key is no longer in the key ring, codes of the app are refused, and recovery codes are valid."""
    user, other = daemon.register(), daemon.register()
    app, codes = turn_on(user)
    turn_on(other)
    rows(f"UPDATE second_factors SET sealed = (SELECT sealed FROM second_factors WHERE user_id = {other.id}) WHERE user_id = {user.id}")
    ticket = first_step(daemon, user)
    assert code_of_answer(second_step(daemon, ticket, code=app.code())) == (401, "invalid_grant")
    daemon.wait_log("cannot be opened")
    assert second_step(daemon, ticket, recovery_code=codes[0]).status_code == 200


def test_a_new_password_keeps_it(daemon):
    user = daemon.register()
    app, _ = turn_on(user)
    change = {"current_password": user.password, "new_password": NEW}
    assert fields(user.post("/api/auth/password", change)) == (422, ["body.code"])
    assert user.post("/api/auth/password", {**change, "code": app.code()}).status_code == 204
    assert second_step(daemon, first_step(daemon, user, NEW), code=app.code()).status_code == 200


def test_the_operator_removes_it(daemon, rows):
    user = daemon.register()
    turn_on(user)
    with user.ws() as closed:
        done = daemon.ctl("user", "no-mfa", user.name)
        assert done.stdout == f"{user.name} has no second factor; 1 login session ended\n"
        assert closed.wait_closed() == 4410
    assert daemon.login(user.name).get(MFA).json()["totp"] is False
    assert acts(rows, user)[-1] == "second factor removed"
    again_ = daemon.ctl("user", "no-mfa", user.name, check=False)
    assert again_.returncode == 65 and "has no second factor" in again_.stderr
    unknown = daemon.ctl("user", "no-mfa", "nobody-here", check=False)
    assert unknown.returncode == 65 and "there is no account nobody-here" in unknown.stderr
    assert "second factor" not in daemon.ctl("user", "show", user.name).stdout


# ---- accounts that must have one ----

@pytest.mark.parametrize("setting, access, must", [
    ("none", "admin", False), ("admin", "admin", True), ("admin", "operator", False), ("operator", "admin", True),
    ("operator", "operator", True), ("operator", "analyst", False), ("all", "user", True)])
def test_who_must_have_one(parlour, rows, setting, access, must):
    daemon = parlour(rate_login="10000/min", mfa_required_for=setting)
    user = daemon.register()
    rows(f"UPDATE users SET access = '{access}' WHERE id = {user.id}")
    user = daemon.login(user.name)
    assert user.tokens.get("mfa_enrolment_required", False) is must
    assert user.get(MFA).json()["required"] is must
    assert user.get("/api/auth/me").status_code == (403 if must else 200)
    assert claims(user.refresh).get("enr") is None


def test_a_token_that_can_only_enrol(parlour):
    daemon = parlour(rate_login="10000/min", mfa_required_for="all", ws_query_token="on", guest="on", anonymous="metrics")
    user = daemon.register()
    assert user.tokens["mfa_enrolment_required"] is True
    for method, path in (("GET", "/api/auth/me"), ("GET", "/api/rooms"), ("POST", "/api/rooms"), ("GET", "/api/auth/sessions"),
                         ("POST", "/api/auth/ws-ticket"), ("POST", "/api/auth/password"), ("POST", OFF), ("POST", CODES),
                         ("GET", "/api/profile"), ("GET", "/api/metrics"), ("POST", "/api/chat"), ("GET", "/api/rooms/999999")):
        assert code_of_answer(user.request(method, path)) == (403, "mfa_enrolment_required"), (method, path)
    for path in ("/ws", "/ws/chat/1", "/ws/metrics", "/ws/sessions", "/ws/signaling/1", f"/ws/{uuid.uuid4()}"):
        for how in ({"token": user.access}, {"token": user.access, "via": "subprotocol"}, {"path": f"{path}?token={user.access}"}):
            with pytest.raises(wire.Refused) as refused:
                daemon.ws(**{"path": path, "protocols": (), **how})
            assert refused.value.status == 403 and json.loads(refused.value.body)["code"] == "mfa_enrolment_required", (path, how)
    with daemon.ws() as native, daemon.ws("/ws/signaling/1", protocols=()) as compat:
        for sock in (native, compat):
            sock.send("auth", token=user.access)
        assert native.expect("error")["code"] == "mfa_enrolment_required" and compat.wait_closed() == 4403
    refreshed = user.refresh_now()
    assert refreshed.json()["mfa_enrolment_required"] is True
    assert user.get(MFA).status_code == 200
    app, _ = turn_on(user)
    assert user.get("/api/auth/me").status_code == 403, "until the token is refreshed"
    user.take(user.refresh_now().json())
    assert "mfa_enrolment_required" not in user.tokens and user.get("/api/auth/me").status_code == 200
    answer = second_step(daemon, first_step(daemon, user), code=app.code())
    assert "mfa_enrolment_required" not in answer.json()
    assert off(user, code=app.code()).status_code == 204
    assert user.refresh_now().json()["mfa_enrolment_required"] is True
    assert daemon.login(user.name).post("/api/auth/logout", {}).status_code == 204


def test_the_setting_counts_from_the_next_refresh(daemon):
    user = daemon.register()
    daemon.configure(mfa_required_for="all")
    daemon.reload()
    assert user.get("/api/auth/me").status_code == 200
    wait_for(lambda: user.refresh_now().json().get("mfa_enrolment_required"), what="every worker has the new setting")
