# SPDX-License-Identifier: ISC
"""Sessions over REST: create, list, end, limits, guests, expiry."""

import uuid

import pytest

from parlour import PLAIN, Client, wait_for


@pytest.fixture(scope="module")
def daemon(shared):
    return shared


def make(user, **body):
    answer = user.post("/api/sessions", body or None)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/sessions/{answer.json()['id']}"
    return answer.json()


def usage(rows, user, **fields):
    """Imports a usage session of the user, as another part of the system writes it."""
    fields = {"external_id": f"ext-{uuid.uuid4().hex[:8]}", "developer": "dev-1", "model": "m-1", "total_tokens": 10,
              "cost_micros": 1000, "started_at": "2026-01-01T00:00:00Z", **fields}
    names, values = ", ".join(fields), ", ".join(f"'{v}'" for v in fields.values())
    rows(f"INSERT INTO sessions (kind, user_id, source, {names}) VALUES ('usage', {user.id}, 'test', {values})")
    return fields["external_id"]


# ---- making ----

def test_empty_body_makes_a_guided_session(daemon):
    user = daemon.register()
    made = make(user)
    assert made["kind"] == "guided" and made["form"] == "contact" and made["state"] == "open"
    assert made["data_collected"] == {"name": False, "email": False, "income": False} and made["is_complete"] is False
    assert made["session_id"] == made["id"] and made["developer_id"] == user.name
    assert (made["total_tokens"], made["cost_usd"], made["accepted_flag"], made["model"]) == (0, 0, None, None)
    assert made["greeting"].endswith("What is your name?")
    again = user.get(f"/api/sessions/{made['id']}").json()
    assert again.pop("conversation_history") == [] and again.pop("data") == {"name": None, "email": None, "income": None}
    assert {**again, "greeting": made["greeting"]} == made


def test_kinds_and_forms(daemon):
    user = daemon.register()
    assert make(user, kind="chat")["data_collected"] == {}
    assert make(user, form="contact")["kind"] == "guided"
    for body, loc in (({"kind": "usage"}, "kind"), ({"kind": "guided", "form": "none"}, "form"),
                      ({"kind": "chat", "form": "contact"}, "form"), ({"form": 7}, "form")):
        answer = user.post("/api/sessions", body)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", loc], answer.text


def test_setting_session_form(parlour):
    daemon = parlour(session_form="")
    user = daemon.register()
    assert make(user)["kind"] == "chat"


def test_idempotency_key(daemon):
    user = daemon.register()
    first, second = (user.post("/api/sessions", headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    assert len(user.get("/api/sessions").json()) == 1


# ---- whose they are ----

def test_own_rows_only(daemon):
    user, other = daemon.register(), daemon.register()
    mine = make(user)["id"]
    assert other.get("/api/sessions").json() == []
    for method in ("GET", "DELETE"):
        assert other.request(method, f"/api/sessions/{mine}").status_code == 404
        assert daemon.once(method, f"/api/sessions/{mine}").status_code == 401
        assert user.request(method, f"/api/sessions/{uuid.uuid4()}").status_code == 404
        assert user.request(method, "/api/sessions/no-such-id").status_code == 404
    assert user.get(f"/api/sessions/{mine}").json()["state"] == "open"
    assert daemon.once("GET", "/api/sessions").status_code == 401
    assert daemon.once("POST", "/api/sessions").status_code == 401
    assert daemon.once("GET", "/api/greeting").status_code == 401


def test_ending(daemon):
    user = daemon.register()
    made = make(user)["id"]
    assert user.delete(f"/api/sessions/{made}").status_code == 204
    assert user.delete(f"/api/sessions/{made}").status_code == 204
    assert user.get(f"/api/sessions/{made}").json()["state"] == "ended"
    answer = user.post("/api/chat", {"message": "Hello", "session_id": made})
    assert answer.status_code == 409 and answer.json()["detail"] == "The session has ended."


def test_three_open_sessions(daemon):
    user = daemon.register()
    made = [make(user)["id"] for _ in range(3)]
    answer = user.post("/api/sessions")
    assert answer.status_code == 429 and answer.json()["code"] == "session_limit"
    assert 86000 < int(answer.headers["Retry-After"]) <= 86400
    assert user.post("/api/chat", {"message": "Hello"}).json()["code"] == "session_limit"
    user.delete(f"/api/sessions/{made[0]}")
    make(user)


def test_expiry(parlour, rows):
    daemon = parlour(session_life="24h")
    user = daemon.register()
    made = [make(user)["id"] for _ in range(3)]
    rows(f"UPDATE sessions SET expires_at = clock_timestamp() - interval '1 s' WHERE user_id = {user.id}")
    assert user.get(f"/api/sessions/{made[0]}").json()["state"] == "expired"
    assert user.post("/api/chat", {"message": "Hello", "session_id": made[0]}).status_code == 409
    make(user)
    daemon.stop()
    daemon.start()
    wait_for(lambda: rows(f"SELECT count(*) FROM sessions WHERE user_id = {user.id} AND state = 'expired' "
                          "AND ended_at = expires_at") == [(3,)], 10, "the clerk marks them")


# ---- what was said ----

def test_messages(daemon, rows):
    user, other = daemon.register(), daemon.register()
    made = make(user)["id"]
    path = f"/api/sessions/{made}/messages"
    assert user.get(path).json() == []
    for text in ("I am Ann", "what is 2 + 3?", "ann@example.org", "I earn 98765"):
        user.post("/api/chat", {"message": text, "session_id": made})
    said = user.get(path).json()
    assert [m["seq"] for m in said] == list(range(1, 9)) and {m["state"] for m in said} == {"done"}
    assert [m["reply_to"] for m in said] == [None, 1, None, 3, None, 5, None, 7]
    assert said[0]["content"] == "I am Ann" and said[0]["author"] == "user" and said[0]["model"] is None
    assert said[3]["content"].startswith("2 + 3 = 5") and said[3]["model"] == "local-1" and said[3]["author"] == "assistant"
    assert said[6]["content"] == "I earn [income]"
    newest = user.get(path + "?limit=3")
    assert newest.json() == said[5:] and newest.links["next"]["url"].endswith("before=6&limit=3")
    assert user.get(newest.links["next"]["url"]).json() == said[2:5]
    later = user.get(path + "?after=2&limit=3")
    assert later.json() == said[2:5] and user.get(later.links["next"]["url"]).json() == said[5:]
    both = user.get(path + "?after=2&before=5")
    assert both.status_code == 422 and both.json()["detail"][0]["loc"] == ["query", "before"]
    assert other.get(path).status_code == 404 and daemon.once("GET", path).status_code == 401
    assert user.get("/api/sessions/nonsense/messages").status_code == 404
    ext = usage(rows, user)
    assert user.get(f"/api/sessions/{ext}/messages").json() == []


# ---- the list ----

def test_list_filters_and_order(daemon, rows):
    user = daemon.register()
    ids = [usage(rows, user, developer=dev, model=model, total_tokens=tokens, cost_micros=cost, started_at=at)
           for dev, model, tokens, cost, at in (("ann", "m-1", 30, 100, "2026-01-01T00:00:00Z"),
                                                ("bob", "m-2", 10, 300, "2026-01-02T00:00:00Z"),
                                                ("ann", "m-2", 20, 200, "2026-01-03T00:00:00Z"))]

    def order(query):
        answer = user.get("/api/sessions" + query)
        assert answer.status_code == 200, answer.text
        return [ids.index(item["session_id"]) for item in answer.json()]

    assert order("") == [2, 1, 0] and order("?order=asc") == [0, 1, 2]
    assert order("?sort=cost") == [1, 2, 0] and order("?sort=tokens&order=asc") == [1, 2, 0]
    assert order("?developer_id=ann") == [2, 0] and order("?model=m-2&developer_id=bob") == [1]
    assert order("?start=2026-01-02T00:00:00Z") == [2, 1] and order("?end=2026-01-02T00:00:00Z") == [0]
    one = user.get(f"/api/sessions/{ids[1]}").json()
    assert one["cost_usd"] == 0.0003 and one["developer_id"] == "bob" and one["kind"] == "usage"
    for query, loc in (("?sort=name", "sort"), ("?start=yesterday", "start"), ("?page_size=1000", "page_size")):
        answer = user.get("/api/sessions" + query)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", loc]


def test_analysts_see_everybodys(parlour, rows):
    daemon = parlour(guest="on")
    ann, boss = daemon.register(), daemon.register()
    rows(f"UPDATE users SET access = 'analyst' WHERE id = {boss.id}")
    boss = daemon.login(boss.name, boss.password)
    mine, guests = make(ann)["id"], daemon.post("/api/sessions").json()["id"]
    seen = {s["session_id"]: s for s in boss.get("/api/sessions?limit=200").json()}
    assert seen[mine]["developer_id"] == ann.name and seen[mine]["id"] == mine
    assert seen[guests[:8]]["id"] == guests[:8] + "-0000-0000-0000-000000000000", "a guest's number is a credential"
    assert guests not in boss.get("/api/sessions?limit=200").text
    assert boss.get(f"/api/sessions/{mine}").status_code == 404, "the list tells that it is there; the session is its user's"
    assert {s["id"] for s in ann.get("/api/sessions").json()} == {mine}
    assert daemon.delete(f"/api/sessions/{guests}").status_code == 204


def test_list_pages(daemon, rows):
    user = daemon.register()
    for i in range(5):
        usage(rows, user, total_tokens=i)
    page = user.get("/api/sessions?page=2&page_size=2&sort=tokens&order=asc").json()
    assert [i["total_tokens"] for i in page["items"]] == [2, 3]
    assert (page["total"], page["page"], page["page_size"]) == (5, 2, 2)
    assert [i["total_tokens"] for i in user.get(page["next"]).json()["items"]] == [4]
    seen, path = [], "/api/sessions?limit=2&sort=tokens"
    while path:
        answer = user.get(path)
        seen += [i["total_tokens"] for i in answer.json()]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == [4, 3, 2, 1, 0]


def test_analysts_see_all_usage(daemon, rows):
    other, boss = daemon.register(), daemon.register()
    ext = "ext-" + boss.name
    usage(rows, other, external_id=ext)
    chat = make(other)["id"]
    assert boss.get(f"/api/sessions/{ext}").status_code == 404
    assert ext not in [i["session_id"] for i in boss.get("/api/sessions").json()]
    rows(f"UPDATE users SET access = 'analyst' WHERE id = {boss.id}")
    boss = daemon.login(boss.name, boss.password)
    own = make(boss)["id"]
    item = boss.get(f"/api/sessions/{ext}").json()
    assert item["session_id"] == ext and item["id"] != ext
    for either in (item["id"], item["id"].upper()):
        assert boss.get(f"/api/sessions/{either}").json() == item, "lists show both ids"
    listed = [i["session_id"] for i in boss.get("/api/sessions?page_size=100").json()["items"]]
    assert ext in listed and own in listed and chat in listed
    assert boss.get(f"/api/sessions/{chat}").status_code == 404, "chats stay their users'"
    assert boss.delete(f"/api/sessions/{ext}").status_code == 404


def test_anonymous_setting(parlour, rows):
    daemon = parlour(anonymous="sessions")
    user = daemon.register()
    usage(rows, user)
    make(user)
    answer = daemon.once("GET", "/api/sessions")
    assert answer.status_code == 200 and {i["kind"] for i in answer.json()} == {"usage"}
    assert {i["developer_id"] for i in answer.json()} == {None}


def test_links_are_whole(daemon, rows):
    """The link to the next page is complete, however long the filters are."""
    user = daemon.register()
    name = "\u4e2d" * 42
    for _ in range(3):
        usage(rows, user, developer=name, model=name)
    answer = user.get("/api/sessions", params={"developer_id": name, "model": name, "limit": 2})
    assert len(answer.json()) == 2
    rest = user.get(answer.links["next"]["url"])
    assert rest.status_code == 200 and len(rest.json()) == 1, answer.headers["Link"]


# ---- guests ----

def test_guests(parlour):
    daemon = parlour(guest="on")
    assert daemon.get("/api/greeting").json()["message"]
    made = daemon.post("/api/sessions")
    assert made.status_code == 201 and made.json()["developer_id"] is None
    ident = made.json()["id"]
    assert daemon.get(f"/api/sessions/{ident}").json()["state"] == "open"
    assert daemon.get("/api/sessions").status_code == 401
    user = daemon.register()
    own = make(user)["id"]
    assert daemon.get(f"/api/sessions/{own}").status_code == 404, "a user's own session needs that user's token"
    assert daemon.delete(f"/api/sessions/{ident}").status_code == 204
    daemon.configure(guest="off")
    daemon.reload()
    wait_for(lambda: all(daemon.once("GET", f"/api/sessions/{ident}").status_code == 401 for _ in range(4)))


def test_log_keeps_eight_characters(parlour):
    daemon = parlour(guest="on", access_log="-", log_level="debug")
    ident = daemon.post("/api/sessions").json()["id"]
    daemon.get(f"/api/sessions/{ident}")
    daemon.post("/api/chat", {"message": "Hello", "session_id": ident})
    with daemon.ws(f"/ws/{ident}", protocols=()) as sock:
        sock.expect("message")
    daemon.get(f"/api/sessions/{ident}/messages")
    daemon.delete(f"/api/sessions/{ident}?x=1")
    daemon.wait_log(rf"/api/sessions/{ident[:8]}\.\.\.\?x=1")
    escaped = "%" + format(ord(ident[0]), "x") + ident[1:]
    assert daemon.get(f"/api/sessions/{escaped}?session={ident}&x=2").status_code == 200
    daemon.wait_log(rf"{ident[1:8]}\.\.\.\?session={ident[:8]}\.\.\.&x=2")
    plain = ident.replace("-", "")
    for n, spelled in enumerate((plain, plain.upper(), plain[:12] + "-" + plain[12:], "%" + format(ord(plain[0]), "x") + plain[1:])):
        assert daemon.get(f"/api/sessions/{spelled}?spelled={n}").status_code == 404
        daemon.wait_log(rf"\.\.\.\?spelled={n}")
    assert ident not in daemon.log_text() and ident[1:] not in daemon.log_text()
    assert plain[9:] not in daemon.log_text().lower().replace("-", "")


# ---- limits of asking ----

def test_limit_per_session(parlour):
    daemon = parlour(workers=2, rate_ask_session="10/h", rate_ask="30/h")
    user = daemon.register()
    one, two = make(user)["id"], make(user)["id"]
    spelled = [one, one.upper()]
    answers = [user.post("/api/chat", {"message": "yes", "session_id": spelled[i % 2]}) for i in range(11)]
    assert [a.status_code for a in answers] == [200] * 10 + [429]
    assert answers[-1].json()["error"] == "Rate limit exceeded: 10 per 1 hour"
    assert answers[0].headers["RateLimit"].startswith('"ask-session";r=9')
    assert user.post("/api/chat", {"message": "yes", "session_id": two}).status_code == 200


def test_limit_per_session_wherever_it_is_asked_from(parlour):
    """A session of a guest has one limit, not one per address."""
    daemon = parlour(workers=2, guest="on", rate_ask_session="10/h", rate_ask="30/h", trusted_proxies="127.0.0.1")
    made = daemon.post("/api/sessions").json()["id"]
    codes = [daemon.post("/api/chat", {"message": "yes", "session_id": made},
                         headers={"X-Forwarded-For": f"192.0.2.{i}"}).status_code for i in range(14)]
    assert codes == [200] * 10 + [429] * 4


def test_limit_per_user(parlour):
    daemon = parlour(workers=2, rate_ask="5/h", rate_ask_session="off")
    user = daemon.register()
    made = make(user)["id"]
    with Client(base_url=daemon.url, headers=user.auth, **PLAIN) as other:
        statuses = [(user.api.http if i % 2 else other).post("/api/chat", json={"message": "yes", "session_id": made},
                                                             headers=user.auth).status_code for i in range(6)]
    assert statuses == [200] * 5 + [429]
