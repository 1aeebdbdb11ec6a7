# SPDX-License-Identifier: ISC
"""Accounts, login, refresh, logout, and login sessions, as seen by a user and by an attacker."""

import hashlib
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import cluster
import wire
from parlour import claims, wait_for


def refresh(api, token):
    return api.post("/api/auth/refresh", {"refresh_token": token})


def alive(api, access):
    return api.get("/api/auth/me", headers={"Authorization": "Bearer " + access}).status_code


def alive_once(daemon, access):
    return daemon.once("GET", "/api/auth/me", headers={"Authorization": "Bearer " + access}).status_code


# ---- register and log in ----

def test_register_answers_with_tokens(shared):
    answer = shared.post("/api/auth/register", {"username": "Ann.Able", "email": "ann@example.org",
                                                "password": "correct horse 9", "name": "Ann Ä"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"].lower() == "bearer" and body["expires_in"] == 25 * 60
    assert body["user"]["username"] == "Ann.Able" and body["user"]["name"] == "Ann Ä"
    assert body["user"]["access"] == "user" and body["user"]["email"] == "ann@example.org"
    claim = claims(body["access_token"])
    assert claim["sub"] == str(body["user"]["id"]) and claim["iss"] and claim["aud"] and claim["exp"] > claim["iat"]
    me = shared.get("/api/auth/me", headers={"Authorization": "Bearer " + body["access_token"]})
    assert me.status_code == 200 and me.json() == body["user"]
    assert "password" not in json.dumps(me.json())


def test_register_repeated_with_its_key(shared, rows):
    body = {"username": "keyed-once", "email": "keyed-once@example.org", "password": "correct horse 9"}
    key = {"Idempotency-Key": "register-1-of-these-tests"}
    first = shared.post("/api/auth/register", body, headers=key)
    for _ in range(4):  # on any worker
        again = shared.once("POST", "/api/auth/register", json=body, headers=key)
        assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (201, "true"), again.text
        assert again.json() == first.json() and again.headers["Cache-Control"] == "no-store"
    assert alive(shared, again.json()["access_token"]) == 200
    guess = shared.post("/api/auth/register", {**body, "password": "correct horse 8"}, headers=key)
    assert guess.status_code == 409 and "token" not in guess.text
    kept = rows("SELECT body, encode(body_sha256, 'hex') FROM idempotency_keys WHERE route = 'POST /api/auth/register'")
    assert len(kept) == 1 and first.json()["access_token"] not in kept[0][0] and "keyed-once" not in kept[0][0]
    asked = json.dumps(body, separators=(",", ":")).encode()
    assert kept[0][1] != hashlib.sha256(asked).hexdigest(), "a password could be guessed from it"


def test_register_that_failed_may_be_tried_again(shared):
    taken = shared.register().name
    key = {"Idempotency-Key": "register-2-of-these-tests"}
    body = {"username": taken, "email": "tried-again@example.org", "password": "correct horse 9"}
    assert shared.post("/api/auth/register", body, headers=key).status_code == 409
    assert shared.post("/api/auth/register", {**body, "username": taken + "-2"}, headers=key).status_code == 201


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/token", "/auth/token"])
def test_login_by_json_and_form(shared, path):
    user = shared.register()
    by_json = shared.http.post(path, json={"username": user.name, "password": user.password})
    by_form = shared.http.post(path, data={"username": user.name, "password": user.password, "grant_type": "password"})
    by_parts = shared.http.post(path, files={"username": (None, user.name), "password": (None, user.password)})
    for answer in (by_json, by_form, by_parts):
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) >= {"access_token", "refresh_token", "token_type", "expires_in"}
        assert answer.headers["Cache-Control"] == "no-store"


def test_routes_by_their_other_names(shared):
    user = shared.register()
    assert shared.post("/auth/token", {"username": user.name, "password": user.password}).status_code == 200
    assert shared.post("/api/auth/token", {"username": user.name, "password": user.password}).status_code == 200
    assert shared.post("/auth/refresh", {"refresh_token": user.refresh}).status_code == 200


def test_what_is_no_form(shared):
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"", b"username=a&password=b", b"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\ncut"):
        answer = shared.http.post("/api/auth/login", content=body, headers=kind)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][-1] in ("username", "grant_type"), answer.text
    answer = shared.http.post("/api/auth/login", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 415 and "multipart/form-data" in answer.json()["detail"]
    assert "multipart" not in shared.http.post("/api/rooms", content=b"x", headers={**shared.register().auth, **kind}).json()["detail"]


def test_login_by_name_or_address_regardless_of_case(shared):
    user = shared.register("Bea-Baker")
    for login in ("Bea-Baker", "bea-baker", "BEA-BAKER", "Bea-Baker@example.org", "bea-baker@EXAMPLE.org"):
        answer = shared.post("/api/auth/login", {"username": login, "password": user.password})
        assert answer.status_code == 200, login
        assert answer.json()["user"]["id"] == user.id


def test_names_and_addresses_are_unique_regardless_of_case(shared, rows):
    """User names are unique regardless of case; addresses are once they are verified, because anybody may type an
    address."""
    carl = shared.register("Carl")
    assert shared.post("/api/auth/register", {"username": "carl1", "email": "CARL@example.org", "password": "correct horse 9"}).status_code == 201
    rows(f"UPDATE users SET email_verified_at = now() WHERE id = {carl.id}")
    for name, email in (("carl", "other1@example.org"), ("CARL", "other2@example.org"), ("carl2", "CARL@example.org")):
        answer = shared.post("/api/auth/register", {"username": name, "email": email, "password": "correct horse 9"})
        assert answer.status_code == 409, answer.text
        assert answer.json()["code"] == "taken"


def test_a_role_takes_the_name_too(shared):
    user = shared.register()
    role = user.role("Sherlock_H")
    answer = shared.post("/api/auth/register", {"username": role["name"].lower(), "email": "sh@example.org",
                                                "password": "correct horse 9"})
    assert answer.status_code == 409
    taken = user.post("/api/roles", {"name": user.name.upper()})
    assert taken.status_code == 409


def test_failed_login_says_nothing_about_accounts(shared):
    """An unknown name, a wrong password, and an address instead of a name get replies with equal status, headers and
    body."""
    user = shared.register()
    answers = [shared.post("/api/auth/login", {"username": name, "password": "not the password"})
               for name in (user.name, user.name + "@example.org", "nobody-here", "nobody@example.org", "ü@", "1")]
    for answer in answers:
        body = answer.json()
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert body["detail"] == "Incorrect username or password" and body["error"] == "invalid_grant"
        assert body["temporary"] is False and body.pop("request_id") == answer.headers["X-Request-Id"]
        assert body == {k: v for k, v in answers[0].json().items() if k != "request_id"}
        assert sorted(answer.headers) == sorted(answers[0].headers)


def test_grant_types(shared):
    user = shared.register()
    good = shared.http.post("/api/auth/token", data={"grant_type": "refresh_token", "refresh_token": user.refresh})
    assert good.status_code == 200 and claims(good.json()["refresh_token"])["rc"] == claims(user.refresh)["rc"] + 1
    bad = shared.http.post("/api/auth/token", data={"grant_type": "client_credentials", "username": "x", "password": "y"})
    assert bad.status_code == 400 and bad.json()["code"] == "unsupported_grant_type"


def test_registration_can_be_closed(parlour):
    daemon = parlour(registration="closed")
    answer = daemon.post("/api/auth/register", {"username": "x1", "email": "x1@example.org", "password": "correct horse 9"})
    assert answer.status_code == 403 and answer.json()["code"] == "registration_closed"


def test_mass_assignment(shared):
    """Fields that are not in the shape are ignored and never assigned."""
    user = shared.register(access="admin", is_admin=True, id=1, role="admin", disabled=False, email_verified=True,
                           created_at="2001-01-01T00:00:00Z", password_hash="x")
    me = user.get("/api/auth/me").json()
    assert me["access"] == "user" and me["id"] == user.id and not me["created_at"].startswith("2001")


NAMES = ["", " ", "a b", "a/b", "a\nb", "é", "x" * 33, "12345", "0", "chat", "Signaling", "METRICS", "sessions",
         "echo", "me", "123e4567-e89b-12d3-a456-426614174000", "@ann", "a'b", "a\"b", "<b>", "..%2f", 5, None, True, [], {}]
MAILS = ["", "x", "@", "a@", "@b", "a b@example.org", "a@b\r\nBcc: c@d.e", "x" * 250 + "@e.org", 5, None, [], {}]
PASSWORDS = ["", "short77", "x" * 1025, 5, None, True, [], {}]


@pytest.mark.parametrize("field,values", [("username", NAMES), ("email", MAILS), ("password", PASSWORDS)])
def test_register_names_the_field(shared, field, values):
    good = {"username": "fresh-name", "email": "fresh@example.org", "password": "correct horse 9"}
    for value in values:
        answer = shared.post("/api/auth/register", {**good, field: value})
        assert answer.status_code == 422, (value, answer.text)
        body = answer.json()
        assert body["code"] == "validation_error" and body["request_id"]
        assert [d["loc"] for d in body["detail"]] == [["body", field]], (value, body)
        assert all(d["msg"] and d["type"] for d in body["detail"])
    missing = {k: v for k, v in good.items() if k != field}
    answer = shared.post("/api/auth/register", missing)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", field]


def test_all_wrong_fields_are_named_at_once(shared):
    answer = shared.post("/api/auth/register", {"username": 5, "email": [], "password": 7})
    assert {d["loc"][1] for d in answer.json()["detail"]} == {"username", "email", "password"}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"5", b'"x"', b"{", b'{"username":}', b"\xff\xfe", b"{}x",
                                  b'{"username":"\xc0\x80"}', b"[" * 100_000, b'{"a":"\\ud800"}', b'{"username":"a\\u0000b"}'])
def test_bodies_that_are_no_object(shared, body):
    for path in ("/api/auth/login", "/api/auth/register", "/api/auth/refresh"):
        answer = shared.http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 413, 422), (path, answer.status_code)
        assert answer.json()["code"] and answer.json()["request_id"]


def test_other_content_types(shared):
    for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonx"):
        answer = shared.http.post("/api/auth/register", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
    form = shared.http.post("/api/auth/register", data={"username": "f1", "email": "f1@e.org", "password": "correct horse 9"})
    assert form.status_code == 415


def test_problem_json(shared):
    want = {"Accept": "application/problem+json"}
    missing = shared.get("/api/nothing", headers=want)
    assert missing.status_code == 404 and missing.headers["Content-Type"].startswith("application/problem+json")
    body = missing.json()
    assert body["status"] == 404 and isinstance(body["detail"], str) and body["title"] and body["type"]
    invalid = shared.http.post("/api/auth/register", json={"username": 5}, headers=want).json()
    assert isinstance(invalid["detail"], str) and invalid["errors"]


# ---- refresh ----

def test_refresh_rotates(shared):
    user = shared.register()
    first = refresh(shared, user.refresh)
    assert first.status_code == 200
    new = first.json()
    assert new["refresh_token"] != user.refresh
    assert claims(new["refresh_token"])["rc"] == claims(user.refresh)["rc"] + 1
    assert claims(new["access_token"])["sid"] == user.login_session
    assert alive(shared, new["access_token"]) == 200


def test_tabs_that_refresh_at_once(shared):
    """Eight tabs that refresh with the same token all get tokens with the same counter, and stay logged in."""
    user = shared.register()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shared.once("POST", "/api/auth/refresh", json={"refresh_token": user.refresh}),
                                range(8)))
    assert [a.status_code for a in answers] == [200] * 8
    counters = {claims(a.json()["refresh_token"])["rc"] for a in answers}
    assert counters == {claims(user.refresh)["rc"] + 1}
    for answer in answers:
        assert alive(shared, answer.json()["access_token"]) == 200
    assert refresh(shared, answers[3].json()["refresh_token"]).status_code == 200


def test_a_lost_answer_is_given_again(shared):
    user = shared.register()
    lost = refresh(shared, user.refresh).json()
    again = refresh(shared, user.refresh)
    assert again.status_code == 200
    assert claims(again.json()["refresh_token"])["rc"] == claims(lost["refresh_token"])["rc"]


def test_the_previous_token_is_good_within_the_window_also_after_the_new_one_was_used(parlour):
    """After another tab has used the new access token on another worker, this tab still gets the current tokens."""
    daemon = parlour(workers=4, watchdog="10min", refresh_reuse="10min")
    user = daemon.register()
    new = refresh(daemon, user.refresh).json()
    with daemon.only_worker(1):
        assert alive_once(daemon, new["access_token"]) == 200
    with daemon.only_worker(2):
        again = daemon.once("POST", "/api/auth/refresh", json={"refresh_token": user.refresh})
        assert again.status_code == 200 and claims(again.json()["refresh_token"])["rc"] == 2
    for slot in range(4):
        with daemon.only_worker(slot):
            assert alive_once(daemon, again.json()["access_token"]) == alive_once(daemon, new["access_token"]) == 200
    third = refresh(daemon, again.json()["refresh_token"])
    assert third.status_code == 200 and claims(third.json()["refresh_token"])["rc"] == 3


def test_four_tabs_refresh_30_ms_apart_with_one_refresh_token(parlour):
    """In each of ten rounds, each tab refreshes with the token of the previous round, uses the new tokens, and runs 30
    ms after the tab before it, so that the new tokens are in use when the last tab refreshes."""
    daemon = parlour(workers=4)
    token, counter = daemon.register().refresh, 1
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            start = time.monotonic()

            def tab(number, shared=token):
                time.sleep(max(0, start + number * 0.03 - time.monotonic()))
                answer = daemon.once("POST", "/api/auth/refresh", json={"refresh_token": shared})
                assert answer.status_code == 200, answer.text
                assert alive_once(daemon, answer.json()["access_token"]) == 200
                return answer.json()["refresh_token"]

            tokens, counter = list(pool.map(tab, range(4))), counter + 1
            assert [claims(t)["rc"] for t in tokens] == [counter] * 4
            token = tokens[counter % 4]


def test_reuse_after_the_window_kills_the_session(parlour):
    """One of the two holders of the token is not the owner, so every worker ends the login session."""
    daemon = parlour(refresh_reuse="0s", workers=4, watchdog="10min")
    user = daemon.register()
    new = refresh(daemon, user.refresh).json()
    assert refresh(daemon, user.refresh).status_code == 401
    assert refresh(daemon, new["refresh_token"]).status_code == 401
    for slot in range(4):
        with daemon.only_worker(slot):
            assert alive_once(daemon, new["access_token"]) == 401
    assert alive(daemon, new["access_token"]) == 401 and alive(daemon, user.access) == 401
    assert daemon.login(user.name).get("/api/auth/me").status_code == 200


def test_a_token_two_generations_old_kills_the_session(shared):
    user = shared.register()
    second = refresh(shared, user.refresh).json()
    third = refresh(shared, second["refresh_token"]).json()
    assert refresh(shared, user.refresh).status_code == 401
    assert refresh(shared, third["refresh_token"]).status_code == 401


def test_without_rotation(parlour):
    daemon = parlour(refresh_rotation="off")
    user = daemon.register()
    time.sleep(1.1)  # a token signed anew would have another time in it
    for _ in range(3):
        answer = refresh(daemon, user.refresh)
        assert answer.status_code == 200 and answer.json()["refresh_token"] == user.refresh
        assert alive(daemon, answer.json()["access_token"]) == 200


# ---- logout, login sessions ----

def test_logout_is_known_everywhere_at_once(parlour):
    """Each worker refuses the next request, although it had cached the token; also after a crash."""
    daemon = parlour(workers=4, watchdog="10min")
    user, other = daemon.register(), daemon.register()
    head = {"headers": user.auth}
    for slot in range(4):
        with daemon.only_worker(slot):
            assert daemon.once("GET", "/api/auth/me", **head).status_code == 200
    with daemon.only_worker(0):
        assert daemon.once("POST", "/api/auth/logout", **head).status_code == 204
    for slot in range(4):
        with daemon.only_worker(slot):
            answer = daemon.once("GET", "/api/auth/me", **head)
            assert answer.status_code == 401 and answer.json()["code"] == "revoked"
            assert daemon.once("GET", "/api/auth/me", headers=other.auth).status_code == 200
    assert refresh(daemon, user.refresh).status_code == 401
    daemon.kill_all()
    daemon.start()
    assert alive(daemon, user.access) == 401, "a revoked token came back to life"
    assert alive(daemon, other.access) == 200
    with pytest.raises(wire.Refused) as refused:
        daemon.ws("/ws", token=user.access)
    assert refused.value.status == 401


def test_logout_closes_sockets(shared):
    user = shared.register()
    sockets = [user.ws() for _ in range(6)]
    other = shared.login(user.name).ws()
    assert user.post("/api/auth/logout").status_code == 204
    assert [s.wait_closed() for s in sockets] == [4410] * 6
    other.ping_pong()
    other.close()


def test_logout_scopes(shared):
    user = shared.register()
    second, third = shared.login(user.name), shared.login(user.name)
    assert user.post("/api/auth/logout", {"scope": "others"}).status_code == 204
    assert [alive(shared, u.access) for u in (user, second, third)] == [200, 401, 401]
    fourth = shared.login(user.name)
    assert user.post("/api/auth/logout", {"scope": "global"}).status_code == 204
    assert [alive(shared, u.access) for u in (user, fourth)] == [401, 401]
    assert shared.login(user.name).post("/api/auth/logout", {"scope": "rubbish"}).status_code == 422


def test_login_sessions_list_and_end(shared):
    user = shared.register()
    second = shared.login(user.name)
    listed = user.get("/api/auth/sessions").json()
    assert len(listed) == 2
    assert [s["current"] for s in listed if s["id"] == user.login_session] == [True]
    assert [s["current"] for s in listed if s["id"] == second.login_session] == [False]
    assert all(s["address"] == "127.0.0.1" and "httpx" in s["user_agent"] for s in listed)
    assert user.delete(f"/api/auth/sessions/{second.login_session}").status_code == 204
    assert alive(shared, second.access) == 401
    assert [s["id"] for s in user.get("/api/auth/sessions").json()] == [user.login_session]
    assert user.delete(f"/api/auth/sessions/{second.login_session}").status_code == 404


def test_login_sessions_of_others_do_not_exist(shared):
    user, other = shared.register(), shared.register()
    foreign = user.delete(f"/api/auth/sessions/{other.login_session}")
    absent = user.delete("/api/auth/sessions/999999999")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json()["detail"] == absent.json()["detail"] and foreign.json()["code"] == absent.json()["code"]
    assert alive(shared, other.access) == 200
    for odd in ("x", "-1", "0", "99999999999999999999", "1%00", "1;drop", "%2e%2e"):
        assert user.delete("/api/auth/sessions/" + odd).status_code == 404, odd


def test_a_restart_keeps_sessions(parlour):
    daemon = parlour()
    user = daemon.register()
    assert daemon.stop(signal.SIGTERM) == 0
    daemon.start()
    assert alive(daemon, user.access) == 200
    assert refresh(daemon, user.refresh).status_code == 200


# ---- change of the password ----

OLD, NEW = "correct horse 9", "battery staple 7"


def change(user, current=OLD, wanted=NEW):
    return user.post("/api/auth/password", {"current_password": current, "new_password": wanted})


def sign_in(daemon, name, password):
    return daemon.post("/api/auth/login", {"username": name, "password": password}).status_code


def test_a_new_password_ends_the_other_logins(parlour, rows):
    """Every worker refuses the next request of the other login sessions; this one continues, with its sockets and its
    refresh token."""
    daemon = parlour(workers=2, watchdog="10min", rate_login="1000/min")
    user = daemon.register()
    other = daemon.login(user.name)
    with user.ws() as own, other.ws() as closed:
        assert change(user).status_code == 204
        assert closed.wait_closed() == 4410
        for slot in (0, 1):
            with daemon.only_worker(slot):
                assert alive_once(daemon, other.access) == 401 and alive_once(daemon, user.access) == 200
        own.send("ping")
        own.expect("pong")
    assert refresh(daemon, other.refresh).status_code == 401
    assert refresh(daemon, user.refresh).status_code == 200
    assert (sign_in(daemon, user.name, OLD), sign_in(daemon, user.name, NEW)) == (401, 200)
    assert rows(f"SELECT action, actor_id FROM audit WHERE target = 'user:{user.id}' ORDER BY id") == [
        ("account created", user.id), ("login", user.id), ("login", user.id), ("password changed", user.id),
        ("login ended", user.id), ("login refused", 0), ("login", user.id)]
    assert rows(f"SELECT end_reason FROM login_sessions WHERE user_id = {user.id} AND ended_at IS NOT NULL") == [("password",)]


@pytest.mark.parametrize("current, wanted, field", [
    ("wrong", NEW, "current_password"), (OLD, "short", "new_password"), (OLD, OLD, "new_password"), ("", NEW, "current_password"),
    (OLD, "x" * 1025, "new_password"), (None, NEW, "current_password"), (OLD, None, "new_password"), (7, NEW, "current_password")])
def test_a_password_that_cannot_be_changed(parlour, current, wanted, field):
    daemon = parlour(rate_login="1000/min")
    user = daemon.register()
    other = daemon.login(user.name)
    refused = change(user, current, wanted)
    assert refused.status_code == 422 and [e["loc"] for e in refused.json()["detail"]] == [["body", field]], refused.text
    assert OLD not in refused.text and NEW not in refused.text and "short" not in refused.text.replace("string_too_short", "")
    assert alive(daemon, other.access) == 200 and sign_in(daemon, user.name, OLD) == 200


def test_guessing_the_current_password_is_limited(parlour):
    user = parlour(rate_login="3/min").register()
    assert [change(user, f"guess {i}").status_code for i in range(4)] == [422, 422, 429, 429]


def test_of_two_changes_at_once_one_wins(parlour):
    daemon = parlour(workers=2, rate_login="1000/min")
    user = daemon.register()
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda new: daemon.once("POST", "/api/auth/password", headers=user.auth, json={
            "current_password": OLD, "new_password": new}).status_code, ("first one 1", "second one 2")))
    assert sorted(got) == [204, 422]
    won = ("first one 1", "second one 2")[got.index(204)]
    assert [sign_in(daemon, user.name, p) for p in (OLD, "first one 1", "second one 2")] == \
        [401] + [200 if p == won else 401 for p in ("first one 1", "second one 2")]


@pytest.mark.parametrize("password, status", [(NEW, 401), (OLD, 200)], ids=["another password", "the same, hashed anew"])
def test_a_login_under_way_when_the_hash_changes(parlour, pg, database, password, status):
    """A login that was verified with the old hash must not create a login session after the others were ended."""
    daemon = parlour(workers=1, rate_login="1000/min", db_lock_timeout="30s", db_statement_timeout="30s")
    user, model = daemon.register(), daemon.register(password=password)
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%login_create%'"
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn, ThreadPoolExecutor(1) as pool, \
            psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as other:
        conn.execute("UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = %s) WHERE id = %s",
                     (model.id, user.id))
        late = pool.submit(daemon.once, "POST", "/api/auth/login", json={"username": user.name, "password": OLD})
        wait_for(lambda: other.execute(waits).fetchone(), 10, "the login waits for the row")
        conn.commit()
        assert late.result(30).status_code == status


@pytest.mark.parametrize("column, value, field", [("access", "'operator'", "access"), ("disabled", "true", None)])
def test_a_login_under_way_when_the_account_changes(parlour, pg, database, column, value, field):
    """A login that read the old level must not create a login session with it after the others were ended."""
    daemon = parlour(workers=1, rate_login="1000/min", db_lock_timeout="30s", db_statement_timeout="30s")
    user = daemon.register()
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%login_create%'"
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as conn, ThreadPoolExecutor(1) as pool, \
            psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as other:
        conn.execute(f"UPDATE users SET {column} = {value} WHERE id = %s", (user.id,))
        late = pool.submit(daemon.once, "POST", "/api/auth/login", json={"username": user.name, "password": OLD})
        wait_for(lambda: other.execute(waits).fetchone(), 10, "the login waits for the row")
        conn.commit()
        got = late.result(30)
    if field is None:
        assert got.status_code == 401
    else:
        assert got.status_code == 200 and got.json()["user"][field] == "operator"
        assert claims(got.json()["access_token"])["acc"] == claims(daemon.login(user.name).access)["acc"]
        assert alive(daemon, got.json()["access_token"]) == 200


def test_a_shorter_token_life_counts_for_old_tokens(parlour):
    """Ended login sessions are remembered for the lifetime of tokens; after a reload with a longer lifetime, old tokens
    must not become valid again."""
    daemon = parlour(access_token_life="1h")
    user = daemon.register()
    assert alive(daemon, user.access) == 200
    daemon.settings["access_token_life"] = "1s"
    daemon.write_config()
    daemon.reload()
    wait_for(lambda: alive(daemon, user.access) == 401, what="the token has expired")
    assert user.get("/api/auth/me").json()["code"] == "token_expired"
    assert refresh(daemon, user.refresh).status_code == 200


# ---- tickets ----

def test_a_ticket_opens_one_socket_in_any_worker(parlour):
    daemon = parlour(workers=4, watchdog="10min")
    user = daemon.register()
    made = [user.post("/api/auth/ws-ticket") for _ in range(4)]
    assert all(m.status_code == 201 and m.json()["expires_in"] == 30 for m in made)
    for slot, answer in enumerate(made):
        ticket = answer.json()["ticket"]
        with daemon.only_worker(slot):
            with daemon.ws("/ws?ticket=" + ticket) as sock:
                authed = sock.expect("authed")
                assert authed["worker"] == slot
                assert authed["user"]["id"] == user.id
        for again in (slot, (slot + 1) % 4):
            with daemon.only_worker(again), pytest.raises(wire.Refused) as refused:
                daemon.ws("/ws?ticket=" + ticket)
            assert refused.value.status == 401


def test_a_socket_by_ticket_ends_with_the_token_that_asked(parlour):
    daemon = parlour()
    user = daemon.register()
    time.sleep(1.1)  # expiry times have a precision of one second
    with user.ws() as sock:
        until = sock.authed["expires_at"]
    with daemon.ws("/ws?ticket=" + user.post("/api/auth/ws-ticket").json()["ticket"]) as sock:
        assert sock.expect("authed")["expires_at"] == until


def test_parallel_use_of_one_ticket(parlour):
    daemon = parlour(workers=4)
    user = daemon.register()
    for _ in range(5):
        ticket = user.post("/api/auth/ws-ticket").json()["ticket"]

        def attempt(_, ticket=ticket):
            try:
                daemon.ws("/ws?ticket=" + ticket).drop()
                return 101
            except wire.Refused as why:
                return why.status

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(attempt, range(8))) == [101] + [401] * 7


def test_tickets_expire_and_die_with_the_session(parlour):
    daemon = parlour(ws_ticket_life="1s")
    user = daemon.register()

    def status(ticket):
        try:
            daemon.ws("/ws?ticket=" + ticket).drop()
            return 101
        except wire.Refused as why:
            return why.status

    old = user.post("/api/auth/ws-ticket").json()
    assert old["expires_in"] == 1
    for odd in ("", "x", old["ticket"][:-1], old["ticket"] + "A", "A" * 2000):
        assert status(odd) == 401, odd
    wait_for(lambda: status(user.post("/api/auth/ws-ticket").json()["ticket"]) == 101, what="a new ticket is good")
    tickets = [user.post("/api/auth/ws-ticket").json()["ticket"] for _ in range(60)]
    wait_for(lambda: status(tickets.pop()) == 401, 6, "tickets are no longer good")
    assert status(tickets.pop()) == 401
    fresh = user.post("/api/auth/ws-ticket").json()["ticket"]
    assert user.post("/api/auth/logout").status_code == 204
    assert status(fresh) == 401
