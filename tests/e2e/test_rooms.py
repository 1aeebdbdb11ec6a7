# SPDX-License-Identifier: ISC
"""Rooms, members, roles and messages over REST."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def link_next(answer):
    """Returns the address in Link: <...>; rel="next", or None."""
    for part in answer.headers.get("Link", "").split(","):
        address, _, rel = part.partition(";")
        if 'rel="next"' in rel:
            return address.strip().strip("<>")
    return None


# ---- rooms ----

def test_create_and_get(ann):
    answer = ann.post("/api/rooms", {"name": "Tea Ünion", "visibility": "public"})
    assert answer.status_code == 201
    room = answer.json()
    assert answer.headers["Location"] == f"/api/rooms/{room['id']}"
    assert room["name"] == "Tea Ünion" and room["visibility"] == "public" and room["owner_id"] == ann.id
    assert room["level"] == "owner" and room["members"] == 1 and room["roles"] == [] and room["archived"] is False
    assert re.fullmatch(TIME, room["created_at"])
    assert ann.get(answer.headers["Location"]).json() == room
    assert ann.get(f"/api/rooms/{room['id']}/").json() == room, "a slash at the end makes no difference"


def test_defaults(ann):
    room = ann.post("/api/rooms/", {"name": "x"}).json()
    assert room["visibility"] == "public" and room["reply_policy"] == "mention"
    role = ann.role()
    one = ann.room(role_ids=[role["id"]])
    assert one["reply_policy"] == "all" and [r["id"] for r in one["roles"]] == [role["id"]]
    two = ann.room(role_ids=[role["id"], ann.role()["id"]])
    assert two["reply_policy"] == "mention"


@pytest.mark.parametrize("field,values", [
    ("name", ["", "x" * 101, 5, None, True, [], {}]),
    ("visibility", ["", "secret", "PUBLIC", 5, True, []]),
    ("reply_policy", ["", "always", 5, []]),
    ("role_ids", ["1", 5, [0], [-1], ["x"], [1.5], [10 ** 30], [None], {}, list(range(1, 30))])])
def test_create_names_the_field(ann, field, values):
    for value in values:
        answer = ann.post("/api/rooms", {"name": "fine", field: value})
        assert answer.status_code == 422, (value, answer.text)
        assert all(d["loc"][:2] == ["body", field] for d in answer.json()["detail"]), answer.text


def test_a_role_that_is_not_there(ann):
    assert ann.post("/api/rooms", {"name": "fine", "role_ids": [999999999]}).status_code in (404, 422)


def test_list_shows_public_and_own(ann, bob):
    public, private, foreign = ann.room(), ann.room(visibility="private"), bob.room(visibility="private")
    ids, path = [], "/api/rooms?limit=200"
    while path:
        answer = ann.get(path)
        assert isinstance(answer.json(), list)
        ids += [r["id"] for r in answer.json()]
        path = link_next(answer)
    assert public["id"] in ids and private["id"] in ids and foreign["id"] not in ids
    assert len(ids) == len(set(ids)) and ids == sorted(ids)


def test_pages_of_rooms(ann):
    for _ in range(5):
        ann.room()
    seen, path = [], "/api/rooms?limit=2"
    while path:
        answer = ann.get(path)
        assert len(answer.json()) <= 2
        seen += [r["id"] for r in answer.json()]
        path = link_next(answer)
    everything = [r["id"] for r in ann.get("/api/rooms?limit=200").json()]
    assert seen[:len(everything)] == everything
    page = ann.get("/api/rooms?page=2&page_size=3").json()
    assert set(page) == {"items", "total", "total_count", "page", "page_size", "next", "has_more"}
    assert page["page"] == 2 and page["page_size"] == 3 and page["total"] >= 5
    assert [r["id"] for r in page["items"]] == everything[3:6]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=201", "limit=x", "limit=1e3", "after=-1", "after=x", "page=0",
                                   "page_size=0", "page_size=100000", "limit=", "limit=99999999999999999999", "limit=1%00"])
def test_bad_queries(ann, query):
    answer = ann.get("/api/rooms?" + query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]


def test_what_is_private_does_not_exist(shared, ann, bob):
    """A private room of another user gets the same reply as an id that does not exist."""
    room, role = ann.room(visibility="private")["id"], bob.role()["id"]
    ann.say(room, "secret")
    for method, path, body in (
            ("GET", "/api/rooms/{}", None), ("POST", "/api/rooms/{}/join", None), ("POST", "/api/rooms/{}/leave", None),
            ("GET", "/api/rooms/{}/members", None), ("POST", "/api/rooms/{}/members", {"user_id": bob.id}),
            ("DELETE", f"/api/rooms/{{}}/members/{ann.id}", None), ("GET", "/api/rooms/{}/messages", None),
            ("POST", "/api/rooms/{}/messages", {"content": "x"}), ("PUT", f"/api/rooms/{{}}/roles/{role}", None),
            ("DELETE", f"/api/rooms/{{}}/roles/{role}", None)):
        there = bob.request(method, path.format(room), body)
        absent = bob.request(method, path.format(99999999), body)
        assert there.status_code == absent.status_code == 404, (method, path, there.status_code, absent.status_code)
        a, b = there.json(), absent.json()
        a.pop("request_id"), b.pop("request_id")
        assert a == b and a["code"] == "not_found"
        assert sorted(there.headers) == sorted(absent.headers)


@pytest.mark.parametrize("odd", ["0", "-1", "x", "1x", "1.5", "99999999999999999999", "9223372036854775808", "%31%00", "+1", "١"])
def test_odd_room_numbers(ann, odd):
    for path in (f"/api/rooms/{odd}", f"/api/rooms/{odd}/messages", f"/api/rooms/{odd}/members"):
        assert ann.get(path).status_code in (400, 404), path


# ---- membership ----

def test_join_and_leave(ann, bob):
    room = ann.room()["id"]
    assert bob.get(f"/api/rooms/{room}").json()["level"] is None
    joined = bob.post(f"/api/rooms/{room}/join")
    assert joined.status_code == 200 and joined.json()["level"] == "member" and joined.json()["members"] == 2
    again = bob.post(f"/api/rooms/{room}/join")
    assert again.status_code == 200 and again.json()["last_seq"] == joined.json()["last_seq"], "joining twice is one change"
    left = bob.post(f"/api/rooms/{room}/leave")
    assert left.status_code == 200 and left.json()["level"] is None and left.json()["members"] == 1
    assert left.json()["last_seq"] == joined.json()["last_seq"] + 1


def test_public_history_needs_no_membership(ann, bob):
    room = ann.room()["id"]
    ann.say(room, "for all")
    assert [m["content"] for m in bob.get(f"/api/rooms/{room}/messages").json()] == ["for all"]
    assert bob.get(f"/api/rooms/{room}").json()["level"] is None


def test_posting_joins_a_public_room(ann, bob):
    room = ann.room()["id"]
    assert bob.say(room, "hello").status_code == 201
    assert bob.get(f"/api/rooms/{room}").json()["level"] == "member"


def test_members(shared, ann, bob):
    room = ann.room(visibility="private")["id"]
    added = ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id, "level": "moderator"})
    assert added.status_code == 201 and added.json()["username"] == bob.name and added.json()["level"] == "moderator"
    third = shared.register()
    assert bob.post(f"/api/rooms/{room}/members", {"user_id": third.id}).status_code == 201
    members = {m["user_id"]: m for m in third.get(f"/api/rooms/{room}/members").json()}
    assert {i: m["level"] for i, m in members.items()} == {ann.id: "owner", bob.id: "moderator", third.id: "member"}
    assert members[bob.id]["online"] is False
    fourth = shared.register()
    assert third.post(f"/api/rooms/{room}/members", {"user_id": fourth.id}).status_code == 403
    assert third.delete(f"/api/rooms/{room}/members/{bob.id}").status_code == 403
    assert bob.delete(f"/api/rooms/{room}/members/{ann.id}").status_code == 403
    assert bob.delete(f"/api/rooms/{room}/members/{third.id}").status_code == 204
    assert third.get(f"/api/rooms/{room}").status_code == 404
    assert ann.delete(f"/api/rooms/{room}/members/{third.id}").status_code == 404, "no member any more"
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": 99999999}).status_code == 404
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id, "level": "owner"}).status_code == 422


def test_pages_of_members(shared, ann):
    room = ann.room()["id"]
    for _ in range(5):
        shared.register().post(f"/api/rooms/{room}/join")
    seen, path = [], f"/api/rooms/{room}/members?limit=2"
    while path:
        answer = ann.get(path)
        seen += [m["user_id"] for m in answer.json()]
        path = link_next(answer)
    assert len(seen) == 6 and seen == sorted(seen)


def test_joining_at_once_is_one_change_each(shared, ann, rows):
    room = ann.room()["id"]
    users = [shared.register() for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda u: shared.once("POST", f"/api/rooms/{room}/join", headers=u.auth), users * 3))
    assert {a.status_code for a in answers} == {200}
    joined = rows(f"SELECT actor_id, count(*) FROM room_changes WHERE room_id = {room} AND kind = 'joined' GROUP BY 1")
    assert dict(joined) == {**{u.id: 1 for u in users}, ann.id: 1}


# ---- roles ----

def test_role_life(shared, ann, bob):
    role = ann.role(name="Bard.1", instructions="Sing.", temperature=0.5, max_tokens=100)
    assert role["owner_id"] == ann.id and role["temperature"] == 0.5 and role["max_tokens"] == 100
    assert bob.get(f"/api/roles/{role['id']}").json()["name"] == "Bard.1"
    assert role["id"] in [r["id"] for r in bob.get("/api/roles?limit=200").json()]
    changed = ann.patch(f"/api/roles/{role['id']}", {"instructions": "Hum."})
    assert changed.status_code == 200 and changed.json()["instructions"] == "Hum." and changed.json()["name"] == "Bard.1"
    assert bob.patch(f"/api/roles/{role['id']}", {"instructions": "x"}).status_code == 403
    assert bob.delete(f"/api/roles/{role['id']}").status_code == 403
    assert ann.delete(f"/api/roles/{role['id']}").status_code == 204
    assert ann.get(f"/api/roles/{role['id']}").status_code == 404
    assert ann.delete(f"/api/roles/{role['id']}").status_code == 404


def test_attach_and_detach(shared, ann, bob):
    room, role = ann.room()["id"], ann.role()
    put = ann.put(f"/api/rooms/{room}/roles/{role['id']}")
    assert put.status_code == 200 and [r["name"] for r in put.json()["roles"]] == [role["name"]]
    assert ann.put(f"/api/rooms/{room}/roles/{role['id']}").json()["last_seq"] == put.json()["last_seq"]
    bob.post(f"/api/rooms/{room}/join")
    assert bob.put(f"/api/rooms/{room}/roles/{role['id']}").status_code == 403
    assert bob.delete(f"/api/rooms/{room}/roles/{role['id']}").status_code == 403
    assert ann.delete(f"/api/rooms/{room}/roles/{role['id']}").status_code == 204
    assert ann.get(f"/api/rooms/{room}").json()["roles"] == []
    assert ann.put(f"/api/rooms/{room}/roles/99999999").status_code == 404


# ---- messages ----

def test_send_and_read_back(ann):
    room = ann.room()["id"]
    answer = ann.say(room, "Grüße 👋\n\tzweite Zeile", reply_to=None)
    assert answer.status_code == 201
    message = answer.json()
    assert answer.headers["Location"].startswith(f"/api/rooms/{room}/messages")
    assert message["id"] == f"{room}.{message['seq']}" and message["room_id"] == room
    assert message["author"] == {"kind": "user", "id": ann.id, "name": ann.name}
    assert message["content"] == "Grüße 👋\n\tzweite Zeile"
    stored = ann.get(f"/api/rooms/{room}/messages").json()[-1]
    assert {k: stored[k] for k in ("id", "seq", "content", "created_at", "author")} == \
        {k: message[k] for k in ("id", "seq", "content", "created_at", "author")}
    reply = ann.say(room, "answer", reply_to=message["seq"]).json()
    assert reply["reply_to"] == message["seq"]


def test_client_id(ann, rows):
    room = ann.room()["id"]
    first = ann.say(room, "once", "c-1")
    assert first.status_code == 201
    again = ann.say(room, "once", "c-1")
    assert again.status_code == 200 and again.json()["duplicate"] is True
    assert again.json()["seq"] == first.json()["seq"] and again.json()["id"] == first.json()["id"]
    other = ann.say(room, "different", "c-1")
    assert other.status_code == 409 and other.json()["code"] == "conflict"
    assert rows(f"SELECT count(*) FROM messages WHERE room_id = {room}")[0][0] == 1


def test_client_ids_are_per_author_and_room(ann, bob):
    one, two = ann.room()["id"], ann.room()["id"]
    answers = [ann.say(one, "a", "k"), ann.say(two, "b", "k"), bob.say(one, "c", "k")]
    assert [a.status_code for a in answers] == [201] * 3


def test_the_same_client_id_at_once(shared, ann):
    room = ann.room()["id"]

    def send(_):
        return shared.once("POST", f"/api/rooms/{room}/messages", headers=ann.auth, json={"content": "x", "client_id": "p"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert sorted(a.status_code for a in answers) == [200] * 15 + [201]
    assert len({a.json()["seq"] for a in answers}) == 1


def test_idempotency_key(ann):
    key = {"Idempotency-Key": "order-66"}
    first = ann.post("/api/rooms", {"name": "keyed"}, headers=key)
    again = ann.post("/api/rooms", {"name": "keyed"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() and again.headers["Location"] == first.headers["Location"]
    other = ann.post("/api/rooms", {"name": "another"}, headers=key)
    assert other.status_code == 409
    room = first.json()["id"]
    one = ann.post(f"/api/rooms/{room}/messages", {"content": "k"}, headers=key)
    two = ann.post(f"/api/rooms/{room}/messages", {"content": "k"}, headers=key)
    assert one.status_code == 201 and two.json()["seq"] == one.json()["seq"]


def test_idempotency_keys_are_per_user(ann, bob):
    key = {"Idempotency-Key": "mine"}
    rooms = [u.post("/api/rooms", {"name": "same"}, headers=key).json()["id"] for u in (ann, bob)]
    assert rooms[0] != rooms[1]


def test_history_pages(ann):
    room = ann.room()["id"]
    seqs = [ann.say(room, f"m{i}").json()["seq"] for i in range(60)]
    newest = ann.get(f"/api/rooms/{room}/messages")
    assert [m["seq"] for m in newest.json()] == seqs[-50:], "by default the newest 50, oldest first"
    before = ann.get(f"/api/rooms/{room}/messages?before={seqs[10]}&limit=5").json()
    assert [m["seq"] for m in before] == seqs[5:10]
    after = ann.get(f"/api/rooms/{room}/messages?after={seqs[9]}&limit=5").json()
    assert [m["seq"] for m in after] == seqs[10:15]
    seen, path = [], f"/api/rooms/{room}/messages?after=0&limit=7"
    while path:
        answer = ann.get(path)
        seen += [m["seq"] for m in answer.json()]
        path = link_next(answer)
    assert seen == seqs
    assert ann.get(f"/api/rooms/{room}/messages?after={seqs[-1]}").json() == []
    for bad in ("after=x", "before=0", "limit=0", "limit=201", "after=-1"):
        assert ann.get(f"/api/rooms/{room}/messages?{bad}").status_code == 422, bad


@pytest.mark.parametrize("content", ["", None, 5, True, [], {}, "x" * 16385, "ü" * 8193])
def test_contents_that_are_refused(ann, content):
    room = ann.room()["id"]
    answer = ann.post(f"/api/rooms/{room}/messages", {"content": content})
    assert answer.status_code == 422, answer.text


def test_contents_that_come_back_as_they_were(ann):
    room = ann.room()["id"]
    texts = ["x" * 16384, "ü" * 8192, "'; DROP TABLE messages; --", "\\x00 \\u0000 %00 %s %n", "\u202e\u200b\ufeff\ufffe!",
             "<script>alert(1)</script>", "\x01\x1b[31m\x7f", " lead and trail ", "\r\n.", "{}", '"', "𝒳\U0010ffff", "nul\\", "$1"]
    for text in texts:
        answer = ann.say(room, text)
        assert answer.status_code == 201, (text[:20], answer.text)
        assert answer.json()["content"] == text
    stored = [m["content"] for m in ann.get(f"/api/rooms/{room}/messages?after=0&limit=200").json()]
    assert stored == texts


def test_nul_and_lone_surrogates_are_refused(shared, ann):
    room = ann.room()["id"]
    for body in (b'{"content":"a\\u0000b"}', b'{"content":"a\0b"}', b'{"content":"\\ud800"}', b'{"content":"\\udc00x"}', b'{"content":"\xed\xa0\x80"}', b'{"content":"\xc0\xaf"}'):
        answer = shared.http.post(f"/api/rooms/{room}/messages", content=body,
                                  headers={**ann.auth, "Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body


def test_repeated_and_deep_json(shared, ann):
    room = ann.room()["id"]
    deep = b'{"content":"x","extra":' + b"[" * 200 + b"]" * 200 + b"}"
    answer = shared.http.post(f"/api/rooms/{room}/messages", content=deep,
                              headers={**ann.auth, "Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_limit_of_rooms_per_user(parlour):
    daemon = parlour(rooms_per_user="3")
    user = daemon.register()
    codes = [user.post("/api/rooms", {"name": "r"}).status_code for _ in range(4)]
    assert codes[:3] == [201] * 3 and codes[3] in (403, 409, 422, 429)


def test_log_is_dense_and_ordered(shared, ann, rows):
    """Messages and changes share one seq from 1 to n without gaps, and times never decrease."""
    room = ann.room()["id"]
    users = [shared.register() for _ in range(4)]

    def talk(user):
        for i in range(15):
            assert shared.once("POST", f"/api/rooms/{room}/messages", headers=user.auth,
                               json={"content": f"{i}"}).status_code == 201

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(talk, users))
    log = rows(f"SELECT seq, created_at FROM messages WHERE room_id = {room} UNION ALL "
               f"SELECT seq, created_at FROM room_changes WHERE room_id = {room} ORDER BY seq")
    assert [r[0] for r in log] == list(range(1, len(log) + 1))
    assert [r[1] for r in log] == sorted(r[1] for r in log)
    assert len(log) == 1 + 4 + 60
    assert json.loads(ann.get(f"/api/rooms/{room}").text)["last_seq"] == len(log)


def test_a_reply_to_nothing_answers_nothing(ann):
    """reply_to in the answer is the stored one: it is empty for a seq that is not a message of the room."""
    room = ann.room()["id"]
    first = ann.say(room, "first").json()
    assert ann.say(room, "second", reply_to=first["seq"]).json()["reply_to"] == first["seq"]
    assert ann.say(room, "third", reply_to=987654).json()["reply_to"] is None
    assert [m["reply_to"] for m in ann.get(f"/api/rooms/{room}/messages").json()] == [None, first["seq"], None]


# ---- details ----

def test_roles_that_are_not_there_are_named(ann):
    answer = ann.post("/api/rooms", {"name": "ok", "role_ids": [999999999]})
    assert answer.status_code == 422 and answer.json()["code"] == "validation_error"
    assert answer.json()["detail"][0]["loc"] == ["body", "role_ids"], answer.text


def test_too_large_has_its_code(ann):
    room = ann.room()["id"]
    answer = ann.post(f"/api/rooms/{room}/messages", {"content": "x" * 16385})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")
    assert answer.json()["detail"][0]["loc"] == ["body", "content"]
    other = ann.post(f"/api/rooms/{room}/messages", {"content": "x" * 16385, "reply_to": "x"}).json()
    assert other["code"] == "validation_error", "something else is wrong too"


def test_the_setting_max_content_holds_for_requests_and_sockets(parlour):
    user = parlour(max_content=300).register()
    room = user.room()["id"]
    assert user.post(f"/api/rooms/{room}/messages", {"content": "x" * 300}).status_code == 201
    answer = user.post(f"/api/rooms/{room}/messages", {"content": "x" * 301})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")
    assert answer.json()["detail"] == [{"loc": ["body", "content"], "msg": "must have at most 300 bytes", "type": "too_large"}]
    with user.ws() as sock:
        sock.send("send", topic=f"room:{room}", content="x" * 301)
        assert sock.expect("error")["code"] == "too_large"


def test_a_member_is_made_once(ann, bob):
    room = ann.room()["id"]
    first = ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    assert first.status_code == 201 and first.headers["Location"] == f"/api/rooms/{room}/members/{bob.id}"
    again = ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id})
    assert again.status_code == 200 and "Location" not in again.headers and again.json() == first.json()
    higher = ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id, "level": "moderator"})
    assert higher.status_code == 200 and higher.json()["level"] == "moderator" and "Location" not in higher.headers
    assert [ann.delete(f"/api/rooms/{room}/members/{bob.id}").status_code for _ in range(2)] == [204, 404]


def test_the_last_owner_is_told_why_they_stay(ann):
    room = ann.room()["id"]
    for answer in (ann.post(f"/api/rooms/{room}/leave"), ann.delete(f"/api/rooms/{room}/members/{ann.id}")):
        assert answer.status_code == 409 and answer.json()["code"] == "conflict"
        assert "must have an owner" in answer.json()["detail"], answer.text
