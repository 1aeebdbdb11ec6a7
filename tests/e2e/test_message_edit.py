# SPDX-License-Identifier: ISC
"""Edited and deleted messages: permissions, events, readable versions, and proof that deleted words are stored
nowhere."""

import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import cluster
from parlour import wait_for
from test_ws import subscribe
from usagedata import analyst


def say(user, room, content, **fields):
    answer = user.say(room, content, **fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def path(room, seq, rest=""):
    return f"/api/rooms/{room}/messages/{seq}{rest}"


@pytest.fixture
def trio(shared):
    """Creates the owner, a member, and a stranger of a private room with one message of the member."""
    ann, bob, eve = shared.register(), shared.register(), shared.register()
    room = ann.room(visibility="private")["id"]
    assert ann.post(f"/api/rooms/{room}/members", {"user_id": bob.id}).status_code == 201
    return ann, bob, eve, room


def test_an_edit_keeps_place_and_earlier_texts(trio):
    ann, bob, _, room = trio
    first = say(bob, room, "teh first", client_id="c1")
    seq = first["seq"]
    with ann.ws() as sock:
        subscribe(sock, room)
        answer = bob.patch(path(room, first["seq"]), {"content": "the first"})
        assert answer.status_code == 200
        edited = answer.json()
        assert edited == {**first, "content": "the first", "edited_at": edited["edited_at"]}
        frame = sock.expect("edited")
        assert frame["target_seq"] == first["seq"] and frame["seq"] == first["seq"] + 1
        assert frame["body"] == {"content": "the first"} and frame["actor"] == {"kind": "user", "id": bob.id, "name": bob.name}
        assert bob.patch(path(room, first["seq"]), {"content": "the first"}).json() == edited, "the same text is no edit"
        assert bob.patch(f"/api/rooms/{room}/messages/{seq}", {"content": "third"}).status_code == 200
        assert sock.expect("edited")["seq"] == first["seq"] + 2
    assert ann.get(f"/api/rooms/{room}/messages/{seq}").json()["content"] == "third"
    versions = ann.get(f"/api/rooms/{room}/messages/{seq}/versions").json()
    assert [(v["version"], v["content"]) for v in versions] == [(1, "teh first"), (2, "the first")]
    assert versions[0]["written_at"] == first["created_at"] and versions[1]["written_at"] == edited["edited_at"]
    page = ann.get(path(room, first["seq"], "/versions?limit=1"))
    assert [v["version"] for v in page.json()] == [1] and "after=1&limit=1" in page.headers["Link"]
    assert [v["version"] for v in ann.get(path(room, first["seq"], "/versions?after=1")).json()] == [2]
    repeated = bob.post(f"/api/rooms/{room}/messages", {"content": "teh first", "client_id": "c1"})
    assert repeated.status_code == 200 and repeated.json() == {**ann.get(path(room, first["seq"])).json(), "duplicate": True}
    assert bob.post(f"/api/rooms/{room}/messages", {"content": "something else", "client_id": "c1"}).json()["content"] == "third"
    assert bob.delete(path(room, first["seq"])).status_code == 204
    gone = bob.post(f"/api/rooms/{room}/messages", {"content": "teh first", "client_id": "c1"}).json()
    assert gone["content"] == "" and gone["deleted_at"] and gone["seq"] == first["seq"], "the reply shows what is stored"


def test_who_may(trio, shared, rows):
    ann, bob, eve, room = trio
    admin = analyst(shared, rows, "admin")
    message = say(bob, room, "mine")
    where = path(room, message["seq"])
    texts = {"content": "x"}
    cases = [  # who, method, status, error
        (ann, "PATCH", 403, "Only the author can edit a message."), (admin, "PATCH", 404, None),
        (eve, "PATCH", 404, None), (eve, "DELETE", 404, None), (eve, "GET", 404, None), (shared, "GET", 401, None)]
    for who, method, status, text in cases:
        answer = who.once(method, where) if who is shared else who.request(method, where, texts if method == "PATCH" else None)
        assert answer.status_code == status, (method, answer.text)
        assert text is None or answer.json()["detail"] == text
    hidden, absent = eve.get(where), eve.get(path(99999999, 1))
    assert {k: v for k, v in hidden.json().items() if k != "request_id"} == {k: v for k, v in absent.json().items() if k != "request_id"}
    own = say(ann, room, "of the owner")
    refused = bob.delete(path(room, own["seq"]))
    assert refused.status_code == 403 and "moderators" in refused.json()["detail"]
    assert bob.get(path(room, own["seq"])).json()["content"] == "of the owner"
    for seq in (1, own["seq"] + 50, 0):  # the seq of a change, a future seq, and a text that is not a seq
        for method in ("GET", "PATCH", "DELETE"):
            assert ann.request(method, path(room, seq), texts if method == "PATCH" else None).status_code == 404, (seq, method)
    assert ann.delete(where).status_code == 204 and ann.delete(where).status_code == 204
    assert bob.patch(where, texts).status_code == 404
    assert rows(f"SELECT actor_id, after ->> 'author_id' FROM audit WHERE action = 'message deleted' AND target = 'room:{room}'") == \
        [(ann.id, str(bob.id))]
    assert admin.delete(path(room, own["seq"])).status_code == 204


def test_bad_texts(trio):
    _, bob, _, room = trio
    where = path(room, say(bob, room, "good")["seq"])
    for text, status in (("", 422), ("\u200b", 422), ("x" * 20000, 422), (7, 422), (None, 422)):
        answer = bob.patch(where, {"content": text})
        assert answer.status_code == status and "content" in answer.text, text
    assert bob.get(where).json()["content"] == "good" and bob.get(path(room, 3, "/versions")).json() == []


def test_the_time_is_over(parlour, rows):
    daemon = parlour(edit_window="1h", delete_window="1h")
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    quick, slow = say(bob, room, "quick"), say(bob, room, "slow")
    rows(f"UPDATE messages SET created_at = created_at - interval '61 minutes' WHERE room_id = {room} AND seq = {slow['seq']} RETURNING seq")
    assert bob.patch(path(room, quick["seq"]), {"content": "quicker"}).status_code == 200
    late = bob.patch(path(room, slow["seq"]), {"content": "late"})
    assert late.status_code == 403 and "edit_window" in late.json()["detail"]
    refused = bob.delete(path(room, slow["seq"]))
    assert refused.status_code == 403 and "delete_window" in refused.json()["detail"]
    assert ann.delete(path(room, slow["seq"])).status_code == 204, "moderators and owners have no limit"
    assert bob.delete(path(room, quick["seq"])).status_code == 204


def test_replay_of_edits_and_deletions(trio):
    """A client that was away receives current texts, and no words that were deleted meanwhile."""
    ann, bob, _, room = trio
    word = "secret" + secrets.token_hex(4)
    with ann.ws() as sock:
        head = subscribe(sock, room)
    kept, gone = say(bob, room, "first"), say(bob, room, word)
    bob.patch(path(room, kept["seq"]), {"content": "second"})
    bob.patch(path(room, gone["seq"]), {"content": word + "!"})
    assert bob.delete(path(room, gone["seq"])).status_code == 204
    with ann.ws() as sock:
        assert subscribe(sock, room, since=head["seq"], epoch=1)["recovered"] is True
        frames = [sock.expect(kind) for kind in ("message", "message", "edited", "edited")] + [sock.expect("deleted")]
    assert [f["seq"] for f in frames] == list(range(kept["seq"], kept["seq"] + 5))
    assert frames[0]["message"]["content"] == "second" and "edited_at" in frames[0]["message"]
    assert frames[1]["message"]["content"] == "" and "deleted_at" in frames[1]["message"]
    assert frames[2]["body"] == {"content": "second"} and "body" not in frames[3]
    assert frames[4]["target_seq"] == gone["seq"] and frames[4]["actor"]["id"] == bob.id
    assert word not in str(frames)


def test_deleted_words_are_nowhere(parlour, pg, database):
    daemon = parlour()
    ann = daemon.register()
    room = ann.room()["id"]
    word = "needle" + secrets.token_hex(8)
    key = {"Idempotency-Key": secrets.token_hex(12)}
    message = ann.post(f"/api/rooms/{room}/messages", {"content": word}, headers=key).json()
    where = path(room, message["seq"])
    assert ann.patch(where, {"content": word + " edited"}).status_code == 200
    assert ann.patch(where, {"content": word + " again"}).status_code == 200

    def dump():
        return subprocess.run([f"{pg.bin}/pg_dump", pg.dsn(database, cluster.OWNER)], stdout=subprocess.PIPE, check=True).stdout.decode()

    assert dump().count(word) >= 5, "the dump would show it"
    assert ann.delete(where).status_code == 204
    assert word not in dump()
    again = ann.post(f"/api/rooms/{room}/messages", {"content": word}, headers=key)
    assert again.status_code == 201 and again.json()["seq"] == message["seq"] and again.json()["content"] == ""
    assert again.headers["Idempotent-Replayed"] == "true" and word not in dump()
    for rest in ("", "/versions"):
        assert word not in ann.get(where + rest).text
    assert word not in ann.get(f"/api/rooms/{room}/messages").text
    assert ann.get(where).json()["deleted_at"]


def test_deleted_while_the_reply_is_on_its_way(parlour, pg, database, rows):
    """The first request with the key ends after the deletion: no stored reply contains the words."""
    daemon = parlour()
    ann, bob = daemon.register(), daemon.register()
    room = ann.room()["id"]
    bob.post(f"/api/rooms/{room}/join")
    word, key = "late" + secrets.token_hex(8), {"Idempotency-Key": secrets.token_hex(12)}
    with psycopg.connect(pg.dsn(database, cluster.OWNER), autocommit=True) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute("CREATE FUNCTION hold_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NEW; END $$")
        conn.execute("CREATE TRIGGER hold_test BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION hold_test()")
        conn.execute("SELECT pg_advisory_lock(77)")
        sent = pool.submit(bob.post, f"/api/rooms/{room}/messages", {"content": word}, headers=key)
        seq = wait_for(lambda: rows(f"SELECT seq FROM messages WHERE room_id = {room} AND content = '{word}'"), 10, "it is stored")[0][0]
        assert ann.delete(path(room, seq)).status_code == 204
        conn.execute("SELECT pg_advisory_unlock(77)")
        assert sent.result().status_code == 201
        conn.execute("DROP TRIGGER hold_test ON idempotency_keys")
        conn.execute("DROP FUNCTION hold_test()")
    assert rows(f"SELECT count(*) FROM idempotency_keys WHERE body LIKE '%{word}%'") == [(0,)]
    again = bob.post(f"/api/rooms/{room}/messages", {"content": word}, headers=key)
    assert again.status_code == 201 and again.json()["content"] == "" and again.json()["seq"] == seq


def test_a_deleted_room_takes_its_earlier_texts_with_it(trio, rows):
    ann, bob, _, room = trio
    seq = say(bob, room, "one")["seq"]
    assert bob.patch(path(room, seq), {"content": "two"}).status_code == 200
    assert rows(f"SELECT room_delete({room}, {ann.id}, false)") == [("ok",)]
    assert rows(f"SELECT count(*) FROM message_versions WHERE room_id = {room}") == [(0,)]


def test_an_edit_and_a_deletion_at_the_same_time(trio, rows):
    """Whether the edit or the deletion is first, the words are deleted at the end."""
    ann, bob, _, room = trio
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            seq = say(bob, room, "before")["seq"]
            jobs = [pool.submit(bob.patch, path(room, seq), {"content": f"after {n}"}) for n in range(3)] + [pool.submit(ann.delete, path(room, seq))]
            assert {job.result().status_code for job in jobs} <= {200, 404, 204}
            assert ann.get(path(room, seq)).json()["content"] == ""
            assert rows(f"SELECT count(*) FROM message_versions WHERE room_id = {room} AND seq = {seq}") == [(0,)]
    assert rows(f"SELECT last_seq - (SELECT count(*) FROM messages WHERE room_id = {room}) - (SELECT count(*) FROM room_changes "
                f"WHERE room_id = {room}) FROM rooms WHERE id = {room}") == [(0,)], "the log has no gaps"


def test_an_archived_room(trio, rows):
    _, bob, _, room = trio
    where = path(room, say(bob, room, "old")["seq"])
    rows(f"UPDATE rooms SET archived = true WHERE id = {room} RETURNING id")
    assert bob.patch(where, {"content": "new"}).json()["code"] == "archived"
    assert bob.delete(where).status_code == 409
