# SPDX-License-Identifier: ISC
"""Blocked users: the list, what they can no longer do, and that they do not learn that they are blocked."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from usagedata import analyst


def without_id(answer):
    return {k: v for k, v in answer.json().items() if k != "request_id"}


def blocked(user):
    return [row["username"] for row in user.get("/api/blocks").json()]


@pytest.fixture
def pair(shared):
    """Two users who share a room."""
    ann, bob = shared.register(), shared.register()
    room = ann.room(visibility="private")["id"]
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id}).status_code == 201
    return ann, bob, room


def test_the_list(pair, rows):
    ann, bob, _ = pair
    assert ann.get("/api/blocks").json() == []
    for who in (bob.id, bob.name, bob.name.upper()):
        assert ann.put(f"/api/users/{who}/block").status_code == 204
    listed = ann.get("/api/blocks").json()
    assert listed == [{"user_id": bob.id, "username": bob.name, "name": None, "created_at": listed[0]["created_at"]}]
    assert ann.get("/api/blocks?page=1&page_size=1").json()["total"] == 1 and bob.get("/api/blocks").json() == []
    assert ann.delete(f"/api/users/{bob.name}/block").status_code == 204 and blocked(ann) == []
    assert ann.delete(f"/api/users/{bob.id}/block").status_code == 404
    assert [row for row in rows(f"SELECT action, actor_id FROM audit WHERE target = 'user:{bob.id}' AND action LIKE 'user %' ORDER BY id")] == \
        [("user blocked", ann.id), ("user unblocked", ann.id)]


def test_who_can_be_blocked(shared, pair):
    ann, _, _ = pair
    hidden, public = shared.register(), shared.register()
    public.room()
    assert ann.put(f"/api/users/{ann.id}/block").status_code == 409
    answers = [ann.put(f"/api/users/{who}/block") for who in (hidden.id, hidden.name, 987654321, "nobody-here", "x" * 33, "0", "-1")]
    assert {a.status_code for a in answers} == {404} and len({json.dumps(without_id(a)) for a in answers}) == 1
    assert ann.put(f"/api/users/{public.name}/block").status_code == 204
    for method, path in (("PUT", "/api/users/1/block"), ("DELETE", "/api/users/1/block"), ("GET", "/api/blocks")):
        assert shared.once(method, path).status_code == 401


def test_as_many_as_are_allowed(parlour):
    daemon = parlour(blocks_per_user="3", user_directory="all", rate_login="100000/min")
    ann, others = daemon.register(), [daemon.register() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(lambda other: ann.put(f"/api/users/{other.id}/block").status_code, others))
    assert codes == [204] * 3 + [409] * 3 and len(blocked(ann)) == 3


def test_no_adding_to_rooms(shared, pair, rows):
    """The reply is that for a user who does not exist; admins, members, and other users are not affected."""
    ann, bob, _ = pair
    admin = analyst(shared, rows, "admin")
    mine, shared_room = bob.room(visibility="private")["id"], bob.room(visibility="private")["id"]
    assert bob.post(f"/api/rooms/{shared_room}/members", {"user_id": ann.id}).status_code == 201
    assert ann.put(f"/api/users/{bob.id}/block").status_code == 204
    for body in ({"user_id": ann.id}, {"username": ann.name}, {"user_id": ann.id, "level": "moderator"}):
        refused, nobody = bob.post(f"/api/rooms/{mine}/members", body), bob.post(f"/api/rooms/{mine}/members", {"user_id": 987654321})
        assert refused.status_code == nobody.status_code == 404 and without_id(refused) == without_id(nobody)
        assert sorted(refused.headers) == sorted(nobody.headers)
    assert bob.post(f"/api/rooms/{shared_room}/members", {"user_id": ann.id, "level": "moderator"}).status_code == 200, "a member is not added"
    assert bob.get(f"/api/users/{ann.name}").status_code == 200
    other = shared.register()
    room = other.room(visibility="private")["id"]
    assert other.post(f"/api/rooms/{room}/members", {"user_id": ann.id}).status_code == 201
    assert admin.post(f"/api/rooms/{mine}/members", {"user_id": ann.id}).status_code == 201
    assert ann.post(f"/api/rooms/{room}/leave").status_code == 200 and ann.delete(f"/api/users/{bob.id}/block").status_code == 204
    again = bob.room(visibility="private")["id"]
    assert bob.post(f"/api/rooms/{again}/members", {"user_id": ann.id}).status_code == 201


@pytest.mark.parametrize("value, code", [(False, 404), (True, 201), ("false", 201), (0, 201), (None, 201)])
def test_a_preference_has_the_same_effect(shared, value, code):
    """A preference has the same effect as a block, so a refusal does not reveal a block."""
    ann, bob = shared.register(), shared.register()
    assert ann.patch("/api/profile", {"preferences": {"add_to_rooms": value}}).status_code == 200
    assert bob.post(f"/api/rooms/{bob.room()['id']}/members", {"user_id": ann.id}).status_code == code


def test_messages_still_arrive(pair):
    """Messages of a blocked user still arrive, with the id of the author in history and live events, so that clients
    can fold them."""
    ann, bob, room = pair
    assert ann.put(f"/api/users/{bob.id}/block").status_code == 204
    with ann.ws() as sock, bob.ws() as theirs:
        for one in (sock, theirs):
            one.send("subscribe", topic=f"room:{room}")
            one.expect("subscribed")
        assert bob.say(room, "hello").status_code == 201
        assert sock.expect("message")["message"]["author"]["id"] == bob.id
        theirs.send("typing", topic=f"room:{room}")
        assert sock.expect("typing")["user"]["id"] == bob.id
        ann.say(room, "you too")
        assert theirs.expect("message", timeout=10)["message"]["author"]["id"] in (ann.id, bob.id), "nothing is withheld from them"
    assert ann.get(f"/api/rooms/{room}/messages").json()[0]["author"]["id"] == bob.id
