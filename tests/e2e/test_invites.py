# SPDX-License-Identifier: ISC
"""Who may register, and invites: what they permit, who may create them, and how often they can be used."""

import contextlib
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

import cluster
from parlour import User, wait_for
from test_once import replies_lost  # noqa: F401  pylint: disable=unused-import
from usagedata import analyst, unique

PASSWORD = "correct horse 9"


def account(invite=None, name=None):
    name = name or "u" + unique()
    return {"username": name, "email": name + "@example.org", "password": PASSWORD, **({"invite": invite} if invite else {})}


def register(daemon, invite=None, name=None, **how):
    return daemon.post("/api/auth/register", account(invite, name), **how)


def newcomer(daemon, invite):
    answer = register(daemon, invite)
    assert answer.status_code == 201, answer.text
    return User(daemon, answer.json()["user"]["username"], PASSWORD, answer.json())


def give(user, **fields):
    """Creates an invite."""
    answer = user.post("/api/invites", fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/invites/{answer.json()['id']}"
    return answer.json()


def accept(user, token):
    return user.post("/api/invites/accept", {"token": token})


def is_field(answer, field):
    return answer.status_code == 422 and [e["loc"] for e in answer.json()["detail"]] == [["body", field]]


def state(user, invite):
    return user.get(f"/api/invites/{invite['id']}").json()["state"]


@pytest.fixture(name="by_invite")
def fixture_by_invite(parlour):
    """by_invite() starts a daemon where only users with an invite can register."""
    return lambda **settings: parlour(**{"registration": "invite", "rate_login": "100000/min", "rate_read": "off", **settings})


@pytest.fixture(name="staff", scope="module")
def fixture_staff():
    """staff(daemon, access) creates an account as an operator does, without registration."""
    def make(daemon, access="operator"):
        name = "s" + unique()
        said = daemon.ctl("user", "add", name, "--access", access).stdout
        return daemon.login(name, said.split("password: ")[1].strip())
    return make


# ---- modes ----

@pytest.mark.parametrize("mode, without, code", [("open", 201, None), ("invite", 403, "invite_required"), ("closed", 403, "registration_closed")])
def test_modes(parlour, staff, mode, without, code):
    daemon = parlour(registration=mode, rate_login="100000/min")
    answer = register(daemon)
    assert answer.status_code == without and answer.json().get("code") == code, answer.text
    if code:
        assert "ask" in answer.json()["detail"], "what to do"
    assert daemon.get("/", headers={"Accept": "application/json"}).json()["registration"] == mode
    token = give(staff(daemon))["token"]
    answer = register(daemon, token)
    assert answer.status_code == (403 if mode == "closed" else 201) and answer.json().get("code") == (code if mode == "closed" else None)
    answer = register(daemon, token)
    assert answer.json()["code"] == "registration_closed" if mode == "closed" else is_field(answer, "invite"), "one use"


def test_a_mode_by_reload(parlour):
    daemon = parlour(registration="closed")
    assert register(daemon).json()["code"] == "registration_closed"
    daemon.configure(registration="open")
    daemon.reload()
    wait_for(lambda: register(daemon).status_code == 201, 10, "registration is open")


def test_guests_as_before(parlour):
    for mode in ("open", "invite", "closed"):
        daemon = parlour(registration=mode, guest="on", anonymous="metrics")
        session = daemon.post("/api/sessions", {})
        assert session.status_code == 201 and daemon.get("/api/metrics").status_code == 200
        assert daemon.post("/api/chat", {"session_id": session.json()["session_id"], "message": "hello"}).status_code == 200


# ---- create ----

@pytest.mark.parametrize("body, fields", [
    ({"uses": 0}, ["uses"]), ({"uses": 10001}, ["uses"]), ({"uses": "many"}, ["uses"]), ({"uses": 1.5}, ["uses"]), ({"uses": -1}, ["uses"]),
    ({"expires_in": 59}, ["expires_in"]), ({"expires_in": 31536001}, ["expires_in"]), ({"expires_in": "1d"}, ["expires_in"]),
    ({"room_id": 0}, ["room_id"]), ({"room_id": "tea"}, ["room_id"]), ({"room_id": -1}, ["room_id"]),
    ({"level": "member"}, ["level"]), ({"level": "king", "room_id": 1}, ["level"]), ({"level": "admin", "room_id": 1}, ["level"]),
    ({"note": ""}, ["note"]), ({"note": "x" * 201}, ["note"]), ({"note": "a\u202eb"}, ["note"]), ({"note": 7}, ["note"]),
    ({"uses": 0, "expires_in": 1, "note": ""}, ["uses", "expires_in", "note"])])
def test_invites_that_are_refused(shared, ann, body, fields):
    answer = ann.post("/api/invites", body)
    assert answer.status_code == 422 and [e["loc"][1] for e in answer.json()["detail"]] == fields, answer.text


def test_what_is_shown_and_stored(parlour, rows):
    daemon = parlour(public_url="https://chat.example.org/")
    boss = analyst(daemon, rows, "operator")
    room = boss.room("Tea " + unique(), visibility="private")
    made = give(boss, uses=3, expires_in=3600, room_id=room["id"], level="moderator", note="for the new ones")
    assert len(made["token"]) == 40 and made["url"] == "https://chat.example.org/join/" + made["token"]
    shown = boss.get(f"/api/invites/{made['id']}").json()
    assert shown == {k: v for k, v in made.items() if k not in ("token", "url")}
    assert shown == {"id": made["id"], "state": "open", "creator_id": boss.id, "creator": boss.name, "room_id": room["id"], "level": "moderator",
                     "note": "for the new ones", "uses": 3, "used": 0, "created_at": shown["created_at"], "expires_at": shown["expires_at"]}
    assert boss.get("/api/invites").json() == [shown]
    assert rows(f"SELECT encode(token_hash, 'hex'), round(extract(epoch FROM expires_at - created_at)) FROM invites WHERE id = {made['id']}") == \
        [(hashlib.sha256(made["token"].encode()).hexdigest(), 3600)]
    plain = give(boss)
    assert (plain["uses"], plain["room_id"], plain["level"], plain["note"]) == (1, None, None, None)
    assert round((rows(f"SELECT extract(epoch FROM expires_at - created_at) FROM invites WHERE id = {plain['id']}")[0][0])) == 604800
    newcomer(daemon, plain["token"])
    everything = str(rows("SELECT a.* FROM audit a") + rows("SELECT i.* FROM invites i") + rows("SELECT k.body FROM idempotency_keys k"))
    daemon.get("/join/" + made["token"])
    assert made["token"] not in everything and made["token"] not in daemon.log_text()
    assert [row[0] for row in rows(f"SELECT action FROM audit WHERE target = 'invite:{plain['id']}' ORDER BY id")] == ["invite created", "invite used"]


@pytest.mark.parametrize("least", ["user", "analyst", "operator", "admin"])
def test_who_may_invite_to_the_server(by_invite, staff, least):
    daemon, order = by_invite(invite_access=least), ["user", "analyst", "operator", "admin"]
    for access in order:
        answer = staff(daemon, access).post("/api/invites", {})
        assert answer.status_code == (201 if order.index(access) >= order.index(least) else 403), access
        if answer.status_code == 201:
            newcomer(daemon, answer.json()["token"])


def test_levels(parlour, rows):
    """For each room level and access level: into which level somebody may invite; a hidden room gets the reply for an
    unknown one."""
    daemon = parlour(rate_login="100000/min")
    owner, moderator, member, stranger, admin = (daemon.register() for _ in range(5))
    rows(f"UPDATE users SET access = 'admin' WHERE id = {admin.id}")
    admin = daemon.login(admin.name)
    room = owner.room(visibility="private")["id"]
    for user, level in ((moderator, "moderator"), (member, "member")):
        assert owner.post(f"/api/rooms/{room}/members", {"user_id": user.id, "level": level}).status_code == 201
    for user, codes in ((owner, (201, 201, 201)), (moderator, (201, 201, 403)), (member, (403, 403, 403)), (stranger, (404, 404, 404)), (admin, (201, 201, 201))):
        got = tuple(user.post("/api/invites", {"room_id": room, "level": level}).status_code for level in ("member", "moderator", "owner"))
        assert got == codes, user.name
    hidden, absent = (stranger.post("/api/invites", {"room_id": number}).json() for number in (room, 987654321))
    assert {k: v for k, v in hidden.items() if k != "request_id"} == {k: v for k, v in absent.items() if k != "request_id"}
    public = owner.room()["id"]
    assert stranger.post("/api/invites", {"room_id": public}).status_code == 403
    assert stranger.post("/api/invites", {}).status_code == 403, "below invite_access"
    rows(f"UPDATE rooms SET archived = true WHERE id = {public}")
    assert owner.post("/api/invites", {"room_id": public}).json()["code"] == "archived"


def test_as_many_as_are_allowed(parlour, rows):
    daemon = parlour(invites_per_user="2", rate_login="100000/min")
    boss = analyst(daemon, rows, "operator")
    first, second = give(boss), give(boss)
    assert boss.post("/api/invites", {}).status_code == 409
    assert boss.delete(f"/api/invites/{first['id']}").status_code == 204
    give(boss)
    assert boss.post("/api/invites", {}).status_code == 409
    newcomer(daemon, second["token"])
    give(boss)


# ---- lists ----

def test_lists_and_revoking(parlour, rows):
    daemon = parlour(rate_login="100000/min")
    ann, bob, admin = analyst(daemon, rows, "operator"), analyst(daemon, rows, "operator"), analyst(daemon, rows, "admin")
    his = give(bob)
    mine = [give(ann, note=f"number {i}")["id"] for i in range(5)]
    assert [i["id"] for i in ann.get("/api/invites").json()] == mine[::-1]
    first = ann.get("/api/invites?limit=2")
    assert [i["id"] for i in first.json()] == mine[:2:-1]
    link = first.headers["Link"].split(">")[0][1:]
    assert [i["id"] for i in ann.get(link).json()] == mine[2:0:-1]
    page = ann.get("/api/invites?page=2&page_size=2").json()
    assert (page["total"], page["page"], [i["id"] for i in page["items"]]) == (5, 2, mine[2:0:-1])
    assert {his["id"], *mine} <= {i["id"] for i in admin.get("/api/invites?limit=200").json()}
    for method in ("GET", "DELETE"):
        there, nowhere, odd = (bob.request(method, f"/api/invites/{number}") for number in (mine[0], 987654321, "x"))
        assert there.status_code == nowhere.status_code == odd.status_code == 404
        assert sorted(there.headers) == sorted(nowhere.headers)
    assert state(ann, {"id": mine[0]}) == "open"
    for _ in range(2):
        assert ann.delete(f"/api/invites/{mine[0]}").status_code == 204
    assert admin.delete(f"/api/invites/{mine[1]}").status_code == 204
    assert [state(ann, {"id": i}) for i in mine] == ["revoked", "revoked", "open", "open", "open"]
    assert rows(f"SELECT actor_id FROM audit WHERE action = 'invite revoked' AND target IN ('invite:{mine[0]}', 'invite:{mine[1]}') ORDER BY id") == \
        [(ann.id,), (admin.id,)]
    for path in ("/api/invites", f"/api/invites/{mine[0]}"):
        assert daemon.get(path).status_code == 401
    assert daemon.post("/api/invites/accept", {"token": "x"}).status_code == 401


# ---- use ----

def test_an_account_joins(shared, ann, bob, rows):
    room = ann.room("Tea " + unique(), visibility="private")
    invite = give(ann, room_id=room["id"], uses=2)
    token = invite["token"]
    said = shared.post("/api/invites/look", {"token": token}).json()
    assert said == {"creator": ann.name, "creator_name": None, "room": room["name"], "level": "member", "registers": True, "expires_at": invite["expires_at"]}
    assert bob.get(f"/api/rooms/{room['id']}").status_code == 404 and bob.post(f"/api/rooms/{room['id']}/join").status_code == 404
    with ann.ws() as sock, bob.ws() as mine:
        sock.send("subscribe", topic=f"room:{room['id']}")
        sock.expect("subscribed")
        mine.send("subscribe", topic="user:me")
        mine.expect("subscribed")
        for _ in range(2):
            answer = accept(bob, token)
            assert answer.status_code == 200 and (answer.json()["id"], answer.json()["level"], answer.json()["members"]) == (room["id"], "member", 2), answer.text
        assert sock.expect("joined")["body"]["user_id"] == bob.id
        assert mine.expect("joined")["room_id"] == room["id"]
    assert ann.get(f"/api/invites/{invite['id']}").json()["used"] == 1, "a repetition is no second use"
    assert accept(ann, token).status_code == 200 and ann.get(f"/api/rooms/{room['id']}").json()["level"] == "owner", "members stay what they are"
    assert ann.delete(f"/api/rooms/{room['id']}/members/{bob.id}").status_code == 204
    assert is_field(accept(bob, token), "token"), "who was removed does not come back with the same invite"
    other = shared.register()
    assert accept(other, token).status_code == 200 and state(ann, invite) == "used"
    assert accept(other, token).status_code == 200, "the last use, once more"
    assert is_field(accept(shared.register(), token), "token")
    assert shared.post("/api/invites/look", {"token": token}).status_code == 404
    assert rows(f"SELECT kind, actor_id FROM room_changes WHERE room_id = {room['id']} ORDER BY seq") == \
        [("joined", ann.id), ("joined", bob.id), ("left", ann.id), ("joined", other.id)]


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "x" * 201}, {"token": 7}, {"token": None}, {"token": "x"}, {"token": "0" * 40}])
def test_tokens_that_are_none(shared, ann, body):
    assert is_field(ann.post("/api/invites/accept", body), "token")
    answer = shared.post("/api/invites/look", body)
    assert answer.status_code == 404 if body.get("token") in ("x", "0" * 40) else is_field(answer, "token")
    if isinstance(body.get("token"), str):
        assert is_field(register(shared, body["token"] or "é" * 200 + "x"), "invite")


def test_register_into_a_room(by_invite, staff, rows):
    daemon = by_invite()
    boss = staff(daemon)
    room = boss.room("Tea " + unique(), visibility="private")
    invite = give(boss, room_id=room["id"], level="moderator")
    with boss.ws() as sock:
        sock.send("subscribe", topic=f"room:{room['id']}")
        sock.expect("subscribed")
        answer = register(daemon, invite["token"])
        assert answer.status_code == 201 and answer.json()["room_id"] == room["id"], answer.text
        user = User(daemon, answer.json()["user"]["username"], PASSWORD, answer.json())
        assert sock.expect("joined")["body"]["user_id"] == user.id
    assert user.get(f"/api/rooms/{room['id']}").json()["level"] == "moderator"
    assert "room_id" not in daemon.post("/api/auth/login", {"username": user.name, "password": PASSWORD}).json()
    assert rows(f"SELECT user_id, registered FROM invite_uses WHERE invite_id = {invite['id']}") == [(user.id, True)]


def test_a_taken_name_uses_nothing(by_invite, staff):
    daemon = by_invite()
    boss = staff(daemon)
    invite = give(boss)
    assert register(daemon, invite["token"], boss.name).json()["code"] == "taken"
    assert register(daemon, invite["token"], "x" * 33).status_code == 422
    assert boss.get(f"/api/invites/{invite['id']}").json()["used"] == 0
    newcomer(daemon, invite["token"])


def test_moderators_invite_only_those_who_have_an_account(by_invite, staff):
    """Everybody can create a room and then owns it; that does not circumvent invite_access."""
    daemon = by_invite()
    user, other = staff(daemon, "user"), staff(daemon, "user")
    room = user.room(visibility="private")["id"]
    invite = give(user, room_id=room)
    assert daemon.post("/api/invites/look", {"token": invite["token"]}).json()["registers"] is False
    answer = register(daemon, invite["token"])
    assert is_field(answer, "invite") and "have an account" in answer.text
    assert accept(other, invite["token"]).status_code == 200


def test_an_invite_without_a_room(shared, rows, ann):
    boss = analyst(shared, rows, "operator")
    answer = accept(ann, give(boss)["token"])
    assert is_field(answer, "token") and "new account" in answer.text


VOID = {
    "demoted": lambda rows, user, room: rows(f"UPDATE members SET level = 'member' WHERE room_id = {room} AND user_id = {user.id}"),
    "removed": lambda rows, user, room: rows(f"DELETE FROM members WHERE room_id = {room} AND user_id = {user.id}"),
    "disabled": lambda rows, user, room: rows(f"UPDATE users SET disabled = true WHERE id = {user.id}"),
    "archived": lambda rows, user, room: rows(f"UPDATE rooms SET archived = true WHERE id = {room}"),
    "expired": lambda rows, user, room: rows(f"UPDATE invites SET expires_at = clock_timestamp() WHERE room_id = {room}"),
    "revoked": lambda rows, user, room: rows(f"UPDATE invites SET revoked_at = clock_timestamp() WHERE room_id = {room}"),
    "deleted": lambda rows, user, room: rows(f"DELETE FROM rooms WHERE id = {room}"),
}


@pytest.mark.parametrize("case", list(VOID))
def test_invites_that_are_void(shared, ann, bob, rows, case):
    """Each use of an invite checks the current rights of its creator."""
    moderator = shared.register()
    room = ann.room(visibility="private")["id"]
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": moderator.id, "level": "moderator"}).status_code == 201
    token = give(moderator, room_id=room, uses=5)["token"]
    assert accept(bob, token).status_code == 200
    VOID[case](rows, moderator, room)
    assert is_field(accept(shared.register(), token), "token")
    assert is_field(register(shared, token), "invite")
    assert shared.post("/api/invites/look", {"token": token}).status_code == 404
    if case in ("demoted", "removed", "archived"):
        assert state(moderator, moderator.get("/api/invites").json()[0]) == "void"


@pytest.mark.parametrize("how", ["access = 'user'", "disabled = true"])
def test_server_invites_that_are_void(by_invite, staff, rows, how):
    daemon = by_invite()
    boss = staff(daemon, "operator")
    token = give(boss, uses=5)["token"]
    newcomer(daemon, token)
    rows(f"UPDATE users SET {how} WHERE id = {boss.id}")
    assert is_field(register(daemon, token), "invite")


# ---- exactly ----

def test_a_hundred_at_once(by_invite, staff, rows):
    """With uses = 3, exactly 3 of 100 registrations in two workers succeed."""
    daemon = by_invite(workers=2, hashers=2, hasher_queue=200)
    boss = staff(daemon)
    room = boss.room(visibility="private")["id"]
    invite = give(boss, uses=3, room_id=room)
    with ThreadPoolExecutor(25) as pool:
        codes = sorted(answer.status_code for answer in pool.map(lambda i: register(daemon, invite["token"]), range(100)))
    assert codes == [201] * 3 + [422] * 97
    assert rows(f"SELECT uses, (SELECT count(*) FROM invite_uses u WHERE u.invite_id = i.id), (SELECT count(*) FROM members m WHERE m.room_id = {room}) "
                f"FROM invites i WHERE id = {invite['id']}") == [(3, 3, 4)]


def test_accepting_at_once(shared, ann, rows):
    """Different users, and one user twice, accept while the invite is revoked: each counted use has a member."""
    users = [shared.register() for _ in range(8)]
    room = ann.room(visibility="private")["id"]
    invite = give(ann, uses=4, room_id=room)
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda user: accept(user, invite["token"]).status_code, users + users))
    assert set(codes) == {200, 422}
    assert rows(f"SELECT uses, (SELECT count(*) FROM members m WHERE m.room_id = {room}) FROM invites WHERE id = {invite['id']}") == [(4, 5)]


def test_workers_killed_in_between(by_invite, staff, rows):
    """After kill -9 during registrations, each use has its account and each account its use; a repetition with the key
    returns the same account."""
    daemon = by_invite(workers=2, hashers=2, hasher_queue=200)
    boss = staff(daemon)
    room = boss.room(visibility="private")["id"]
    invite = give(boss, uses=40, room_id=room)
    people = [account(invite["token"]) for _ in range(40)]

    def enter(body):
        headers = {"Idempotency-Key": secrets.token_hex(12)}

        def attempt():
            with contextlib.suppress(httpx.HTTPError):
                answer = daemon.once("POST", "/api/auth/register", json=body, headers=headers)
                return answer if answer.status_code in (201, 422) else None
            return None
        return wait_for(attempt, 60, "an answer")

    with ThreadPoolExecutor(8) as pool:
        coming = [pool.submit(enter, body) for body in people]
        for round_ in range(3):
            wait_for(lambda round_=round_: rows(f"SELECT uses FROM invites WHERE id = {invite['id']}")[0][0] > 5 * round_, 60, "some came")
            for pid in daemon.workers().values():
                daemon.kill_child(pid)
            daemon.workers(2)
        answers = [one.result() for one in coming]
    assert {a.status_code for a in answers} == {201}, [a.text for a in answers if a.status_code != 201]
    assert len({a.json()["user"]["id"] for a in answers}) == 40
    assert rows(f"SELECT uses, (SELECT count(*) FROM invite_uses u WHERE u.invite_id = i.id), (SELECT count(*) FROM members m WHERE m.room_id = {room}) "
                f"FROM invites i WHERE id = {invite['id']}") == [(40, 40, 41)]


def test_a_use_and_a_revocation_at_the_same_time(shared, ann, bob, pg, database):
    """A use waits for a revocation that came first, and is then refused."""
    room = ann.room(visibility="private")["id"]
    invite = give(ann, room_id=room, uses=2)
    with psycopg.connect(pg.dsn(database, cluster.OWNER)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT invite_revoke(%s, NULL)", (invite["id"],))
        later = pool.submit(accept, bob, invite["token"])
        with psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as look:
            wait_for(lambda: look.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
                                          "AND query LIKE '%invite_accept%'").fetchone()[0], 10, "the use waits")
        other.commit()
        assert is_field(later.result(), "token")
    assert is_field(accept(shared.register(), invite["token"]), "token")


# ---- Idempotency-Key ----

def test_a_key_makes_one_invite(parlour, rows, replies_lost):  # noqa: F811
    daemon = parlour(workers=2, rate_login="100000/min")
    daemon.expect_error("broken on purpose")
    boss = analyst(daemon, rows, "operator")
    headers = {"Idempotency-Key": secrets.token_hex(12)}
    first, second = (boss.post("/api/invites", {"uses": 2}, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    headers = {"Idempotency-Key": secrets.token_hex(12)}
    with replies_lost():
        lost = boss.post("/api/invites", {"uses": 2}, headers=headers)
    again = boss.post("/api/invites", {"uses": 2}, headers=headers)
    assert again.status_code == 201 and len(boss.get("/api/invites").json()) == 2
    assert daemon.post("/api/invites/look", {"token": again.json()["token"]}).status_code == 200, "the token of the last reply is good"
    assert lost.status_code in (201, 500, 503)


def test_a_key_uses_an_invite_once(by_invite, staff, rows, replies_lost):  # noqa: F811
    daemon = by_invite(workers=2)
    daemon.expect_error("broken on purpose")
    boss = staff(daemon)
    invite = give(boss, uses=3)
    body, headers = account(invite["token"]), {"Idempotency-Key": secrets.token_hex(12)}
    with replies_lost():
        daemon.post("/api/auth/register", body, headers=headers)
    ids = {daemon.post("/api/auth/register", body, headers=headers).json()["user"]["id"] for _ in range(2)}
    assert len(ids) == 1 and boss.get(f"/api/invites/{invite['id']}").json()["used"] == 1
    assert boss.delete(f"/api/invites/{invite['id']}").status_code == 204
    assert daemon.post("/api/auth/register", body, headers=headers).json()["user"]["id"] in ids, "the key is older than that"


# ---- the page ----

def test_the_page_is_the_same_for_every_token(shared, ann):
    room = ann.room()["id"]
    invite = give(ann, room_id=room)
    pages = [shared.get("/join/" + token) for token in (invite["token"], "0" * 40, "x")]
    assert len({(p.status_code, p.text, p.headers["Content-Security-Policy"]) for p in pages}) == 1 and pages[0].status_code == 200
    assert "frame-ancestors 'none'" in pages[0].headers["Content-Security-Policy"] and 'content="no-referrer"' in pages[0].text
    assert ann.get(f"/api/invites/{invite['id']}").json()["used"] == 0
    assert shared.get("/join/x", headers={"If-None-Match": pages[0].headers["ETag"]}).status_code == 304
    assert shared.get("/join").status_code == shared.get("/join/a/b").status_code == 404


# ---- parlourctl ----

def test_parlourctl_invite(by_invite, rows):
    daemon = by_invite(public_url="https://chat.example.org/")
    said = daemon.ctl("invite", "create").stdout
    number, link = said.split()[1], said.splitlines()[1]
    assert link.startswith("https://chat.example.org/join/")
    user = newcomer(daemon, link.split("/")[-1])
    room = user.room("Tea", visibility="private")["id"]
    said = daemon.ctl("invite", "create", "--uses", "2", "--expires-in", "3600", "--room", str(room), "--level", "moderator", "--note", " for Ann ").stdout
    other = newcomer(daemon, said.splitlines()[1].split("/")[-1])
    assert other.get(f"/api/rooms/{room}").json()["level"] == "moderator"
    table = daemon.ctl("invite", "list").stdout.splitlines()
    assert [line.split()[1] for line in table[:3]] == ["STATE", "open", "used"] and "1 of 2" in table[1] and "for Ann" in table[1] and "(operator)" in table[1]
    for _ in range(2):
        assert f"invite {said.split()[1]} revoked" in daemon.ctl("invite", "revoke", said.split()[1]).stdout
    assert is_field(register(daemon, said.splitlines()[1].split("/")[-1]), "invite")
    assert rows(f"SELECT action, actor_id FROM audit WHERE target = 'invite:{said.split()[1]}' ORDER BY id") == \
        [("invite created", 0), ("invite used", other.id), ("invite revoked", 0)]
    assert number in daemon.ctl("invite", "list").stdout


@pytest.mark.parametrize("words, status", [
    ((), 64), (("make",), 64), (("create", "x"), 64), (("create", "--uses", "0"), 64), (("create", "--uses", "10001"), 64), (("create", "--uses", "x"), 64),
    (("create", "--expires-in", "59"), 64), (("create", "--expires-in", "31536001"), 64), (("create", "--level", "member"), 64),
    (("create", "--room", "1", "--level", "king"), 64), (("create", "--room", "x"), 64), (("create", "--room", "987654321"), 65),
    (("create", "--note", ""), 65), (("create", "--note", "x" * 201), 65), (("list", "x"), 64), (("list", "--uses", "1"), 64), (("revoke",), 64),
    (("revoke", "x"), 64), (("revoke", "987654321"), 65), (("revoke", "1", "2"), 64)])
def test_parlourctl_invite_refuses(shared, words, status):
    done = shared.ctl("invite", *words, check=False)
    assert done.returncode == status and done.stderr, done.stdout + done.stderr
