# SPDX-License-Identifier: ISC
"""Operators and admins see which limits delay users, reset limits, and see the settings of the running server."""

import pytest

from parlour import wait_for
from test_admin_users import at_level
from test_people import word

LIMITS = "/api/admin/limits"                        # covers: GET /api/admin/limits
RESET = LIMITS + "/reset"                           # covers: POST /api/admin/limits/reset
SETTINGS = "/api/admin/settings"                    # covers: GET /api/admin/settings
HERE = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(name="daemon")
def fixture_daemon(parlour):
    return parlour(workers=2, rate_login="10000/min", rate_send="5/h", rate_guest="3/h", lockout_attempts=3, lockout_time="1h",
                   watchdog="10min")


def fields(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def limits(boss, query=""):
    answer = boss.get(LIMITS + query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def of(boss, query, klass):
    return [row for row in limits(boss, query) if row["class"] == klass]


def lock_out(daemon, rows, user):
    state = lambda: rows(f"SELECT failures, locks FROM login_locks WHERE user_id = {user.id}")  # noqa: E731
    for _ in range(3):
        before = state()
        assert daemon.post("/api/auth/login", {"username": user.name, "password": "wrong password"}, headers=HERE).status_code == 401
        wait_for(lambda: state() != before)             # pylint: disable=cell-var-from-loop
    assert state() == [(0, 1)]


def test_a_rate_of_a_user(daemon, rows):
    boss, user = at_level(daemon, rows, "operator"), daemon.register()
    room = user.room()["id"]
    assert of(boss, f"?user={user.name}", "send") == []
    sent = [user.post(f"/api/rooms/{room}/messages", {"content": "x"}).status_code for _ in range(6)]
    assert sent == [201] * 5 + [429]
    one = of(boss, f"?user={user.name}", "send")
    assert fields(one, "kind", "user_id", "username", "address", "limit", "remaining") == [
        ("rate", user.id, user.name, None, "5 per 1 hour", 0)]
    assert fields(of(boss, f"?user={user.id}", "send"), "until", "remaining")[0][1] == 0
    wait_for(lambda: fields(of(boss, "", "send"), "user_id", "refused") == [(user.id, 1)], 30, "the clerk has gathered the refusal")
    assert boss.post(RESET, {"user": user.name}).json()["rates"] >= 1
    assert of(boss, f"?user={user.name}", "send") == [], "also in the list of those who were refused"
    assert user.post(f"/api/rooms/{room}/messages", {"content": "x"}).status_code == 201
    assert of(boss, f"?user={user.name}", "send")[0]["remaining"] == 4
    assert rows(f"SELECT actor_id FROM audit WHERE action = 'limits reset' AND target = 'user:{user.id}'") == [(boss.id,)]


def test_a_lock_out(daemon, rows):
    boss, user = at_level(daemon, rows, "operator"), daemon.register()
    lock_out(daemon, rows, user)
    want = [("lockout", None, user.name, "192.0.2.0/24", 1)]
    for query in ("", f"?user={user.name.upper()}", "?address=192.0.2.7", "?address=192.0.2.0/24"):
        found = [row for row in limits(boss, query) if row["kind"] == "lockout"]
        assert fields(found, "kind", "class", "username", "address", "refused") == want, query
    assert [row for row in limits(boss, "?address=198.51.100.7") if row["kind"] == "lockout"] == []
    for good in ("unix", "::1", "2001:db8::/64", "::ffff:192.0.2.7", "10.0.0.0/8", "0.0.0.0/0"):
        limits(boss, f"?address={good}")
    for bad in ("300.1.2.3", "a:b", "::ffff:999.1.1.1", "here", "1.2.3", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/024", "::/-0", "::/",
                "unix/8", "/8", "::1%25lo", "1.2.3.4/2/2"):
        answer = boss.get(LIMITS + f"?address={bad}")
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", "address"], (bad, answer.text)
        assert answer.json()["detail"][0]["msg"] == "must be an IPv4 or IPv6 address, a network, or unix"
    assert boss.post(RESET, {"user": str(user.id)}).json()["lockouts"] == 1
    assert [row for row in limits(boss) if row["kind"] == "lockout"] == []
    assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}, headers=HERE).status_code == 200


def test_rates_of_an_address(parlour, rows):
    daemon = parlour(rate_login="20/h")
    boss = at_level(daemon, rows, "operator")
    user = daemon.register()
    for _ in range(2):
        assert daemon.post("/api/auth/login", {"username": user.name, "password": user.password}, headers=HERE).status_code == 200
    one = of(boss, "?address=192.0.2.7", "login")
    assert fields(one, "kind", "user_id", "address", "limit") == [("rate", None, "192.0.2.7", "20 per 1 hour")] and one[0]["remaining"] == 18
    assert boss.post(RESET, {"address": "192.0.2.7"}).json() == {"lockouts": 0, "rates": 1}
    assert of(boss, "?address=192.0.2.7", "login") == []
    assert boss.post(RESET, {"address": "192.0.2.7"}).json() == {"lockouts": 0, "rates": 0}


@pytest.mark.parametrize("rate_key, of_the_other", [("off", []), ("30/h", ["30 per 1 hour"])])
def test_rates_of_a_key(parlour, rows, rate_key, of_the_other):
    """A key has its own rate, even if the rate of the class is off. The list without a filter by user contains keys of
    users whom the class refused."""
    daemon = parlour(rate_key=rate_key)
    boss, user, other = at_level(daemon, rows, "operator"), daemon.register(), daemon.register()
    make = lambda of, **more: of.post("/api/keys", {"name": word(), "scopes": ["read"], **more}).json()  # noqa: E731
    key, expired, plain, quiet = make(user, rate="2/h"), make(user, rate="7/h"), make(user), make(other, rate="5/h")
    use = lambda key: daemon.get("/api/rooms", headers={"Authorization": f"Bearer {key['key']}"}).status_code  # noqa: E731
    assert [use(one) for one in (key, key, key, expired, plain, quiet)] == [200, 200, 429, 200, 200, 200]
    rows(f"UPDATE login_sessions SET expires_at = clock_timestamp() - interval '1 s' WHERE id = {expired['id']}")
    mine = lambda query: sorted(row for row in fields(of(boss, query, "key"), "key_id", "user_id", "username", "limit", "remaining")  # noqa: E731
                                if row[0] == key["id"] or query)
    want = [(key["id"], user.id, user.name, "2 per 1 hour", 0)]
    assert mine(f"?user={user.name}")[:1] == want and [row[3] for row in mine(f"?user={user.name}")[1:]] == of_the_other
    assert mine(f"?user={other.id}") == [(quiet["id"], other.id, other.name, "5 per 1 hour", 4)]
    wait_for(lambda: mine("") == want, 30, "the clerk has gathered the refusal")
    assert {row["refused"] for row in of(boss, f"?user={user.name}", "key")} == {1}, "of all keys of the user"
    listed = {row["key_id"] for row in of(boss, "", "key")}
    assert listed.isdisjoint({expired["id"], quiet["id"]}), "not of a user who was not refused"
    assert boss.post(RESET, {"user": user.name}).json()["rates"] >= 1 + len(of_the_other)
    assert of(boss, f"?user={user.name}", "key") == [] and mine("") == []
    assert use(key) == 200


@pytest.mark.parametrize("body, loc", [({}, "user"), ({"user": "a", "address": "::1"}, "address"), ({"address": "here"}, "address"),
                                       ({"address": "1.2.3"}, "address"), ({"address": "192.0.2.0/24"}, "address"), ({"user": 7}, "user")])
def test_bad_resets(shared, rows, body, loc):
    answer = at_level(shared, rows, "operator").post(RESET, body)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", loc]


def test_whose_limits(shared, rows):
    boss, peer = at_level(shared, rows, "operator"), at_level(shared, rows, "operator")
    assert boss.post(RESET, {"user": peer.name}).status_code == 403
    assert boss.post(RESET, {"user": "nobody.here"}).status_code == 404
    assert limits(boss, "?user=nobody.here") == []
    assert boss.get(LIMITS + f"?user={peer.name}&address=::1").status_code == 422
    assert boss.post(RESET, {"address": "2001:db8::1"}).status_code == boss.post(RESET, {"address": "unix"}).status_code == 200


# ---- settings ----

def test_settings(parlour, rows):
    daemon = parlour(rate_send="7/min", smtp_password="hidden-word-1", slack_webhook="https://hooks.example.org/hidden-word-2",
                     workers=2, upstreams={"small": {"url": "http://127.0.0.1:1/v1", "key": "hidden-word-3"}}, start=False,
                     public_url="https://chat.example.org")
    daemon.oidc = {"main": {"issuer": "https://id.example.org", "client_id": "parlour", "client_secret": "hidden-word-4"}}
    daemon.write_config()
    daemon.start()
    admin, operator = at_level(daemon, rows, "admin"), at_level(daemon, rows, "operator")
    answer = admin.get(SETTINGS)
    found = {row["name"]: row for row in answer.json()}
    assert "hidden-word" not in answer.text and daemon.dsn not in answer.text
    assert found["db"]["value"] == found["smtp_password"]["value"] == found["llm.small.key"]["value"] == "(secret)"
    assert found["oidc.main.client_secret"]["value"] == "(secret)" and found["oidc.main.issuer"]["origin"] is None
    assert (found["oidc.main.issuer"]["value"], found["oidc.main.client_id"]["value"]) == ("https://id.example.org", "parlour")
    assert (found["rate_send"]["value"], found["rate_send"]["reload"]) == ("7/min", True)
    assert ".conf:" in found["rate_send"]["origin"] and found["password_min"]["origin"] == "default"
    assert found["llm.small.url"]["value"] == "http://127.0.0.1:1/v1" and found["workers"]["reload"] is False
    assert operator.get(SETTINGS).status_code == 403 and daemon.get(SETTINGS).status_code == 401
    daemon.configure(rate_send="9/min")
    daemon.reload()
    for slot in (0, 1):
        with daemon.only_worker(slot):
            row = {row["name"]: row for row in daemon.once("GET", SETTINGS, headers=admin.auth).json()}
            assert row["rate_send"]["value"] == "9/min" and ".conf:" in row["rate_send"]["origin"]
            assert row["password_min"]["origin"] == "default" and row["db"]["value"] == "(secret)"


# ---- the audit trail as CSV, as clients ask for it ----

@pytest.mark.parametrize("accept, query, kind", [("text/csv", "", "text/csv"), ("text/csv, application/json", "", "application/json"),
                                                 ("*/*", "", "application/json"), ("application/json", "&format=csv", "text/csv"),
                                                 ("text/csv", "&format=json", "application/json")])
def test_the_trail_by_accept(shared, rows, accept, query, kind):
    boss = at_level(shared, rows, "operator")
    answer = boss.get(f"/api/admin/audit?limit=3{query}", headers={"Accept": accept})
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith(kind)


def test_no_formulas_in_the_trail(shared, rows):
    """The audit trail as CSV contains no formulas, although a request id is a text of the client."""
    boss, user = at_level(shared, rows, "operator"), shared.register(word())
    rows("INSERT INTO audit (actor_id, action, target, address, request_id) VALUES "
         f"({user.id}, 'login', 'user:{user.id}', '=cmd|x', '+1+1'), ({user.id}, 'login', 'user:{user.id}', '@x', '-1')")
    text = boss.get(f"/api/admin/audit?subject=user:{user.id}&format=csv").text
    assert ",'=cmd|x,'+1+1," in text and ",'@x,'-1," in text
