# SPDX-License-Identifier: ISC
"""Operators and admins see login sessions, lock-outs, and second factors of all accounts."""

import pytest

from parlour import wait_for
from test_admin_users import at_level
from test_people import word
from test_rooms import link_next
from totp import first_step, turn_on

LOGINS = "/api/admin/logins"              # covers: GET /api/admin/logins
# covers: DELETE /api/admin/logins/{login_session_id}
FIELDS = {"id", "user_id", "username", "kind", "name", "created_at", "last_used_at", "expires_at", "address", "user_agent", "ended_at",
          "end_reason"}
STRANGERS = ("987654321", "no.such.user", "9" * 30, "a b", "%F0%9F%98%80")


@pytest.fixture(name="boss", scope="module")
def fixture_boss(shared, rows):
    return at_level(shared, rows, "operator")


def listed(boss, query):
    """Returns the items of all pages."""
    found, path = [], f"{LOGINS}?{query}"
    while path:
        answer = boss.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        path = link_next(answer)
    return found


def test_list_and_filters(shared, boss):
    user = shared.register(word())
    second = shared.login(user.name)
    key = user.post("/api/keys", {"name": "report", "scopes": ["read"]}).json()
    rows_of = listed(boss, f"user={user.name.upper()}")
    assert rows_of == listed(boss, f"user={user.id}&limit=1"), "by name or number; pages of one"
    assert [(r["kind"], r["name"], r["username"], r["user_id"]) for r in rows_of] == [
        ("key", "report", user.name, user.id), ("login", None, user.name, user.id), ("login", None, user.name, user.id)]
    assert set(rows_of[0]) == FIELDS and rows_of[0]["id"] == key["id"] and rows_of[1]["address"] == "127.0.0.1"
    text = boss.get(f"{LOGINS}?user={user.id}").text
    assert not [secret for secret in (key["key"], key["prefix"], user.access, second.refresh) if secret in text]
    assert second.post("/api/auth/logout").status_code == 204
    ended = listed(boss, f"user={user.id}&state=ended")
    assert [(r["end_reason"], r["ended_at"] is not None) for r in ended] == [("logout", True)]
    assert listed(boss, f"user={user.id}&state=active") == [r for r in rows_of if r["id"] != ended[0]["id"]]
    for stranger in STRANGERS:
        assert listed(boss, f"user={stranger}") == []


def test_filter_by_address(shared, boss):
    user = shared.register(word())
    for addr in ("192.0.2.7", "192.0.2.9", "198.51.100.7", "2001:db8:1:2::7"):
        body = {"username": user.name, "password": user.password}
        assert shared.post("/api/auth/login", body, headers={"X-Forwarded-For": addr}).status_code == 200
    for address, count in (("192.0.2.7", 1), ("192.0.2.0/24", 2), ("198.51.100.0/24", 1), ("2001:db8:1:2::/64", 1), ("192.0.2.0", 0), ("x", 0)):
        assert len(listed(boss, f"user={user.id}&address={address}")) == count, address


def test_end_one_login_or_key(shared, boss, rows):
    user = shared.register(word())
    other, key = shared.login(user.name), user.post("/api/keys", {"name": "k", "scopes": ["read"]}).json()
    one = listed(boss, f"user={user.id}")[1]["id"]
    with other.ws() as sock:
        assert boss.delete(f"{LOGINS}/{one}").status_code == 204
        assert sock.wait_closed() == 4410
    wait_for(lambda: other.get("/api/auth/me").status_code == 401, 5)
    assert user.get("/api/auth/me").status_code == 200, "only that one"
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert shared.get("/api/auth/me", headers=bearer).status_code == 200
    assert boss.delete(f"{LOGINS}/{key['id']}").status_code == 204
    wait_for(lambda: shared.get("/api/auth/me", headers=bearer).status_code == 401, 5)
    for gone in (one, key["id"], 987654321):
        assert boss.delete(f"{LOGINS}/{gone}").status_code == 404
    assert rows(f"SELECT action, after ->> 'reason' FROM audit WHERE target = 'user:{user.id}' AND actor_id = {boss.id} ORDER BY id") == [
        ("login ended", "operator"), ("key ended", "operator")]


def test_operators_end_only_logins_below_their_level(shared, boss, rows):
    peer = at_level(shared, rows, "operator")
    one = listed(boss, f"user={peer.id}&state=active")[0]["id"]
    assert boss.delete(f"{LOGINS}/{one}").status_code == 403
    assert peer.get("/api/auth/me").status_code == 200
    admin = at_level(shared, rows, "admin")
    assert admin.delete(f"{LOGINS}/{one}").status_code == 204


def test_unlock(parlour, rows):
    daemon = parlour(rate_login="10000/min", lockout_attempts=3, lockout_time="1h")
    boss, user = at_level(daemon, rows, "operator"), daemon.register()
    locks = lambda: rows(f"SELECT failures, locked_until > now() FROM login_locks WHERE user_id = {user.id}")  # noqa: E731
    for _ in range(3):
        before = locks()
        assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong password"}).status_code == 401
        wait_for(lambda: locks() != before)             # pylint: disable=cell-var-from-loop
    assert locks() == [(0, True)]
    assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}).status_code == 401
    assert boss.post(f"/api/admin/users/{user.name}/unlock").status_code == 204
    assert daemon.login(user.name)
    assert boss.post(f"/api/admin/users/{user.id}/unlock").status_code == 204, "it is not locked"
    assert rows(f"SELECT actor_id FROM audit WHERE target = 'user:{user.id}' AND action = 'login unlocked'") == [(boss.id,)]


def test_remove_a_second_factor(shared, boss, rows):
    user = shared.register(word())
    turn_on(user)
    assert first_step(shared, user)
    with user.ws() as sock:
        assert boss.post(f"/api/admin/users/{user.name}/mfa/off").status_code == 204
        assert sock.wait_closed() == 4410
    assert shared.login(user.name).get("/api/auth/mfa").json()["totp"] is False
    assert boss.post(f"/api/admin/users/{user.name}/mfa/off").status_code == 409
    assert rows(f"SELECT actor_id FROM audit WHERE target = 'user:{user.id}' AND action = 'second factor removed'") == [(boss.id,)]


def test_not_the_own_second_factor(shared, rows):
    """A stolen token of an admin does not suffice to remove the admin's own second factor: a code is required."""
    admin = at_level(shared, rows, "admin")
    turn_on(admin)
    answer = admin.post(f"/api/admin/users/{admin.name}/mfa/off")
    assert answer.status_code == 409 and "/api/auth/mfa/totp/off" in answer.json()["detail"]
    assert rows(f"SELECT second_factor FROM users WHERE id = {admin.id}") == [(True,)]
