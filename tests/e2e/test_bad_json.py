# SPDX-License-Identifier: ISC
"""Every JSON route and both chat sockets against the table of cases_json.py: valid JSON is accepted, invalid JSON is
refused with the error of the route, and no process dies."""

import json
import os
import re
import uuid

import pytest

import wire
from cases_json import BAD, GOOD, ODD
from parlour import HERE
from quick import Quick

ROW = re.compile(r'^ROUTE\((POST|PUT|PATCH),\s*"([^"]+)"', re.M)


def json_routes():
    with open(os.path.join(os.environ.get("PARLOUR_SRC", HERE + "/../.."), "src/api/http/routes.def"), encoding="utf-8") as table:
        return ROW.findall("".join(line for line in table if not re.search(r"\bRAW\b", line)))


class Wire(Quick):
    """Sends JSON requests and returns (status, body)."""

    def ask(self, method, path, body, headers):
        answer = self.request(method, path, content=body, headers={"Content-Type": "application/json", **headers})
        return answer.status_code, answer.content


@pytest.fixture(scope="module")
def scene(shared):
    """Creates the users who send requests, and the room, role, and user for the placeholders of paths."""
    user, other = shared.register(), shared.register()
    room, role = user.room()["id"], user.role()["id"]
    holes = {"room_id": room, "role_id": role, "user_id": other.id, "generation_id": uuid.uuid4(),
             "provider": "openai", "emoji": "%F0%9F%91%8D", "seq": user.say(room, "here").json()["seq"], "key_id": 987654321, "notification_id": 987654321, "user": other.name}
    return shared, user, room, holes


@pytest.fixture(scope="module")
def boss(shared, rows):
    """Returns a user who may use the routes of administration."""
    user = shared.register()
    rows(f"UPDATE users SET access = 'admin' WHERE id = {user.id}")
    return user


@pytest.fixture(scope="module", autouse=True)
def same_processes(shared):
    """The processes at the end are those of the beginning: no worker died."""
    before = shared.workers()
    yield
    assert shared.workers() == before and shared.alive()


def judge(kind, name, text, status, body):
    """Returns what is wrong with a reply, or None. 400 comes from the parser, 422 from the shape."""
    answer = json.loads(body) if body else {}
    if status == 413 and len(text) > 4096:
        return None
    if status == 501 and b"smtp_url" in body:       # checked before the body
        return None
    if status >= 500 or status == 0:
        return f"{name}: {status} {body[:100]!r}"
    if kind == "bad" and (status != 400 or answer["code"] != "bad_request" or not answer["request_id"]):
        return f"{name}: {status} {body[:100]!r}, must be 400"
    if kind == "good" and status == 400:
        return f"{name}: refused: {body[:160]!r}"
    return None


@pytest.mark.parametrize("method,path", json_routes())
def test_table_on_each_route(scene, boss, method, path):
    shared, user, _, holes = scene
    user = boss if path.startswith("/api/admin/") else user
    link, wrong = Wire(shared), []
    caller = shared.login(user.name)
    target = path.format(**{"request_id": "00000000-0000-4000-8000-000000000000", "job_id": "00000000-0000-4000-8000-000000000000", "token": "x",
                          "layout_id": "main", "session_id": "x", **holes})
    for kind, table in (("good", GOOD), ("bad", BAD), ("odd", ODD)):
        for name, text in table:
            status, body = link.ask(method, target, text, caller.auth)
            wrong.append(judge(kind, name, text, status, body))
            if status == 204:
                caller = shared.login(user.name)
            if kind == "good" and text.strip()[:1] != b"{" and status not in (422, 413, 501):
                wrong.append(f"{name}: {status}, but the body is no object")
    assert not any(wrong), [w for w in wrong if w][:10]


def test_inside_a_good_message(scene, rows):
    """The same texts as the value of an unknown member: the message is stored exactly if the body is valid JSON."""
    shared, user, _, _ = scene
    room, link, wrong, stored = user.room()["id"], Wire(shared), [], 0
    for kind, table in (("good", GOOD), ("bad", BAD), ("odd", ODD)):
        for name, text in table:
            body = b'{"content":"' + kind.encode() + b'","extra":' + text + b"}"
            status, answer = link.ask("POST", f"/api/rooms/{room}/messages", body, user.auth)
            wrong.append(judge(kind, name, text, status, answer))
            stored += status == 201
            if kind == "good" and status != 201:
                wrong.append(f"{name}: {status} {answer[:100]!r}")
    assert not any(wrong), [w for w in wrong if w][:10]
    found = dict(rows(f"SELECT content, count(*) FROM messages WHERE room_id = {room} GROUP BY content"))
    assert "bad" not in found and found["good"] == len(GOOD) and sum(found.values()) == stored


def test_strings_come_back(scene):
    """Each valid string is sent as content, after a visible letter: the reply and the history contain what a JSON
    parser reads from it."""
    shared, user, _, _ = scene
    room, link, want = user.room()["id"], Wire(shared), []
    for name, text in GOOD:
        if name.startswith("string"):
            text = b'"x' + text.strip()[1:]
            status, answer = link.ask("POST", f"/api/rooms/{room}/messages", b'{"content":' + text + b"}", user.auth)
            assert status == 201 and json.loads(answer)["content"] == json.loads(text), (name, answer)
            want.append(json.loads(text))
    assert [m["content"] for m in user.get(f"/api/rooms/{room}/messages?limit=200").json()] == want


NUMBERS = [("0", False), ("1.0", False), ("1e0", False), ("1e2", False), ("-1", False), ("0.5", False), ('"1"', False), ("true", False), ("[1]", False), ("-0", False),
           ("9223372036854775808", False), ("-9223372036854775809", False), ("18446744073709551617", False), ("1e999", False),
           ("9" * 300, False), ("4294967297", True), ("9223372036854775807", True), ("1", True), ("null", True)]


def test_numbers_keep_their_value(scene):
    """reply_to accepts integers from 1 within 64 bits; the server never rounds or wraps a value into the seq of an
    existing message."""
    shared, user, room, _ = scene
    link, wrong = Wire(shared), []
    user.say(room, "first")
    for text, fits in NUMBERS:
        status, answer = link.ask("POST", f"/api/rooms/{room}/messages", f'{{"content":"n","reply_to":{text}}}'.encode(), user.auth)
        answer = json.loads(answer)
        if fits:
            good = status == 201
        else:
            good = status == 422 and answer["detail"][0]["loc"] == ["body", "reply_to"]
        # none of them is the seq of a message in the room
        if not good or (status == 201 and answer["reply_to"] is not None):
            wrong.append((text[:30], status, answer))
    assert not wrong, wrong


def test_objects_of_the_largest_size(scene):
    """A body with the maximum number of keys and values takes no longer than a usual request, so the parser has no
    quadratic behavior."""
    shared, user, room, _ = scene
    link = Wire(shared)
    keys = ",".join(f'"{"k" * 20}{i}":1' for i in range(4000))
    assert link.ask("POST", f"/api/rooms/{room}/messages", f'{{"content":"wide",{keys}}}'.encode(), user.auth)[0] == 201
    assert link.ask("POST", f"/api/rooms/{room}/messages", f'{{"content":"wide",{keys},"last":[{keys and "1," * 99}1]}}'.encode(), user.auth)[0] == 400


# ---- the same as frames ----

def is_text(data):
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def open_socket(user, room, native):
    return user.ws() if native else user.ws(f"/ws/chat/{room}", native=False)


def one_frame(sock, native, prefix, text):
    """Sends prefix + text + '}' and a valid frame after it; returns the types of all replies up to the one to the valid
    frame."""
    sock.send_text(prefix + text + b"}" if prefix else text)
    sock.send_text('{"type":"ping","id":"end"}' if native else '{"message":"end"}')
    seen = []
    while True:
        frame = sock.recv()
        if frame.get("id") == "end" or frame.get("content") == "end":
            return seen
        seen.append(frame)


@pytest.mark.parametrize("native", [True, False], ids=["native", "compatible"])
def test_table_as_frames(scene, rows, native):
    """Valid JSON is accepted; anything else gets an error frame and the socket stays open; invalid UTF-8 closes it with
    1007."""
    _, user, _, _ = scene
    room = user.room()["id"]
    sock, wrong = open_socket(user, room, native), []
    inner = b'{"type":"ping","extra":' if native else b'{"message":"extra","extra":'
    for kind, table in (("good", GOOD), ("bad", BAD), ("odd", ODD)):
        for name, text in table:
            if not is_text(text):
                with open_socket(user, room, native) as other:
                    other.send_text(inner + text + b"}")
                    if other.wait_closed() != 1007:
                        wrong.append((name, other.closed_with))
                continue
            bare = one_frame(sock, native, b"", text)
            if len(bare) != 1 or bare[0]["type"] != "error" or bare[0]["code"] not in ("bad_frame", "unknown_type", "bad_request"):
                wrong.append((name, "bare", bare))
            seen = one_frame(sock, native, inner, text)
            types = {"good": ("pong", "message"), "bad": ("error",), "odd": ("pong", "message", "error")}[kind]
            if len(seen) != 1 or seen[0]["type"] not in types:
                wrong.append((name, "inside", seen))
    assert not wrong, wrong[:10]
    assert sock.close() == 1000
    found = {r[0] for r in rows(f"SELECT DISTINCT content FROM messages WHERE room_id = {room}")}
    assert found <= {"extra", "end"}


FRAMES = [('{"type":"send"}', "topic"), ('{"type":"send","topic":"room:%d"}', "content"), ('{"type":"send","topic":5,"content":"x"}', "topic"),
          ('{"type":"send","topic":"room:%d","content":5}', "content"), ('{"type":"send","topic":"room:%d","content":["x"]}', "content"),
          ('{"type":"send","topic":"room:%d","content":"x","client_id":5}', "client_id"), ('{"type":"send","topic":"room:%d","content":"x","client_id":""}', "client_id"),
          ('{"type":"send","topic":"room:%d","content":"x","reply_to":"1"}', "reply_to"), ('{"type":"send","topic":"room:%d","content":"x","reply_to":0}', "reply_to"),
          ('{"type":"send","topic":"room:%d","content":"x","reply_to":1e3}', "reply_to"), ('{"type":"send","topic":"room:%d","content":"x","reply_to":-1}', "reply_to"),
          ('{"type":"send","topic":"room:%d","content":"x","reply_to":9223372036854775808}', "reply_to"),
          ('{"type":"subscribe","topic":"room:%d","since":-1}', "since"), ('{"type":"subscribe","topic":"room:%d","since":"0"}', "since"),
          ('{"type":"subscribe","topic":"room:%d","since":1.5}', "since"), ('{"type":"subscribe","topic":"room:%d","since":0,"epoch":"x"}', "epoch"),
          ('{"type":"subscribe","topic":"room:%d","since":18446744073709551616}', "since"), ('{"type":"subscribe","topic":["room:%d"]}', "topic"),
          ('{"type":"read","topic":"room:%d","seq":1}', "topic"), ('{"type":"stop","generation_id":"x"}', "generation_id"),
          ('{"type":"stop","generation_id":7}', "generation_id"), ('{"type":"stop"}', "generation_id"), ('{"type":"unsubscribe"}', "topic")]


def test_wrong_types_in_frames_name_the_field(scene):
    _, user, _, _ = scene
    room = user.room()["id"]
    with user.ws() as sock:
        for text, field in FRAMES:
            sock.send_text(text.replace("%d", str(room)))
            error = sock.recv()
            assert error["type"] == "error" and error["code"] == "validation_error" and error["detail"].startswith(field), (text, error)
        for topic in ("", "room:", "room:0", "room:-1", "room:+%d", "room: %d", "room:%d ", "room:%dx", "room:9223372036854775808", "Room:%d", "room:%d:1",
                      "rooms:%d", "room:1e0", "room:0x1", "room:١", "user:%d", "session:%d", "room:%d\n", "room:%d/../1", "room:%%3%d", "room:' OR 1=1 --"):
            sock.send("subscribe", topic=topic.replace("%d", str(room)))
            frame = sock.recv()
            known = topic.split(":")[0] in ("room", "session") and ":" in topic
            assert frame["type"] == "error" and frame["code"] == ("not_found" if known else "validation_error"), (topic, frame)
            assert known or frame["detail"].startswith("topic must be room:NUMBER"), frame
    assert user.get(f"/api/rooms/{room}").json()["last_seq"] == 1


def test_a_frame_of_the_largest_size_is_read(scene):
    """A frame of 128 KiB of JSON with the message at its end is accepted; one byte more closes the socket with 1009."""
    _, user, room, _ = scene
    with user.ws() as sock:
        head, tail = b'{"pad":"', b'","type":"ping","id":"big"}'
        sock.send_frame(wire.TEXT, head + b"x" * (128 * 1024 - len(head) - len(tail)) + tail)
        assert sock.expect("pong")["id"] == "big"
        sock.send_frame(wire.TEXT, head + b"x" * (128 * 1024 + 1 - len(head) - len(tail)) + tail)
        assert sock.wait_closed() == 1009
    assert user.get(f"/api/rooms/{room}").status_code == 200
