# SPDX-License-Identifier: ISC
"""Administration of accounts over REST: the levels that it requires, and its immediate effect in every worker."""

import json
import re

import pytest

import cases_input
from parlour import wait_for
from test_people import word
from test_rooms import link_next

LEVELS = ("user", "analyst", "operator", "admin")
ROUTES = [(method, path) for method, path in re.findall(r'^ROUTE\((\w+),\s*"(/api/admin/users[^"]*)"', cases_input.read("routes.def"), re.M)
          if not path.endswith("/reset")]

EVERY = re.findall(r'^ROUTE\((\w+),\s*"(/api/admin/[^"]*)"', cases_input.read("routes.def"), re.M)


def at_level(api, rows, access):
    user = api.register(word(access[0]))
    rows(f"UPDATE users SET access = '{access}' WHERE id = {user.id}")
    return api.login(user.name)


def relogin(user):
    return user.api.login(user.name)


@pytest.fixture(name="staff", scope="module")
def fixture_staff(shared, rows):
    """Creates two accounts of each level: one that sends requests, and one that requests are about."""
    return {level: (at_level(shared, rows, level), at_level(shared, rows, level)) for level in LEVELS}


def body_of(method, path):
    if method == "PATCH":
        return {"is_active": True}
    return {"username": word()} if path == "/api/admin/users" and method == "POST" else None


def want(level, method, other):
    """Returns the expected status for an account of level `other`; None: it does not exist."""
    if level in ("user", "analyst"):
        return 403
    if method == "mfa/off" and other is not None:       # no account has a second factor here
        return want(level, "POST", other) if want(level, "POST", other) != 200 else 409
    if other is None:
        return 404
    if method != "GET" and level != "admin" and LEVELS.index(other) >= LEVELS.index(level):
        return 403
    return 200


def test_there_are_routes():
    assert len(ROUTES) >= 4 and ("GET", "/api/admin/users") in ROUTES and ("GET", "/api/admin/audit") in EVERY


@pytest.mark.parametrize("method, path", ROUTES)
def test_without_a_token(shared, staff, method, path):
    """A guest has no token and gets 401, also where guests may use the chatbot."""
    body = {"json": body_of(method, path)} if body_of(method, path) else {}
    for target in (staff["user"][1].id, staff["admin"][1].name, 987654321, word()):
        answer = shared.http.request(method, path.replace("{user}", str(target)), **body)
        assert answer.status_code == 401, (target, answer.text)


@pytest.mark.parametrize("level", LEVELS)
# test_account_delete.py covers this route
@pytest.mark.parametrize("method, path", [row for row in ROUTES if row[0] != "DELETE"])
def test_every_route_for_every_level(staff, method, path, level):
    """The requests are about the caller's own account, one of each level, and accounts that do not exist, by id and by
    name."""
    asker = relogin(staff[level][0])
    refusals = set()
    targets = [(level, asker)] + [(other, staff[other][1]) for other in LEVELS] + [(None, None)]
    for other, target in targets:
        names = (target.id, target.name, target.name.upper()) if target else (987654321, word(), "a b", "x" * 40, "9" * 30)
        for name in names:
            answer = asker.request(method, path.replace("{user}", str(name)), body_of(method, path))
            status = want(level, "mfa/off" if path.endswith("mfa/off") else method, other) if "{user}" in path else 403 if level in ("user", "analyst") else 200
            good = {"POST /api/admin/users": 201, "POST /api/admin/users/{user}/logout": 204,
                    "POST /api/admin/users/{user}/unlock": 204}.get(f"{method} {path}", 200)
            assert answer.status_code == (good if status == 200 else status), (name, other, answer.text)
            if level in ("user", "analyst"):
                refusals.add(json.dumps({**answer.json(), "request_id": 0}))
            if path.endswith("/logout") and status == 200 and target and target.id == asker.id:
                asker = relogin(asker)
    assert len(refusals) <= 1, "a refusal does not depend on whether the account exists"


def test_lists_and_filters(staff):
    boss, part = relogin(staff["operator"][0]), staff["analyst"][1].name
    one = boss.get(f"/api/admin/users?query={part}").json()
    assert [(u["username"], u["access"], u["is_active"], u["email"]) for u in one] == [(part, "analyst", True, part + "@example.org")]
    assert boss.get(f"/api/admin/users?query={part.upper()}@EXAMPLE").json() == one, "operators find addresses"
    assert boss.get(f"/api/admin/users/{part}").json() == boss.get(f"/api/admin/users/{one[0]['id']}").json() == one[0]
    for access in LEVELS:
        listed = boss.get(f"/api/admin/users?access={access}&state=active&limit=200").json()
        assert listed and {u["access"] for u in listed} == {access}
    seen, address = [], "/api/admin/users?limit=3"
    while address:
        answer = boss.get(address)
        assert answer.status_code == 200 and len(answer.json()) <= 3
        seen += [u["id"] for u in answer.json()]
        address = link_next(answer)
    assert seen == sorted(set(seen)) and {user.id for pair in staff.values() for user in pair} <= set(seen)
    for query in ("access=root", "state=gone", "limit=0", "query=", "after=x"):
        assert boss.get(f"/api/admin/users?{query}").status_code == 422


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"access": "root"}', b'{"username": 7}', b"x" * 30000])
@pytest.mark.parametrize("method, path", EVERY)
def test_the_level_comes_before_the_body(staff, method, path, body):
    """The server checks the level before the body, the media type, the query, and the id."""
    asker = relogin(staff["analyst"][0])
    for name in (staff["user"][1].id, "no such name"):
        for kind in ("application/json", "text/plain"):
            answer = asker.api.http.request(method, path.replace("{user}", str(name)) + "?limit=x", headers={**asker.auth, "Content-Type": kind},
                                            content=body if method not in ("GET", "DELETE") else None)
            assert answer.status_code == 403, (name, kind, answer.text)


@pytest.mark.parametrize("body, field", [({"access": "root"}, "access"), ({"access": 5}, "access"), ({"is_active": "no"}, "is_active"), ({"is_active": 1}, "is_active")])
def test_bad_bodies(staff, body, field):
    answer = relogin(staff["admin"][0]).patch(f"/api/admin/users/{staff['user'][1].id}", body)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", field]


def test_nobody_grants_above_the_own_level(shared, rows, staff):
    operator, admin = relogin(staff["operator"][0]), relogin(staff["admin"][0])
    user = shared.register(word())
    path = f"/api/admin/users/{user.id}"
    assert operator.patch(path, {"access": "admin"}).status_code == 403
    assert operator.get(path).json()["access"] == "user"
    assert operator.patch(path, {"access": "operator"}).json()["access"] == "operator"
    assert operator.patch(path, {"access": "user"}).status_code == 403, "of the same level now"
    assert operator.patch(f"/api/admin/users/{operator.id}", {"access": "admin"}).status_code == 403
    assert admin.patch(path, {"access": "admin"}).json()["access"] == "admin"
    assert admin.patch(path, {}).json()["access"] == "admin"
    assert admin.patch(path, {"access": "user", "is_active": False}).json()["is_active"] is False
    assert rows(f"SELECT action, after FROM audit WHERE target = 'user:{user.id}' AND actor_id IN ({admin.id}, {operator.id}) "
                "AND action <> 'login ended' ORDER BY id") == [
        ("access changed", {"access": "operator"}), ("access changed", {"access": "admin"}),
        ("access changed", {"access": "user"}), ("account disabled", {"disabled": True})]


def test_disabling_closes_sockets_everywhere(shared, staff):
    """Tokens and sockets end at once in both workers, whichever worker disabled the user; after enabling, the user can
    log in again."""
    operator, victim = relogin(staff["operator"][0]), shared.register(word("v"))
    path = f"/api/admin/users/{victim.name}"
    others = [shared.login(victim.name) for _ in range(3)]
    socks = [user.ws() for user in [victim, *others]]
    assert operator.get(path).json()["logins"] == 4
    assert operator.patch(path, {"is_active": False}).json()["logins"] == 0
    for sock in socks:
        assert sock.wait_closed() == 4410
    for user in [victim, *others]:
        wait_for(lambda: user.get("/api/auth/me").status_code == 401, 5)    # pylint: disable=cell-var-from-loop
        assert user.refresh_now().status_code == 401
    refused = shared.post("/api/auth/login", {"username": victim.name, "password": victim.password})
    assert refused.status_code == 401
    assert operator.patch(path, {"is_active": True}).json()["is_active"] is True
    again = shared.login(victim.name)
    assert operator.post(f"/api/admin/users/{victim.name}/logout").status_code == 204
    wait_for(lambda: again.get("/api/auth/me").status_code == 401, 5)
    assert shared.login(victim.name).get("/api/auth/me").status_code == 200


def test_a_demoted_operator_keeps_no_rights(shared, rows, staff):
    """The database checks the level at the time of the change, instead of the level in the token."""
    admin, operator = relogin(staff["admin"][0]), at_level(shared, rows, "operator")
    assert admin.patch(f"/api/admin/users/{operator.id}", {"access": "user"}).status_code == 200
    wait_for(lambda: operator.get("/api/admin/users").status_code == 401, 5)
    assert shared.login(operator.name).get("/api/admin/users").status_code == 403


def test_create(shared, rows, staff):
    operator, admin = relogin(staff["operator"][0]), relogin(staff["admin"][0])
    name = word()
    answer = operator.post("/api/admin/users", {"username": name, "email": f"{name}@example.org", "access": "analyst"})
    made = answer.json()
    assert answer.status_code == 201 and answer.headers["Location"] == f"/api/admin/users/{made['user']['id']}"
    assert (made["user"]["username"], made["user"]["access"], made["user"]["logins"], len(made["password"])) == (name, "analyst", 0, 20)
    assert shared.login(name, made["password"]).get("/api/auth/me").json()["email"] == f"{name}@example.org"
    assert rows(f"SELECT actor_id, after FROM audit WHERE action = 'account created' AND target = 'user:{made['user']['id']}'") == [
        (operator.id, {"access": "analyst"})]
    other = operator.post("/api/admin/users", {"username": word(), "password": "correct horse 9"}).json()
    assert other["password"] is None and other["user"]["email"] is None and other["user"]["access"] == "user"
    assert shared.login(other["user"]["username"], "correct horse 9").get("/api/auth/me").status_code == 200
    for body, status in (({"username": name.upper()}, 409), ({"username": word(), "email": f"{name}@example.org"}, 409),
                         ({"username": word(), "access": "admin"}, 403), ({"username": "a b"}, 422), ({"username": "123"}, 422),
                         ({"username": word(), "password": "short"}, 422), ({}, 422), ({"username": word(), "access": "root"}, 422)):
        answer = operator.post("/api/admin/users", body)
        assert answer.status_code == status, (body, answer.text)
    assert admin.post("/api/admin/users", {"username": word(), "access": "admin"}).status_code == 201


def test_create_repeated_with_its_key(staff, rows):
    operator, name = relogin(staff["operator"][0]), word()
    key = {"Idempotency-Key": "admin-user-" + name}
    first = operator.post("/api/admin/users", {"username": name}, headers=key)
    again = operator.post("/api/admin/users", {"username": name}, headers=key)
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert first.json()["password"] not in str(rows("SELECT k.body FROM idempotency_keys k") + rows("SELECT a.* FROM audit a"))


def test_a_link_for_a_new_password(parlour, rows, smtp):
    peer_mail = smtp()
    daemon = parlour(public_url="https://chat.example.org", smtp_url=f"smtp://127.0.0.1:{peer_mail.port}/parlour.example", smtp_tls="off",
                     mail_from="bot@parlour.example")
    operator, user, peer = at_level(daemon, rows, "operator"), daemon.register(word()), at_level(daemon, rows, "operator")
    assert operator.post(f"/api/admin/users/{user.name}/reset").status_code == 204
    mail = wait_for(lambda: peer_mail.mails and peer_mail.mails[0], 20, "the mail came")
    assert "https://chat.example.org/reset-password#" in mail.body and user.name in mail.body
    assert rows(f"SELECT count(*) FROM audit WHERE action = 'password reset sent' AND target = 'user:{user.id}' AND actor_id = {operator.id}") == [(1,)]
    assert operator.post(f"/api/admin/users/{peer.name}/reset").status_code == 403
    assert operator.post("/api/admin/users/987654321/reset").status_code == 404
    assert user.post(f"/api/admin/users/{user.name}/reset").status_code == 403
    bare = operator.post("/api/admin/users", {"username": word()}).json()["user"]["username"]
    assert operator.post(f"/api/admin/users/{bare}/reset").status_code == 409


def test_no_links_without_mail(shared, staff):
    answer = relogin(staff["admin"][0]).post(f"/api/admin/users/{staff['user'][1].id}/reset")
    assert answer.status_code == 501 and "smtp_url" in answer.json()["detail"]


def test_the_last_admin_stays(shared, rows):
    """The last admin can be neither demoted nor disabled, not even by themselves. This is the last test, because all
    other admins lose the level."""
    last = at_level(shared, rows, "admin")
    rows(f"UPDATE users SET access = 'user' WHERE access = 'admin' AND id <> {last.id}")
    path = f"/api/admin/users/{last.id}"
    for body in ({"access": "user"}, {"access": "operator"}, {"is_active": False}, {"access": "operator", "is_active": True}):
        answer = last.patch(path, body)
        assert answer.status_code == 409 and "last admin" in answer.json()["detail"], answer.text
    assert last.patch(path, {"access": "admin", "is_active": True}).status_code == 200
    other = shared.register(word())
    assert last.patch(f"/api/admin/users/{other.name}", {"access": "admin"}).status_code == 200
    assert last.patch(path, {"access": "user"}).status_code == 200
    wait_for(lambda: last.get("/api/auth/me").status_code == 401, 5)
