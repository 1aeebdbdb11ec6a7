# SPDX-License-Identifier: ISC
"""The user directory, user names where requests take an id, and display names that look like names of others."""

import secrets
import threading

import psycopg
import pytest

import cluster
from parlour import User, wait_for
from test_rooms import link_next


def word(begin="n"):
    """Returns a word of letters that no other name of the suite contains or resembles."""
    return begin + "".join(secrets.choice("bcdfghjklmnpqrstvwxz") for _ in range(9))


def called(api, display, name=None):
    """Registers a user with this display name."""
    name = name or word("u")
    answer = api.post("/api/auth/register", {"username": name, "email": name + "@example.org", "password": "correct horse 9", "name": display})
    assert answer.status_code == 201, answer.text
    return User(api, name, "correct horse 9", answer.json())


def found(user, query, **more):
    answer = user.get("/api/users", params={**({"query": query} if query else {}), **more})
    assert answer.status_code == 200, answer.text
    return [person["username"] for person in answer.json()]


def admin(api, rows):
    user = api.register()
    rows(f"UPDATE users SET access = 'admin' WHERE id = {user.id}")
    return api.login(user.name)


@pytest.fixture(name="all_see", scope="module")
def fixture_all_see(request, workdir):
    """Starts a daemon with user_directory = all."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(user_directory="all")
    finish(made, request.session.testsfailed > 0)


# ---- finding ----

def test_what_a_query_finds(all_see):
    """A search finds user names and display names by their beginning, by a word, and in similar spelling, the best
    match first; it never shows addresses."""
    one, two = word(), word("q")
    exact = all_see.register(one)
    longer = all_see.register(one + "longer")
    first = called(all_see, one.upper() + " Smith")
    last = called(all_see, "Eve " + one)
    other = called(all_see, f"Somebody Else {two}")
    assert found(exact, one) == [exact.name, longer.name, first.name, last.name]
    assert found(exact, one.upper()) == found(exact, "@" + one) == found(exact, f"  {one} ")[:4]
    assert found(exact, one[:-1] + "y")[:1] == [exact.name], "written alike"
    assert found(exact, two) == [other.name] and found(exact, two[:7]) == [other.name]
    assert found(exact, "else " + two) == [other.name]
    assert found(exact, "@example.org") == [] and exact.name not in found(exact, exact.name + "@example.org")[1:]
    assert found(exact, other.name[1:] + "@example.org") == [], "no part of an address"
    person = exact.get("/api/users", params={"query": first.name}).json()[0]
    assert person == {"id": first.id, "username": first.name, "name": one.upper() + " Smith", "created_at": person["created_at"]}


@pytest.mark.parametrize("query", ["%", "_", "\\", "a%b", "'; DROP TABLE users; --", "@", "@@", "x" * 64, "💣", "(", "\u202e", "a\tb"])
def test_odd_queries(all_see, query):
    user = all_see.register()
    answer = user.get("/api/users", params={"query": query, "limit": 5})
    assert answer.status_code == 200, answer.text
    if query in ("%", "\\"):
        assert answer.json() == []


@pytest.mark.parametrize("query", ["query=", "query=" + "x" * 65, "limit=0", "limit=201", "limit=x", "after=-1", "page=0", "page_size=201", "page=1&page_size=0"])
def test_queries_that_are_refused(all_see, query):
    answer = all_see.register().get("/api/users?" + query)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][0] == "query"


def test_pages(all_see):
    """By Link and by page number, in the order of the match and in that of ids, the pages give the whole list, each
    user once."""
    part = word()
    people = [called(all_see, f"P{word()} {'x' if i % 2 else part}", part + str(i)).name for i in range(7)]
    people += [called(all_see, f"{word()} {part}").name for _ in range(3)]
    asker = all_see.login(people[0])
    for query in (f"query={part}&", f"query={part[:8]}&", ""):
        whole = found(asker, part if "query" in query else None, limit=200)
        assert not query or sorted(whole) == sorted(people)
        by_link, address = [], f"/api/users?{query}limit=3"
        while address:
            answer = asker.get(address)
            by_link += [person["username"] for person in answer.json()]
            address = link_next(answer)
        by_page, address, pages = [], f"/api/users?{query}page=1&page_size=4", 0
        while address:
            page = asker.get(address).json()
            pages += 1
            assert page["total"] == page["total_count"] and page["page"] == pages
            assert page["has_more"] == (page["next"] is not None)
            by_page += [person["username"] for person in page["items"]]
            address = page["next"]
        if query:
            assert by_link == whole == by_page and page["total"] == len(people)
            beyond = asker.get(f"/api/users?{query}page=1000&page_size=4").json()
            assert beyond["items"] == [] and beyond["total"] == len(people) and beyond["next"] is None
        else:
            assert len(set(by_link)) == len(by_link) and set(people) <= set(by_link) & set(by_page)
    assert asker.get(f"/api/users?query={part}&after=999999999").json() == []


# ---- one user ----

def test_one_user_by_number_and_by_name(all_see):
    ann, bob = all_see.register(), called(all_see, "Bob B.")
    by_number = ann.get(f"/api/users/{bob.id}")
    assert by_number.status_code == 200
    assert by_number.json() == {"id": bob.id, "username": bob.name, "name": "Bob B.", "created_at": by_number.json()["created_at"]}
    assert ann.get(f"/api/users/{bob.name}").json() == ann.get(f"/api/users/{bob.name.upper()}").json() == by_number.json()
    assert ann.get(f"/api/users/{ann.id}").json()["name"] is None
    role = ann.role(word())
    nowhere = ann.get("/api/users/999999999").json()
    for nobody in (word(), role["name"], "0", "-1", "9" * 30, "me", "a b", "x" * 40, "ann@example.org", "1.0", "1e3"):
        answer = ann.get(f"/api/users/{nobody}")
        assert answer.status_code == 404, nobody
        assert {**answer.json(), "request_id": 0} == {**nowhere, "request_id": 0}, nobody
    assert ann.get("/api/users/%00").status_code in (400, 404)


# ---- who finds whom ----

def test_who_finds_whom(parlour, rows):
    """For each of three settings: users who cannot be found get the reply for an unknown user."""
    daemon = parlour(workers="1")
    part = word()
    ann, bob, eve, gone = (daemon.register(f"{part}{i}") for i in range(4))
    boss = admin(daemon, rows)
    room = ann.room(visibility="private")["id"]
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id}).status_code == 201
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": gone.id}).status_code == 201
    rows(f"UPDATE users SET disabled = true WHERE id = {gone.id}")
    seen = {"shared_rooms": {ann: [ann, bob], bob: [ann, bob], eve: [eve], boss: [ann, bob, eve]},
            "off": {ann: [ann], bob: [bob], eve: [eve], boss: [ann, bob, eve]},
            "all": {ann: [ann, bob, eve], bob: [ann, bob, eve], eve: [ann, bob, eve], boss: [ann, bob, eve]}}
    for setting, who in seen.items():
        if setting != "shared_rooms":   # the default
            daemon.configure(user_directory=setting)
            daemon.reload()
        for asker, others in who.items():
            wait_for(lambda: found(asker, part) == [user.name for user in others], 10, (setting, asker.name))   # pylint: disable=cell-var-from-loop
            listed = asker.get("/api/users?limit=200").json()
            assert {user.id for user in (ann, bob, eve, gone)} & {person["id"] for person in listed} == {user.id for user in others}
            assert asker.get(f"/api/users?query={part}&page=1").json()["total"] == len(others)
            assert part + "3" not in found(asker, part + "3")
            absent = found(asker, part, after=1 << 40)
            assert all(found(asker, part, after=user.id) == absent for user in (ann, bob, eve, gone) if user not in others)
            for user in (ann, bob, eve, gone):
                status = 200 if user in others else 404
                assert asker.get(f"/api/users/{user.id}").status_code == status, (setting, asker.name, user.name)
                assert asker.get(f"/api/users/{user.name}").status_code == status
    hidden, absent = (eve.get(f"/api/users/{number}") for number in (gone.id, 987654321))
    assert sorted(hidden.headers) == sorted(absent.headers)
    for path in ("/api/users", f"/api/users/{ann.id}"):
        assert daemon.get(path).status_code == 401


def test_leaving_a_shared_room_hides(parlour):
    daemon = parlour(workers="1")
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    assert bob.get(f"/api/users/{ann.id}").status_code == 404
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    assert bob.get(f"/api/users/{ann.id}").status_code == ann.get(f"/api/users/{bob.name}").status_code == 200
    assert bob.post(f"/api/rooms/{room}/leave").status_code == 200
    assert bob.get(f"/api/users/{ann.id}").status_code == ann.get(f"/api/users/{bob.name}").status_code == 404


# ---- names where requests take numbers ----

def test_members_by_name(shared, ann):
    room = ann.room(visibility="private")["id"]
    path, guest = f"/api/rooms/{room}/members", called(shared, "Guest G.")
    key = {"Idempotency-Key": secrets.token_hex(8)}
    made = ann.post(path, {"username": guest.name.upper()}, headers=key)
    assert made.status_code == 201 and made.headers["Location"] == f"{path}/{guest.id}"
    assert (made.json()["user_id"], made.json()["username"], made.json()["name"]) == (guest.id, guest.name, "Guest G.")
    again = ann.post(path, {"username": guest.name.upper()}, headers=key)
    assert again.status_code == 201 and again.json() == made.json()
    assert ann.post(path, {"username": guest.name}).status_code == 200
    members = {m["user_id"]: m for m in ann.get(path).json()}
    assert members[guest.id]["name"] == "Guest G." and members[ann.id]["name"] is None
    assert ann.delete(f"{path}/{guest.name.upper()}").status_code == 204
    assert guest.id not in {m["user_id"] for m in ann.get(path).json()}
    assert ann.delete(f"{path}/{guest.name}").status_code == ann.delete(f"{path}/{word()}").status_code == 404


@pytest.mark.parametrize("body, field, text", [
    ({}, "user_id", "unless username"), ({"user_id": None}, "user_id", ""), ({"username": "a b"}, "username", ""), ({"username": ""}, "username", ""),
    ({"username": "1234"}, "username", ""), ({"username": 5}, "username", ""), ({"user_id": 1, "username": "ann"}, "username", "together with user_id")])
def test_members_neither_or_both(ann, body, field, text):
    answer = ann.post(f"/api/rooms/{ann.room()['id']}/members", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["body", field] and text in answer.json()["detail"][0]["msg"]


def test_members_by_name_tells_strangers_nothing(shared, ann, bob):
    """Only users who may add members learn whether a name exists."""
    room, hidden = ann.room()["id"], ann.room(visibility="private")["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    there, nobody = shared.register().name, word()
    for number, status in ((room, 403), (hidden, 404), (987654321, 404)):
        for name in (there, nobody):
            assert bob.post(f"/api/rooms/{number}/members", {"username": name}).status_code == status
            assert bob.delete(f"/api/rooms/{number}/members/{name}").status_code == status
    assert ann.post(f"/api/rooms/{room}/members", {"username": nobody}).status_code == 404


# ---- display names ----

def refused(api, username, **fields):
    answer = api.post("/api/auth/register", {"username": username, "email": username + "@example.org", "password": "correct horse 9", **fields})
    assert answer.status_code == 409, answer.text
    return answer.json()["detail"]


def test_display_names_are_never_names_of_others(shared, ann):
    """A display name cannot equal the name of another user or role, in both directions, regardless of case and of
    full-width letters."""
    name, shown, role = word(), word("s"), word("r")
    holder = shared.register(name)
    ann.role(role)
    wide = "".join(chr(ord(c) + 0xfee0) for c in name)
    for taken in (name, name.upper(), wide, role):
        assert "display name" in refused(shared, word(), name=taken)
    own = called(shared, shown.title(), shown)
    assert own.get("/api/auth/me").json()["name"] == shown.title(), "one's own name, written otherwise"
    for free in ("Mr. " + name, name + " " + name):
        called(shared, free)
    nick = word("k")
    first, second = called(shared, nick.title()), called(shared, nick)
    assert [u.get("/api/auth/me").json()["name"] for u in (first, second)] == [nick.title(), nick], "several may be called the same"
    assert "already in use" in refused(shared, nick)
    answer = ann.post("/api/roles", {"name": nick, "instructions": "x"})
    assert answer.status_code == 409
    made = ann.role(f"{nick} {nick}")
    assert made["name"] == f"{nick} {nick}" and made["mention_name"] == f"{nick}_{nick}"
    assert holder.get("/api/auth/me").json()["name"] is None
    assert shared.login(name).id == holder.id


def test_a_refused_registration_leaves_names_free(shared, rows):
    name, shown = word(), word("s")
    holder = shared.register()
    rows(f"UPDATE users SET email_verified_at = now() WHERE id = {holder.id}")
    answer = shared.post("/api/auth/register", {"username": name, "email": holder.name + "@example.org", "password": "correct horse 9", "name": shown})
    assert answer.status_code == 409 and "e-mail" in answer.json()["detail"]
    assert shared.register(name).id and shared.register(shown).id


def test_display_names_in_the_database(pg_dsn):
    """Names written in psql follow the same rule; a name is free again when nobody uses it."""
    with psycopg.connect(pg_dsn, autocommit=True) as conn:
        def make(name, shown=None):
            return conn.execute("SELECT status, id FROM user_create(%s, NULL, %s, NULL, 'user')", (name, shown)).fetchone()

        def show(number, shown):
            return conn.execute("SELECT user_patch(%s, NULL, %s)", (number, shown)).fetchone()[0]
        one, two, nick = word(), word("w"), word("k")
        (_, first), (_, second) = make(one), make(two)
        with pytest.raises(psycopg.Error, match="user name of somebody else"):
            conn.execute("UPDATE users SET name = %s WHERE id = %s", (two.upper(), first))
        assert show(first, two) == "taken_shown" and show(first, one) == "ok"
        assert show(first, nick) == "ok" and show(second, nick.upper()) == "ok" and make(nick) == ("taken_name", None)
        assert show(first, "") == "ok" and make(nick)[0] == "taken_name"
        assert show(second, "Somebody " + nick) == "ok" and make(nick)[0] == "ok"
        conn.execute("UPDATE users SET email = %s, email_verified_at = now() WHERE id = %s", (one + "@example.org", first))
        assert conn.execute("SELECT user_patch(%s, %s, %s)", (second, one + "@example.org", word("x") + "free")).fetchone()[0] == "taken_email"
        assert conn.execute("SELECT count(*) FROM names WHERE name LIKE 'x%%free'").fetchone()[0] == 0, "nothing was taken for a change that failed"


@pytest.mark.parametrize("showing_first", [True, False])
@pytest.mark.parametrize("commits", [True, False])
def test_display_names_against_registrations_at_the_same_time(pg_dsn, showing_first, commits):
    """The second transaction waits for the first one; exactly one of them gets the name."""
    name, results = word(), []
    acts = ("SELECT user_patch({0}, NULL, '{1}')", "SELECT status FROM user_create('{1}', NULL, NULL, NULL, 'user')")
    with psycopg.connect(pg_dsn, autocommit=True) as watch, psycopg.connect(pg_dsn) as one, psycopg.connect(pg_dsn) as two:
        number = watch.execute("SELECT id FROM user_create(%s, NULL, NULL, NULL, 'user')", (word("o"),)).fetchone()[0]
        first, second = (act.format(number, name) for act in (acts if showing_first else acts[::-1]))
        assert one.execute(first).fetchone()[0] == "ok"
        thread = threading.Thread(target=lambda: results.append(two.execute(second).fetchone()[0]))
        thread.start()
        wait_for(lambda: watch.execute("SELECT cardinality(pg_blocking_pids(%s))", (two.info.backend_pid,)).fetchone()[0] > 0, 10)
        one.commit() if commits else one.rollback()     # pylint: disable=expression-not-assigned
        thread.join(20)
        two.commit()
        assert results == ["ok" if not commits else "taken_name" if showing_first else "taken_shown"]
        both = watch.execute("SELECT (SELECT count(*) FROM users WHERE lower(name) = %s), (SELECT count(*) FROM users WHERE username = %s)", (name, name)).fetchone()
        assert sum(both) == 1


def test_display_names_survive_an_empty_search_path(shared, pg, database):
    """pg_restore and autovacuum compute index expressions and run triggers with an empty search path."""
    called(shared, word("z").title())
    with psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as conn:
        conn.execute("SET search_path = ''")
        conn.execute("REINDEX INDEX public.users_shown")
        conn.execute("ANALYZE public.users")
