# SPDX-License-Identifier: ISC
"""API keys: they are shown once, have scopes per route and frame, rights of their owner and their own limits, and can
end."""

import hashlib
import re
import secrets
import time

import pytest

import usagedata
import wire
from parlour import SLOW, wait_for
from test_once import key as once_key
from test_once import replies_lost  # noqa: F401 (a fixture)
from test_system import SOURCE, filled
from totp import turn_on

SCOPES = ("read", "write", "chat", "v1", "admin")
ROWS = re.compile(r'^ROUTE\(\s*(\w+),\s*"([^"]+)",\s*\w+,\s*(\w+),\s*(\w+),.*?(\d{3}),\s*([A-Z_|0]+),', re.M)


@pytest.fixture
def daemon(parlour):
    return parlour(workers=2, rate_login="1000/min", rate_read="off", rate_key="off", watchdog="10min")


def make(user, *scopes, name=None, **fields):
    """Creates a key and returns it as the server shows it."""
    answer = user.post("/api/keys", {"name": name or "key " + secrets.token_hex(6), "scopes": list(scopes or ("read",)), **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(key):
    return {"Authorization": f"Bearer {key['key']}"}


def status(daemon, key, method="GET", path="/api/auth/me", **how):
    answer = daemon.once(method, path, headers=bearer(key), **how)
    return (answer.status_code, answer.json()["code"]) if answer.status_code >= 400 else answer.status_code


def in_each_worker(daemon, key, **how):
    seen = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            seen.append(status(daemon, key, **how))
    return seen


# ---- making, listing, changing ----

def test_it_is_shown_once_and_stored_as_a_hash(shared, ann, rows):
    made = make(ann, "read", "chat", name="  Nightly report ", expires_in=3600, rate="5/s")
    assert re.fullmatch(r"pk_[a-z2-7]{8}_[a-z2-7]{32}", made["key"]) and made["key"].startswith(made["prefix"] + "_")
    assert (made["name"], made["scopes"], made["rate"], made["last_used_at"]) == ("Nightly report", ["read", "chat"], "5/s", None)
    listed = ann.get("/api/keys")
    assert made["key"] not in listed.text and [k for k in listed.json() if k["id"] == made["id"]] == [
        {k: v for k, v in made.items() if k != "key"}]
    assert ann.get(f"/api/keys/{made['id']}").json()["prefix"] == made["prefix"]
    stored = rows(f"SELECT key_hash, to_jsonb(l)::text FROM login_sessions l WHERE id = {made['id']}")[0]
    assert bytes(stored[0]) == hashlib.sha256(made["key"].encode()).digest() and made["key"][12:] not in stored[1]
    changed = ann.patch(f"/api/keys/{made['id']}", {"name": "Weekly", "scopes": ["v1"], "rate": ""}).json()
    assert (changed["name"], changed["scopes"], changed["rate"], changed["expires_at"]) == ("Weekly", ["v1"], None, made["expires_at"])
    assert ann.delete(f"/api/keys/{made['id']}").status_code == 204
    assert ann.delete(f"/api/keys/{made['id']}").status_code == 404 and ann.get(f"/api/keys/{made['id']}").status_code == 404
    acts = rows(f"SELECT actor_id, action FROM audit WHERE target = 'user:{ann.id}' AND action LIKE 'key %' AND (after ->> 'login' = '{made['id']}' "
                f"OR after -> 'logins' = '[{made['id']}]') ORDER BY id")
    assert acts == [(ann.id, "key created"), (ann.id, "key changed"), (ann.id, "key ended")]


def test_keys_of_others_do_not_exist(ann, bob):
    key = make(ann)
    for method, body in (("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)):
        assert bob.request(method, f"/api/keys/{key['id']}", body).status_code == 404
        assert bob.request(method, f"/api/keys/{bob.login_session}", body).status_code == 404, "a login session is no key"
    assert key["id"] not in [k["id"] for k in bob.get("/api/keys").json()]
    assert key["id"] not in [s["id"] for s in ann.get("/api/auth/sessions").json()]
    assert ann.delete(f"/api/auth/sessions/{key['id']}").status_code == 404, "it ends in /api/keys"


BAD = [({"name": "x"}, "scopes"), ({"scopes": ["read"]}, "name"), ({"name": "x", "scopes": []}, "scopes"), ({"name": "x", "scopes": "read"}, "scopes"),
       ({"name": "x", "scopes": ["root"]}, "scopes"), ({"name": "x", "scopes": [1]}, "scopes"), ({"name": "x", "scopes": {"read": 1}}, "scopes"),
       ({"name": "x", "scopes": ["read"], "rate": "fast"}, "rate"), ({"name": "x", "scopes": ["read"], "rate": "off"}, "rate"),
       ({"name": "x", "scopes": ["read"], "expires_in": 59}, "expires_in"), ({"name": "x" * 65, "scopes": ["read"]}, "name")]


@pytest.mark.parametrize("body, field", BAD)
def test_bad_input(ann, body, field):
    answer = ann.post("/api/keys", body)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][-1] == field, answer.text


def test_names_numbers_and_lives_are_limited(parlour):
    daemon = parlour(api_keys_per_user=2, api_key_max_life="1h")
    user = daemon.register()
    first = make(user, name="One")
    assert user.post("/api/keys", {"name": "ONE", "scopes": ["read"]}).json()["code"] == "taken"
    assert user.post("/api/keys", {"name": "two", "scopes": ["read"], "expires_in": 3601}).status_code == 422
    assert first["expires_at"] is not None, "the longest life is the default"
    second = make(user, name="two", expires_in=60)
    assert user.post("/api/keys", {"name": "three", "scopes": ["read"]}).json()["code"] == "conflict"
    assert user.patch(f"/api/keys/{second['id']}", {"name": "one"}).json()["code"] == "taken"
    assert user.delete(f"/api/keys/{first['id']}").status_code == 204
    make(user, name="one")
    daemon.configure(api_keys_per_user=0)
    daemon.reload()
    assert daemon.register().post("/api/keys", {"name": "x", "scopes": ["read"]}).status_code == 409


def test_a_lost_reply_does_not_lose_the_key(parlour, rows, replies_lost):  # noqa: F811
    """The second request with the Idempotency-Key gets the same key with a new secret; the third gets the reply of the
    second."""
    daemon = parlour(workers=1)
    daemon.expect_error("broken on purpose")
    user, once, body = daemon.register(), once_key(), {"name": "one", "scopes": ["read"]}
    with replies_lost():
        first = user.post("/api/keys", body, headers=once)
    again, third = (user.post("/api/keys", body, headers=once) for _ in range(2))
    assert again.status_code == 201 and again.json() == third.json() and [k["id"] for k in user.get("/api/keys").json()] == [again.json()["id"]]
    assert again.json()["key"] != first.json().get("key") and status(daemon, again.json()) == 200
    assert again.json()["key"] not in str(rows("SELECT to_jsonb(k)::text FROM idempotency_keys k"))


# ---- parlourctl key ----

def test_parlourctl_key(daemon):
    user = daemon.register()
    made = daemon.ctl("key", "create", user.name.upper(), "--name", " Backup ", "--scopes", "chat,read", "--expires", "90d", "--rate", "5/s").stdout
    number, key = re.search(r"^key (\d+) of .* created", made).group(1), {"key": re.search(r"^key: (pk_\w+)$", made, re.M).group(1)}
    seen = user.get(f"/api/keys/{number}").json()
    assert (seen["name"], seen["scopes"], seen["rate"]) == ("Backup", ["read", "chat"], "5/s") and seen["expires_at"] and status(daemon, key) == 200
    listed = daemon.ctl("key", "list", user.name).stdout
    assert seen["prefix"] in listed and "read chat" in listed and "Backup" in listed and key["key"] not in listed
    assert "Backup" in daemon.ctl("key", "list").stdout and daemon.ctl("key", "list", "nobody").stdout == ""
    daemon.ctl("key", "revoke", number)
    wait_for(lambda: status(daemon, key) == (401, "revoked"), 5)
    for words, code in ((("revoke", number), 65), (("create", "nobody", "--name", "x"), 65), (("create", user.name), 64), ((), 64), (("bogus",), 64),
                        (("create", user.name, "--name", "x", "--scopes", "root"), 64), (("create", user.name, "--name", "x", "--expires", "5s"), 64),
                        (("create", user.name, "--name", "x", "--rate", "off"), 64), (("list", "--rate", "5/s"), 64)):
        assert daemon.ctl("key", *words, check=False).returncode == code, words


# ---- how it is sent ----

def test_how_clients_send_it(shared, ann):
    key = make(ann)["key"]
    forms = [{"Authorization": f"Bearer {key}"}, {"authorization": f"bearer {key}", "OpenAI-Organization": "org-1"}, {"x-api-key": key},
             {"X-Api-Key": key, "anthropic-version": "2023-06-01"}, {"Authorization": f"Bearer {key}", "x-api-key": "unused"}]
    for headers in forms:
        assert shared.once("GET", "/api/auth/me", headers=headers).json()["username"] == ann.name, headers
    broken = [key[:-1], key + "a", key[:-1] + "1", key.upper(), key.replace("_", "-"), "pk_", ""]
    for text in broken:
        for headers in ({"x-api-key": text}, {"Authorization": f"Bearer {text}".strip()}):
            assert shared.once("GET", "/api/auth/me", headers=headers).status_code == 401, headers
            assert shared.once("GET", "/api/metrics", headers=headers).status_code == 401, "where a token is optional"
    assert shared.once("GET", "/api/auth/me", headers={"x-api-key": ann.access}).status_code == 401, "x-api-key is for keys"
    other = shared.once("GET", "/api/auth/me", headers={"Authorization": "Basic eA==", "x-api-key": key})
    assert other.status_code == 401


# ---- scopes ----

def test_each_route_asks_for_its_scope(daemon):
    """For each route of routes.def and each scope: a key without the required scope gets 403 before the server reads
    anything."""
    user = daemon.register()
    keys = {scope: make(user, scope) for scope in SCOPES}
    with open(SOURCE + "/src/api/http/routes.def", encoding="utf-8") as table:
        rows = ROWS.findall(table.read())
    asked = 0
    for method, path, who, wanted, _, flags in rows:
        if who == "ANY" or "OPERATOR" in flags:
            continue
        for scope, key in keys.items():
            allowed = wanted == "ALL" or scope.upper() in wanted.split("_")
            code = None if allowed else "api_key_refused" if wanted == "LOGIN" else "insufficient_scope"
            got = status(daemon, key, method, filled(path))
            assert (got == (403, code)) if code else got not in ((403, "api_key_refused"), (403, "insufficient_scope"), (401, "unauthorized")), \
                (method, path, scope, wanted, got)
            asked += 1
    assert asked > 300 and user.get("/api/auth/me").status_code == 200


def test_rights_are_those_of_the_owner_or_less(daemon, rows):
    """Without the scope admin the level of the owner has no effect; with it, the current level counts."""
    user = daemon.register()
    plain, full, room = make(user, "read", "write"), make(user, "read", "write", "admin"), daemon.register().room(visibility="private")["id"]
    seen = lambda key: status(daemon, key, path=f"/api/rooms/{room}")  # noqa: E731
    assert (seen(plain), seen(full)) == ((404, "not_found"), (404, "not_found"))
    rows(f"UPDATE users SET access = 'admin' WHERE id = {user.id}")
    wait_for(lambda: in_each_worker(daemon, full, path=f"/api/rooms/{room}") == [200, 200], 5)
    assert seen(plain) == (404, "not_found") and user.get("/api/auth/me").status_code == 401, "logins end, keys do not"
    with daemon.ws("/ws", headers=bearer(full)) as sock:
        assert sock.expect("authed")["user"]["access"] == "admin"
        rows(f"UPDATE users SET access = 'user' WHERE id = {user.id}")
        began = time.monotonic()
        assert sock.wait_closed() == 4410 and time.monotonic() - began < 1 * SLOW
    assert in_each_worker(daemon, full, path=f"/api/rooms/{room}") == [(404, "not_found")] * 2
    assert in_each_worker(daemon, full) == [200, 200]


def test_new_scopes_count_at_once_in_every_worker(daemon, rows):
    user = daemon.register()
    key = make(user, "read")
    assert in_each_worker(daemon, key, path="/api/rooms") == [200, 200]
    assert user.patch(f"/api/keys/{key['id']}", {"scopes": ["v1"]}).status_code == 200
    assert in_each_worker(daemon, key, path="/api/rooms") == [(403, "insufficient_scope")] * 2
    rows(f"UPDATE login_sessions SET scopes = '{{read}}' WHERE id = {key['id']}")
    wait_for(lambda: in_each_worker(daemon, key, path="/api/rooms") == [200, 200], 5)


# ---- sockets ----

def test_sockets(shared, ann):
    key, room = make(ann, "read"), ann.room()["id"]
    ways = [{"headers": bearer(key)}, {"headers": {"x-api-key": key["key"]}}, {"token": key["key"]}]
    for way in ways:
        with shared.ws("/ws", **way) as sock:
            assert sock.expect("authed")["user"]["id"] == ann.id
    with shared.ws("/ws") as sock:
        sock.send("auth", token=key["key"])
        sock.expect("authed")
        sock.send("subscribe", topic=f"room:{room}")
        sock.expect("subscribed")
        sock.send("send", topic=f"room:{room}", content="x", id="1")
        assert sock.expect("error", id="1")["code"] == "insufficient_scope"
        sock.send("auth", token=ann.access, id="2")
        sock.expect("authed", id="2")
        sock.send("send", topic=f"room:{room}", content="x", id="3")
        sock.expect("ack", id="3")
    with shared.ws("/ws", headers=bearer(make(ann, "chat"))) as sock:
        sock.expect("authed")
        sock.send("send", topic=f"room:{room}", content="y", id="4")
        sock.expect("ack", id="4")
    useless = make(ann, "v1")
    for way in ({"headers": bearer(useless)}, {"token": useless["key"]}):
        with pytest.raises(wire.Refused) as refused:
            shared.ws("/ws", **way)
        assert refused.value.status == 403
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send("auth", token=useless["key"])
        assert sock.wait_closed() == 4403
    with pytest.raises(wire.Refused) as refused:
        shared.ws("/ws", headers=bearer({"key": "pk_" + "a" * 8 + "_" + "b" * 32}))
    assert refused.value.status == 401


# ---- how it ends ----

ENDERS = {
    "rest": lambda daemon, user, rows, key: user.delete(f"/api/keys/{key['id']}"),
    "psql": lambda daemon, user, rows, key: rows(f"UPDATE login_sessions SET ended_at = now(), end_reason = 'by hand' WHERE id = {key['id']}"),
    "disabled": lambda daemon, user, rows, key: rows(f"UPDATE users SET disabled = true WHERE id = {user.id}"),
    "parlourctl": lambda daemon, user, rows, key: daemon.ctl("key", "revoke", key["prefix"]),
    "passwd": lambda daemon, user, rows, key: daemon.ctl("user", "passwd", user.name),
}


@pytest.mark.parametrize("how", ENDERS)
def test_revoking_counts_at_once_in_every_worker(daemon, rows, how):
    user = daemon.register()
    key, other = make(user), make(daemon.register())
    sockets = []
    for slot in (0, 1):
        with daemon.only_worker(slot):
            sockets.append(daemon.ws("/ws", headers=bearer(key)))
            assert sockets[-1].expect("authed") and status(daemon, key) == 200
    with daemon.ws("/ws", headers=bearer(other)) as bystander:
        bystander.expect("authed")
        ENDERS[how](daemon, user, rows, key)
        began = time.monotonic()
        assert [sock.wait_closed() for sock in sockets] == [4410, 4410] and time.monotonic() - began < 1 * SLOW
        assert in_each_worker(daemon, key) == [(401, "revoked")] * 2
        bystander.send("ping")
        bystander.expect("pong")
    daemon.kill_all()
    daemon.start()
    assert status(daemon, key) == (401, "revoked") and status(daemon, other) == 200


def test_what_ends_logins_only(daemon):
    """Keys stay valid when their owner logs out or changes the password, and after a restart."""
    user = daemon.register()
    key = make(user)
    assert user.post("/api/auth/password", {"current_password": user.password, "new_password": "battery staple 7"}).status_code == 204
    assert user.post("/api/auth/logout", {"scope": "global"}).status_code == 204
    assert user.get("/api/auth/me").status_code == 401 and in_each_worker(daemon, key) == [200, 200]


def test_expiry(daemon, rows):
    user = daemon.register()
    key, endless = make(user, expires_in=60), make(user)
    assert (status(daemon, key), status(daemon, endless), endless["expires_at"]) == (200, 200, None)
    with daemon.ws("/ws", headers=bearer(key)) as sock:
        sock.expect("authed")
        rows(f"UPDATE login_sessions SET expires_at = now() WHERE id = {key['id']}")
        assert sock.wait_closed() == 4410
    assert in_each_worker(daemon, key) == [(401, "token_expired")] * 2
    assert status(daemon, endless) == 200
    assert user.patch(f"/api/keys/{key['id']}", {"expires_in": 120}).status_code == 200
    assert in_each_worker(daemon, key) == [200, 200]


def test_its_last_use_is_noted_seldom(daemon, rows):
    user = daemon.register()
    key = make(user)
    for _ in range(30):
        assert status(daemon, key) == 200
    noted = lambda: rows(f"SELECT last_used_at, xmin::text FROM login_sessions WHERE id = {key['id']}")[0]  # noqa: E731
    first = wait_for(lambda: noted()[0] and noted(), 5)
    assert in_each_worker(daemon, key) == [200, 200] and noted() == first
    rows(f"UPDATE login_sessions SET last_used_at = now() - interval '2 minutes' WHERE id = {key['id']}")
    user.patch(f"/api/keys/{key['id']}", {"scopes": ["read", "chat"]})	# the worker looks it up again
    assert status(daemon, key) == 200
    wait_for(lambda: rows(f"SELECT last_used_at > now() - interval '1 minute' FROM login_sessions WHERE id = {key['id']}") == [(True,)], 5)


# ---- limits ----

def test_unknown_keys_do_not_reach_the_database(parlour):
    """Unknown keys count like failed logins, but separately; valid keys that a worker knows stay usable from the same
    address."""
    daemon = parlour(workers=1, rate_login="5/hour")
    user = daemon.register()
    good, gone = make(user), make(user)
    assert user.delete(f"/api/keys/{gone['id']}").status_code == 204 and status(daemon, good) == 200
    before = daemon.metric("parlour_token_cache_misses_total")
    strange = [{"key": "pk_" + "".join(secrets.choice("abcdefgh234567") for _ in range(8)) + "_" + secrets.token_hex(16).translate(
        str.maketrans("0189", "ghij"))} for _ in range(8)]
    assert [status(daemon, key)[0] for key in strange] == [401] * 5 + [429] * 3
    assert [status(daemon, key) for key in strange[:5]] == [(401, "unauthorized")] * 5, "known to be unknown"
    assert daemon.metric("parlour_token_cache_misses_total") - before == 5
    assert status(daemon, good) == 200 and status(daemon, make(user))[0] == 429
    assert daemon.login(user.name).get("/api/auth/me").status_code == 200, "passwords have a limit of their own"


def test_each_key_has_a_limit_of_its_own(parlour):
    daemon = parlour(rate_key="50/hour", rate_read="50/s burst 200")
    user = daemon.register()
    slow, quick = make(user, "read", "chat", rate="2/hour"), make(user, rate="100/s")
    assert [status(daemon, slow) for _ in range(3)] == [200, 200, (429, "rate_limited")]
    refused = daemon.once("GET", "/api/auth/me", headers=bearer(slow))
    assert refused.headers["RateLimit"].startswith('"key"') and int(refused.headers["Retry-After"]) > 60
    got = daemon.once("GET", "/api/auth/me", headers=bearer(quick))
    assert got.status_code == 200 and '"key";q=50' in got.headers["RateLimit-Policy"], "rate_key is the most"
    assert user.get("/api/auth/me").headers["RateLimit"].startswith('"read"')
    room = user.room()["id"]
    assert status(daemon, slow, "POST", f"/api/rooms/{room}/messages", json={"content": "x"})[0] == 429


def test_a_key_of_an_admin_gives_nobody_more_rights(daemon, rows):
    """A copy of the key must not be enough to keep its rights after it was revoked."""
    admin, user = daemon.register(), daemon.register()
    rows(f"UPDATE users SET access = 'admin' WHERE id = {admin.id}")
    admin = daemon.login(admin.name)
    key = admin.post("/api/keys", {"name": "ops", "scopes": ["read", "write", "admin"]}).json()["key"]
    by_key = {"Authorization": f"Bearer {key}"}
    turn_on(user)
    where = f"/api/admin/users/{user.id}"
    new = {"username": "x" + usagedata.unique(), "email": usagedata.unique() + "@example.org"}
    for method, path, body in (("PATCH", where, {"access": "admin"}), ("PATCH", where, {"access": "user"}), ("POST", where + "/mfa/off", None),
                               ("PATCH", where, {"access": "analyst", "is_active": True}), ("POST", "/api/admin/users", {**new, "access": "analyst"})):
        answer = daemon.http.request(method, path, json=body, headers=by_key)
        assert (answer.status_code, answer.json()["code"]) == (403, "api_key_refused"), (path, body, answer.text)
        assert "sign in" in answer.json()["detail"]
    assert rows(f"SELECT access, second_factor FROM users WHERE id = {user.id}") == [("user", True)]
    for method, path, body, status in (("PATCH", where, {"is_active": False}, 200), ("PATCH", where, {"is_active": True}, 200),
                                       ("POST", "/api/admin/users", {**new, "access": "user"}, 201)):
        assert daemon.http.request(method, path, json=body, headers=by_key).status_code == status, (path, body)
    assert admin.post(where + "/mfa/off").status_code == 204 and admin.patch(where, {"access": "operator"}).status_code == 200
