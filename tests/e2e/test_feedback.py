# SPDX-License-Identifier: ISC
"""Votes: POST and GET /api/feedback."""

import uuid

import pytest

from parlour import wait_for


def vote(user, kind, target, score, **more):
    return user.post("/api/feedback", {"target": {"kind": kind, "id": target}, "score": score, **more})


@pytest.fixture(scope="module")
def ben(shared):
    return shared.register()


def make_session(rows, user_id, **fields):
    fields = {"kind": "'chat'", "user_id": str(user_id) if user_id else "NULL", **fields}
    sql = f"INSERT INTO sessions ({', '.join(fields)}) VALUES ({', '.join(fields.values())}) RETURNING id::text"
    return rows(sql)[0][0]


def accepted(rows, session):
    return rows(f"SELECT accepted_flag FROM sessions WHERE id = '{session}'")[0][0]


def test_a_vote_and_its_repeat(ann):
    room = ann.room()["id"]
    seq = ann.say(room, "hello").json()["seq"]
    target = f"{room}.{seq}"
    first = vote(ann, "message", target, 1, comment="good")
    assert first.status_code == 201, first.text
    body = first.json()
    assert body["target"] == {"kind": "message", "id": target} and body["score"] == 1 and body["comment"] == "good"
    assert body["created_at"] == body["updated_at"] or body["created_at"] < body["updated_at"]
    again = vote(ann, "message", target, -0.5)
    assert again.status_code == 200 and again.json()["id"] == body["id"]
    assert again.json()["score"] == -0.5 and again.json()["comment"] is None
    mine = ann.get("/api/feedback").json()
    assert [(v["target"]["id"], v["score"]) for v in mine if v["target"]["kind"] == "message"] == [(target, -0.5)]
    assert ann.get(first.headers["Location"]).json()[0]["id"] == body["id"]


def test_what_is_not_yours_does_not_exist(ann, ben, rows):
    room = ann.room(visibility="private")["id"]
    seq = ann.say(room, "secret").json()["seq"]
    assert vote(ben, "message", f"{room}.{seq}", 1).status_code == 404
    assert vote(ann, "message", f"{room}.{seq}", 1).status_code == 201
    assert vote(ann, "message", f"{room}.{seq + 1000}", 1).status_code == 404
    for bad in ("x", "1", "1.", "1.0", ".1", "1.1.1", "0.1", "1." + "9" * 30, "99999999.1"):
        assert vote(ann, "message", bad, 1).status_code == 404, bad
    session = make_session(rows, ann.id)
    assert vote(ben, "session", session, 1).status_code == 404
    assert vote(ann, "session", str(uuid.uuid4()), 1).status_code == 404
    assert vote(ann, "session", "no such thing", 1).status_code == 404
    assert vote(ann, "generation", str(uuid.uuid4()), 1).status_code == 404
    assert ben.get("/api/feedback").json() == []


def test_deleted_messages_cannot_be_judged(ann, rows):
    room = ann.room()["id"]
    seq = ann.say(room, "gone").json()["seq"]
    rows(f"UPDATE messages SET deleted_at = now(), content = '' WHERE room_id = {room} AND seq = {seq}")
    assert vote(ann, "message", f"{room}.{seq}", 1).status_code == 404


def test_sessions_follow(ann, rows):
    session = make_session(rows, ann.id)
    for score, flag in ((1, True), (-1, False), (0, None), (0.2, True)):
        answer = vote(ann, "session", session.upper(), score)
        assert answer.status_code in (200, 201) and answer.json()["target"]["id"] == session
        assert accepted(rows, session) is flag


def test_imported_sessions_are_for_analysts(shared, ann, rows):
    session = make_session(rows, None, kind="'usage'", source="'import'", external_id="'run-77'")
    assert vote(ann, "session", "run-77", 1).status_code == 404
    cyd = shared.register()
    rows(f"UPDATE users SET access = 'analyst' WHERE id = {cyd.id}")
    cyd = shared.login(cyd.name)
    answer = vote(cyd, "session", "run-77", -1)
    assert answer.status_code == 201 and answer.json()["target"]["id"] == session
    assert accepted(rows, session) is False


def test_generations(ann, ben, rows):
    room = ann.room(visibility="private", role_ids=[ann.role()["id"]])["id"]
    seq = ann.say(room, "what is there?").json()["seq"]
    target = wait_for(lambda: rows(f"SELECT id::text FROM generations WHERE room_id = {room} AND reply_to_seq = {seq}"))[0][0]
    assert vote(ann, "generation", target, 0.75).json()["score"] == 0.75
    assert vote(ben, "generation", target, 1).status_code == 404


@pytest.mark.parametrize("body, loc", [
    ({}, ["body", "target"]),
    ({"target": {"kind": "message", "id": "1.1"}}, ["body", "score"]),
    ({"target": {"kind": "message", "id": "1.1"}, "score": 1.5}, ["body", "score"]),
    ({"target": {"kind": "message", "id": "1.1"}, "score": "1"}, ["body", "score"]),
    ({"target": {"kind": "room", "id": "1.1"}, "score": 1}, ["body", "target", "kind"]),
    ({"target": {"kind": "message"}, "score": 1}, ["body", "target", "id"]),
    ({"target": "1.1", "score": 1}, ["body", "target"]),
    ({"target": {"kind": "message", "id": "1.1"}, "score": 1, "comment": "x" * 2001}, ["body", "comment"]),
])
def test_rules(ann, body, loc):
    answer = ann.post("/api/feedback", body)
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == loc, answer.text


def test_pages_and_tokens(shared):
    user = shared.register()
    room = user.room()["id"]
    for i in range(5):
        vote(user, "message", f"{room}.{user.say(room, str(i)).json()['seq']}", 1)
    page = user.get("/api/feedback?limit=2")
    assert len(page.json()) == 2 and 'rel="next"' in page.headers["Link"]
    rest = user.get(f"/api/feedback?limit=3&after={page.json()[-1]['id']}")
    assert len(rest.json()) == 3 and "Link" not in rest.headers
    assert shared.get("/api/feedback").status_code == 401
    assert shared.post("/api/feedback", {}).status_code == 401


def test_idempotency(ann):
    room = ann.room()["id"]
    body = {"target": {"kind": "message", "id": f"{room}.{ann.say(room, 'x').json()['seq']}"}, "score": 1}
    first = ann.post("/api/feedback", body, headers={"Idempotency-Key": "vote-1"})
    again = ann.post("/api/feedback", body, headers={"Idempotency-Key": "vote-1"})
    assert first.status_code == again.status_code == 201 and first.text == again.text
