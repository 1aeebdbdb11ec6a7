# SPDX-License-Identifier: ISC
"""Document 004's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

import secrets

import pytest

TEXT = "[[ok]] hello"


def role_by_004(user, **fields):
    """As its front end makes one: POST /api/roles/ with ai_instructions."""
    made = user.post("/api/roles/", {"name": "R" + secrets.token_hex(4), "instructions": "Be brief.", **fields})
    assert made.status_code == 201, made.text
    return made.json()


def room_by_004(user, **fields):
    made = user.post("/api/rooms/", {"name": "board", **fields})
    assert made.status_code == 201, made.text
    return made.json()["id"]


def socket_of(user, room):
    return user.ws(f"/ws/chat/{room}", native=False)


def answer_of(sock, role):
    said = sock.expect("message", is_ai=True, timeout=20)
    assert said["role_id"] == role["id"] and said["content"]
    return said


FRAMES = {
    "message and @name": lambda role: {"message": f"@{role['name']} hello"},
    "content and @name": lambda role: {"content": f"@{role['name']} hello"},
    "content and role_id": lambda role: {"content": "hello", "role_id": role["id"]},
    "message and role_id": lambda role: {"message": "hello", "role_id": role["id"]},
    "typed content and role_id": lambda role: {"type": "message", "content": "hello", "role_id": role["id"]},
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_an_ai_answers_with_the_printed_routes_alone(ann, frame):
    """Create role, create room, room socket: nobody attaches anything."""
    role = role_by_004(ann)
    room = room_by_004(ann)
    with socket_of(ann, room) as sock:
        for _ in range(2):
            sock.send(**frame(role))
            assert sock.expect("message", is_ai=False)["username"] == ann.name
            answer_of(sock, role)
    assert [r["id"] for r in ann.get(f"/api/rooms/{room}").json()["roles"]] == [role["id"]]


def test_a_room_takes_the_roles_of_its_owner_for_everybody(ann, bob):
    """Another member mentions the owner's role, or names its id; roles of others stay out."""
    role, second, foreign = role_by_004(ann), role_by_004(ann), role_by_004(bob)
    room = room_by_004(ann)
    with socket_of(bob, room) as sock:
        sock.send(message=f"@{foreign['name']} and @{role['name']} hello")
        answer_of(sock, role)
        sock.send(content="hello", role_id=second["id"])
        answer_of(sock, second)
    assert {r["id"] for r in ann.get(f"/api/rooms/{room}").json()["roles"]} == {role["id"], second["id"]}


def test_with_an_empty_list_a_room_takes_none(ann, bob):
    """Not by @name, and of others not by role_id; the sender's own role answers where it is named, and stays outside."""
    role, own = role_by_004(ann), role_by_004(bob)
    room = room_by_004(ann, role_ids=[])
    with socket_of(bob, room) as sock:
        sock.send(content=f"@{role['name']} hello")
        sock.send(content="hello", role_id=role["id"])
        assert sock.expect("error")["code"] == "not_found"
        sock.send(content="hello", role_id=own["id"])
        answer_of(sock, own)
        assert [f for f in sock.inbox if f.get("is_ai")] == []
    assert ann.get(f"/api/rooms/{room}").json()["roles"] == []


def test_role_id_names_the_one_role_that_answers(ann, bob):
    """Attached roles answer anybody, alone, whatever the policy but off; what nobody may ask is an error, and the message stays."""
    first, second, foreign = role_by_004(ann), role_by_004(ann), role_by_004(ann)
    room = room_by_004(ann, role_ids=[first["id"], second["id"]], reply_policy="all")
    with socket_of(bob, room) as sock:
        sock.send(content=f"@{first['name']} hello", role_id=second["id"])
        answer_of(sock, second)
        for number in (foreign["id"], 2 ** 62):
            sock.send(content="who?", role_id=number)
            assert sock.expect("message", is_ai=False, content="who?") and sock.expect("error")["code"] == "not_found"
        sock.send(content="hello", role_id=first["id"])
        answer_of(sock, first)
        for wrong in ("1", 0, -1, 1.5, [], True):
            sock.send(content="hello", role_id=wrong)
            assert "role_id" in sock.expect("error")["message"]
    quiet = room_by_004(ann, reply_policy="off")
    with socket_of(ann, quiet) as sock:
        sock.send(content="hello", role_id=first["id"])
        assert sock.expect("error")["code"] == "forbidden"
        assert sock.expect("message", content="hello")
    asked = ann.get(f"/api/rooms/{room}/messages").json()
    assert [m["role_id"] for m in asked if m["is_ai"]] == [second["id"], first["id"]]


def test_an_own_role_that_is_busy_answers_once_more(ann, bob):
    """Not attached: the follow-up of a busy role comes as for one of the room."""
    own = role_by_004(bob)
    room = room_by_004(ann, role_ids=[])
    with socket_of(bob, room) as sock:
        sock.send(content="count to 300", role_id=own["id"])
        sock.send(content="hello", role_id=own["id"])
        answer_of(sock, own)
        answer_of(sock, own)
