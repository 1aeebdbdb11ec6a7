# SPDX-License-Identifier: ISC
"""Votes: POST and GET /api/feedback."""

import uuid

import pytest

from parlour import wait_for
from usagedata import analyst, day, send, session, settled


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


# ---- what votes do to the figures ----

def figures(user, **wanted):
    """Waits until feedback_score and acceptance_rate of /api/metrics have these values."""
    got = settled(user, "/api/metrics", lambda a: all(a[name]["value"] == value for name, value in wanted.items()))
    return {name: got[name]["value"] for name in wanted}


def withdraw(user, answer):
    gone = user.delete(f"/api/feedback/{answer.json()['id']}")
    assert gone.status_code == 204, gone.text


def answered(user, room, rows):
    """Asks the role of the room one question: (seq of the answer, its generation), once its usage is stored."""
    seq = user.say(room, "what is there?").json()["seq"]
    return tuple(wait_for(lambda: rows(
        "SELECT g.answer_seq, g.id::text FROM generations g JOIN usage u ON u.generation_id = g.id "
        f"WHERE g.room_id = {room} AND g.reply_to_seq = {seq} AND g.state = 'done'"))[0])


def test_votes_on_sessions_reach_the_figures(shared, rows):
    user = shared.register()
    first, second = (make_session(rows, user.id) for _ in range(2))
    vote(user, "session", first, 1)
    other = vote(user, "session", second, 0)
    assert figures(user, feedback_score=(5 + 3) / 2, acceptance_rate=100)  # 1 means 5 of 5, 0 means 3 of 5
    vote(user, "session", second, -1)
    assert figures(user, feedback_score=(5 + 1) / 2, acceptance_rate=50)
    withdraw(user, other)
    assert figures(user, feedback_score=5, acceptance_rate=100)
    assert accepted(rows, second) is None
    assert user.delete(f"/api/feedback/{other.json()['id']}").status_code == 404, "it is gone"


def test_only_ones_own_vote_can_be_withdrawn(ann, ben, rows):
    mine = vote(ann, "session", make_session(rows, ann.id), 1).json()["id"]
    assert ben.delete(f"/api/feedback/{mine}").status_code == 404
    assert ben.delete("/api/feedback/0").status_code == 404
    assert [v["score"] for v in ann.get(f"/api/feedback?after={mine - 1}&limit=1").json()] == [1]


def test_an_answer_and_its_message_are_one_thing(shared, rows):
    ann, ben = shared.register(), shared.register()
    room = ann.room(role_ids=[ann.role()["id"]])["id"]
    ben.post(f"/api/rooms/{room}/join")
    seq, generation = answered(ann, room, rows)
    question = vote(ann, "message", f"{room}.{seq - 1}", -1)
    assert question.status_code == 201, "people's messages may be judged; no figure is theirs"
    on_message = vote(ann, "message", f"{room}.{seq}", 1)
    assert figures(ann, feedback_score=5, acceptance_rate=100)
    vote(ann, "generation", generation, -0.5)
    assert figures(ann, feedback_score=2, acceptance_rate=0), "the newer of the two: 3 + 2 * -0.5"
    vote(ben, "generation", generation, 1)
    assert figures(ann, feedback_score=3.5, acceptance_rate=100), "mean of -0.5 and 1 is 0.25: 3 + 2 * 0.25"
    vote(ann, "message", f"{room}.{seq}", 0)
    assert figures(ann, feedback_score=4), "mean of 0 and 1"
    withdraw(ann, on_message)
    assert figures(ann, feedback_score=3.5), "the vote on the answer is there still"
    assert [tuple(r) for r in rows(f"SELECT vote, accepted_flag FROM usage WHERE generation_id = '{generation}'")] == [(0.25, True)]


def test_a_vote_may_come_before_the_use_is_noted(shared, rows):
    user = shared.register()
    room = user.room(role_ids=[user.role()["id"]])["id"]
    generation = answered(user, room, rows)[1]
    old = rows(f"DELETE FROM usage WHERE generation_id = '{generation}' RETURNING room_id, role_id, user_id, model")[0]
    vote(user, "generation", generation, -1)
    rows("INSERT INTO usage (generation_id, room_id, role_id, user_id, model, state) "
         f"VALUES ('{generation}', {old[0]}, {old[1]}, {old[2]}, '{old[3]}', 'done')")
    assert figures(user, feedback_score=1, acceptance_rate=0)


def test_votes_stand_in_for_what_an_import_says(shared, rows):
    boss = analyst(shared, rows)
    name = f"dev-{uuid.uuid4().hex[:8]}"
    send(boss, [session(n, day(1), session_id=f"{name}-{n}", developer_id=name, accepted_flag=True,
                       feedback_score=score) for n, score in enumerate((2, 4))])

    def mine(**wanted):
        got = settled(boss, f"/api/metrics?developer_id={name}", lambda a: all(a[k]["value"] == v for k, v in wanted.items()))
        return got["feedback_score"]["value"]

    assert mine(feedback_score=3, acceptance_rate=100)
    given = vote(boss, "session", f"{name}-0", -1)
    assert given.status_code == 201
    assert mine(feedback_score=2.5, acceptance_rate=50), "(1 + 4) / 2: the import's 2 does not count beside the vote"
    withdraw(boss, given)
    assert mine(feedback_score=3, acceptance_rate=100), "the import's own figures are back"
    assert boss.get(f"/api/sessions/{name}-0").json()["accepted_flag"] is True


def test_metrics_socket_notices_a_vote(shared, rows):
    user = shared.register()
    mine = make_session(rows, user.id)
    with user.ws("/ws/metrics", native=False) as sock:
        assert sock.expect("metrics")["data"]["feedback_score"]["value"] is None
        vote(user, "session", mine, 0.5)
        assert sock.expect("metrics", timeout=12)["data"]["feedback_score"]["value"] == 4
