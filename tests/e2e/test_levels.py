# SPDX-License-Identifier: ISC
"""Every route for every level, from the table of routes; hidden objects get the same replies as unknown ones."""

import json
import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import cases_input
from parlour import wait_for
from test_admin_users import LEVELS, at_level
from test_people import word

ROWS = re.findall(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*(\w+),\s*(\w+),[^"]*?([\w|]+), [A-Z]+, \w+, "', cases_input.read("routes.def"), re.M)
NEEDS = {"USER": 0, "OPERATOR": 2, "ADMIN": 3}
NOWHERE = {"generation_id": uuid.UUID(int=0), "request_id": uuid.UUID(int=0), "job_id": uuid.UUID(int=0), "session_id": uuid.UUID(int=0),
           "layout_id": "nowhere", "provider": "openai", "username": "no.such.user", "user": 987654321, "token": "nothing"}
# What routes.def leaves to handlers; parlour-api(7) shows the same tables.
HANDLER_NEEDS = {(method, path): LEVELS.index(level.lower()) for method, path, level in re.findall(
    r'^LEVEL\((\w+),\s*"([^"]+)",\s*(\w+),\s*"\w*"\)', cases_input.read("levels.def"), re.M)}
WITHOUT = re.findall(r'^WITHOUT\((\w+),\s*"([^"]+)",\s*"(\w+)", "(\w*)"\)', cases_input.read("levels.def"), re.M)
NO_KEYS = {(method, path) for method, path, _, scope, _ in ROWS if scope == "LOGIN"}
ENDS_THE_CALLER = {"/api/auth/logout", "/api/auth/password"}


def filled(path, holes=None):
    return re.sub(r"\{(\w+)\}", lambda m: str({**NOWHERE, **(holes or {})}.get(m[1], 987654321)), path)


def rows_at_least():
    return [(method, path, who) for method, path, who, _, flags in ROWS if who in NEEDS and "OPERATOR" not in flags.split("|")
            and path not in ENDS_THE_CALLER]


@pytest.fixture(name="daemon", scope="module")
def fixture_daemon(shared):
    return shared


@pytest.fixture(name="staff", scope="module")
def fixture_staff(shared, rows):
    return {level: at_level(shared, rows, level) for level in LEVELS}


@pytest.fixture(name="examples", scope="module")
def fixture_examples(shared):
    """Returns valid bodies of all routes, from the examples of the description."""
    root, found = shared.get("/openapi.json").json(), {}
    for path, item in root["paths"].items():
        for method, op in item.items():
            media = op.get("requestBody", {}).get("content", {}).get("application/json", {}) if isinstance(op, dict) else {}
            if media:
                found[method.upper(), path] = media.get("example", next(iter(media.get("examples", {}).values()), {}).get("value", {}))
    return found


def request(user, method, path, body):
    """Sends a request as a user, or as a guest if `user` is the daemon."""
    body = body if method in ("POST", "PUT", "PATCH") else None
    return user.once(method, path, json=body) if hasattr(user, "register") else user.request(method, path, body)


def plain(answer, *marks):
    """Returns status and body without the parts that differ between two requests."""
    text = re.sub(r'"request_id":"[^"]*"', "", answer.text)
    for mark in marks:
        text = text.replace(str(mark), "ID")
    return answer.status_code, text


def test_the_table_is_read():
    assert len(ROWS) == len(cases_input.all_paths()) > 120, "each row was understood"
    assert {who for _, _, who, _, _ in ROWS} == {"ANY", "OPT", "USER", "OPERATOR", "ADMIN"}


@pytest.mark.parametrize("guest", ["off", "on"])
def test_without_a_token(parlour, guest):
    """Guests can use chat sessions and nothing else."""
    daemon = parlour(guest=guest, rate_login="10000/min")
    for method, path, _ in rows_at_least():
        answer = request(daemon, method, filled(path), {})
        assert answer.status_code == 401, (method, path, answer.text)
    assert request(daemon, "POST", "/api/sessions", {}).status_code == (201 if guest == "on" else 401)


def test_the_other_table_is_read():
    rows = cases_input.read("levels.def")
    assert len(HANDLER_NEEDS) == len(re.findall(r"^LEVEL\(", rows, re.M)) and len(WITHOUT) == len(re.findall(r"^WITHOUT\(", rows, re.M)) > 10
    who = {(method, path): who for method, path, who, _, _ in ROWS}
    assert {who[key] for key in HANDLER_NEEDS} == {"USER"} and {who[method, path] for method, path, _, _ in WITHOUT} == {"OPT"}


def test_levels_of_handlers(staff, examples):
    """With good requests, so that nothing else refuses them first."""
    for (method, path), need in HANDLER_NEEDS.items():
        for rank, level in enumerate(LEVELS):
            body = {} if path == "/api/invites" else examples.get((method, path), {})     # the example is an invite to a room
            answer = request(staff[level], method, filled(path), body)
            assert (answer.status_code == 403) == (rank < need), (level, method, path, answer.text)


def test_what_settings_allow_without_a_token(parlour, examples):
    """Routes with an optional token: 401, unless the setting of the table allows them."""
    daemon = parlour(guest="off", anonymous="", rate_login="10000/min", rate_ask="10000/min")
    rows = [(method, path) for method, path, who, _, _ in ROWS if who == "OPT"]
    for setting, word in sorted({(setting, word) for _, _, setting, word in WITHOUT} | {("guest", "off")}):
        daemon.configure(guest="on" if (setting, word) == ("guest", "") else "off", anonymous=word if setting == "anonymous" else "")
        daemon.reload()
        for method, path in rows:
            answer = request(daemon, method, filled(path), examples.get((method, path), {}))
            assert (answer.status_code != 401) == ((method, path, setting, word) in WITHOUT), (setting, word, method, path, answer.text)


def test_the_manual_has_the_tables(examples):
    """Every described route once, with its level, scope, and what allows it without a token."""
    with open(os.path.join(os.environ.get("PARLOUR_BUILD", cases_input.API + "../../.."), "man/parlour-api.7"), encoding="utf-8") as page:
        shown = re.findall(r"^\.It Ic (\w+) Pa (\S+)\n(\S+); key: (\S+); without a token: (.+)$", page.read(), re.M)
    level = {"ANY": "anybody", "OPT": "user"}
    want = {}
    for method, path, who, scope, flags in ROWS:
        need = HANDLER_NEEDS.get((method, path))
        settings = [setting for m, p, setting, _ in WITHOUT if (m, p) == (method, path)]
        key = {"NONE": "-", "ALL": "any", "LOGIN": "refused"}.get(scope, scope.lower().replace("_", "|"))
        if "HIDE" not in flags.split("|"):
            want[method, path] = (LEVELS[need] + "*" * (path == "/api/invites") if need else level.get(who, who.lower()), key,
                                  ", ".join(settings) or ("yes" if who == "ANY" else "no"))
    assert {(method, path): (who, key, without) for method, path, who, key, without in shown} == want
    assert len(shown) == len(want) > len(examples)


@pytest.mark.parametrize("level", LEVELS)
def test_with_a_level(staff, level):
    """Below the level of the row, a request gets 403, whatever it contains. From the level on, it does not get 403 for
    the level."""
    user, rank = staff[level], LEVELS.index(level)
    for method, path, who in rows_at_least():
        if NEEDS[who] <= rank:
            answer = request(user, method, filled(path), {})
            assert answer.status_code != 401, (method, path, answer.text)
            assert answer.status_code != 403 or rank < HANDLER_NEEDS.get((method, path), 0), (method, path, answer.text)
            continue
        seen = {plain(user.request(method, filled(path, {"user": name, "login_session_id": ident, "job_id": job}) + query, body))
                for name, ident, job in ((987654321, 1, uuid.uuid4()), (user.name, 987654321, "x"), ("a b", "x", "y"))
                for query in ("", "?limit=x") for body in (({}, {"access": 7}) if method in ("POST", "PATCH") else (None,))}
        assert len(seen) == 1 and next(iter(seen))[0] == 403, (method, path, seen)


@pytest.mark.parametrize("scope", ["read", "write", "chat", "v1"])
def test_keys_without_the_scope_are_no_admins(daemon, staff, scope):
    key = staff["admin"].post("/api/keys", {"name": word(), "scopes": [scope]}).json()["key"]
    for method, path, who in rows_at_least():
        if who != "USER":
            answer = daemon.once(method, filled(path), json={} if method in ("POST", "PATCH") else None, headers={"x-api-key": key})
            assert answer.status_code == 403, (method, path, answer.text)


def test_keys_with_the_scope_are_what_their_owners_are(daemon, staff):
    for level in LEVELS:
        key = staff[level].post("/api/keys", {"name": word(), "scopes": ["admin"]}).json()["key"]
        for method, path, who in rows_at_least():
            if who != "USER":
                answer = daemon.once(method, filled(path), json={} if method in ("POST", "PATCH") else None, headers={"x-api-key": key})
                refused = NEEDS[who] > LEVELS.index(level) or (method, path) in NO_KEYS
                assert (answer.status_code == 403) == refused, (level, method, path, answer.text)


def made(answer):
    assert answer.status_code == 201, answer.text
    return answer.json()


def hidden_things(owner, friend, rows):
    """Creates a private room of the owner with objects of all kinds: {placeholder: id}. Documents are visible to all
    users."""
    role = owner.role(upstream="local")
    room = owner.room(visibility="private", role_ids=[role["id"]])["id"]
    made(owner.post(f"/api/rooms/{room}/members", {"user_id": friend.id}))
    said = made(owner.say(room, "a secret question"))
    answer = wait_for(lambda: [m for m in owner.get(f"/api/rooms/{room}/messages").json() if m.get("generation_id")], 20)[0]
    made(friend.say(room, f"a secret for @{owner.name}"))
    noted = wait_for(lambda: owner.get("/api/notifications").json()["items"], 20)[0]
    session = made(owner.post("/api/sessions", {}))
    rows(f"INSERT INTO user_identities (user_id, issuer, subject, provider) VALUES ({owner.id}, 'https://id.example.org', '{owner.name}', 'nobody')")
    return {"room_id": room, "seq": said["seq"], "generation_id": answer["generation_id"], "session_id": session.get("session_id") or session["id"],
            "key_id": made(owner.post("/api/keys", {"name": word(), "scopes": ["read"]}))["id"],
            "login_session_id": owner.get("/api/auth/sessions").json()[0]["id"], "notification_id": noted["id"],
            "invite_id": made(owner.post("/api/invites", {"room_id": room}))["id"], "identity_id": owner.get("/api/profile/identities").json()[0]["id"],
            "feedback_id": made(owner.post("/api/feedback", {"target": {"kind": "message", "id": f"{room}.{answer['seq']}"}, "score": 1}))["id"],
            "request_id": made(owner.post("/api/feedback-requests", {
                "question": "a secret?", "channel": {"kind": "web", "destination": friend.name}}))["id"]}


@pytest.mark.parametrize("level", ["guest", "user"])
def test_what_is_hidden_does_not_exist(parlour, rows, examples, level):
    """A request with the id of a hidden object gets the reply for an unknown id. The other ids of the path are those of
    the owner both times."""
    daemon = parlour(guest="on", rate_login="10000/min")
    owner, friend = daemon.register(word()), daemon.register(word())
    other = daemon if level == "guest" else daemon.register(word())
    hidden, tried = hidden_things(owner, friend, rows), set()
    for method, path in cases_input.all_paths():
        holes = [hole for hole in re.findall(r"\{(\w+)\}", path) if hole in hidden]
        if not holes or path.startswith("/api/admin/"):
            continue
        body = examples.get((method, path), {})
        for hole in holes:
            absent = NOWHERE.get(hole, 987654321)
            there, nowhere = (request(other, method, filled(path, {**hidden, hole: ident}), body) for ident in (hidden[hole], absent))
            assert plain(there, hidden[hole], absent) == plain(nowhere, hidden[hole], absent), (method, path)
            assert there.status_code in (400, 401, 403, 404, 409, 422) and "secret" not in there.text, (method, path, there.text)
            assert level == "guest" or there.status_code != 401, (method, path)
            tried.add((hole, there.status_code))
    want = {"session_id"} if level == "guest" else set(hidden)
    assert {hole for hole, _ in tried} == set(hidden) and {hole for hole, status in tried if status == 404} == want
    for path in ("/api/rooms/{room_id}/messages/{seq}", "/api/auth/me", "/api/sessions/{session_id}", "/api/keys/{key_id}"):
        assert owner.get(filled(path, hidden)).status_code == 200, "nothing was changed"
    assert owner.get("/api/notifications").json()["items"][0]["read_at"] is None


# ---- two at the same time ----

@pytest.mark.parametrize("body", [{"access": "user"}, {"is_active": False}])
def test_two_admins_take_the_level_from_each_other(parlour, rows, body):
    """When two admins demote each other at the same time, one succeeds, and the other stays the last admin."""
    daemon = parlour(workers=2, rate_login="10000/min", watchdog="10min")
    rows("UPDATE users SET access = 'user' WHERE access = 'admin'")
    one, two = (at_level(daemon, rows, "admin") for _ in range(2))
    admins = lambda: rows("SELECT id FROM users WHERE access = 'admin' AND NOT disabled")  # noqa: E731
    for _ in range(10):
        with ThreadPoolExecutor(4) as pool:
            pairs = [(one, two), (two, one), (one, one), (two, two)]
            codes = list(pool.map(lambda pair: pair[0].patch(f"/api/admin/users/{pair[1].id}", body).status_code, pairs))
        left = admins()
        assert len(left) == 1 and set(codes) <= {200, 401, 403, 409}, (codes, left)
        rows(f"UPDATE users SET access = 'admin', disabled = false WHERE id IN ({one.id}, {two.id})")
        one, two = daemon.login(one.name), daemon.login(two.name)


def test_level_and_sockets_at_the_same_time(parlour, rows):
    """A user is disabled while logging in again and again: no login session and no socket remains."""
    daemon = parlour(workers=2, rate_login="10000/min", watchdog="10min")
    boss, user = at_level(daemon, rows, "operator"), daemon.register()
    socks = []

    def sign_in(_):
        answer = daemon.post("/api/auth/login", {"username": user.name, "password": user.password})
        if answer.status_code == 200:
            try:
                socks.append(daemon.ws(token=answer.json()["access_token"]))
            except Exception as why:            # pylint: disable=broad-exception-caught
                assert getattr(why, "status", None) == 401, why
        return answer.status_code

    with ThreadPoolExecutor(5) as pool:
        codes = pool.map(sign_in, range(24))
        assert boss.patch(f"/api/admin/users/{user.id}", {"is_active": False}).status_code == 200
        assert set(codes) <= {200, 401}
    assert rows(f"SELECT count(*) FROM login_sessions WHERE user_id = {user.id} AND ended_at IS NULL") == [(0,)]
    for sock in socks:
        assert sock.wait_closed() == 4410
        sock.drop()
    assert json.loads(daemon.post("/api/auth/login", {"username": user.name, "password": user.password}).text)["code"] != "mfa_required"
