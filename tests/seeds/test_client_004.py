# SPDX-License-Identifier: ISC
"""Document 004's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

import secrets

import pytest

from browser import ENTER
from pages import browse, driver, needs_browser, origin  # noqa: F401  pylint: disable=unused-import


def role_by_004(user, **fields):
    """Creates a role like the front end of that system: POST /api/roles/ with ai_instructions."""
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
    """Create role, create room, and the room socket suffice: no client attaches the role."""
    role = role_by_004(ann)
    room = room_by_004(ann)
    with socket_of(ann, room) as sock:
        for _ in range(2):
            sock.send(**frame(role))
            assert sock.expect("message", is_ai=False)["username"] == ann.name
            answer_of(sock, role)
    assert [r["id"] for r in ann.get(f"/api/rooms/{room}").json()["roles"]] == [role["id"]]


def test_a_room_takes_the_roles_of_its_owner_for_everybody(ann, bob):
    """Another member can mention the owner's role or give its id; roles of others do not join."""
    role, second, foreign = role_by_004(ann), role_by_004(ann), role_by_004(bob)
    room = room_by_004(ann)
    with socket_of(bob, room) as sock:
        sock.send(message=f"@{foreign['name']} and @{role['name']} hello")
        answer_of(sock, role)
        sock.send(content="hello", role_id=second["id"])
        answer_of(sock, second)
    assert {r["id"] for r in ann.get(f"/api/rooms/{room}").json()["roles"]} == {role["id"], second["id"]}


def test_a_role_that_cannot_join_is_an_error(ann, rows):
    """If the database does not get a lock in time, the client that named the role gets an error."""
    role, room = role_by_004(ann), room_by_004(ann)
    rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE lock_not_available; END'")
    rows("CREATE TRIGGER refuse BEFORE INSERT ON room_roles FOR EACH ROW EXECUTE FUNCTION refuse()")
    try:
        with socket_of(ann, room) as sock:
            sock.send(content="hello", role_id=role["id"])
            assert sock.expect("message", content="hello") and sock.expect("error")["code"] == "busy"
    finally:
        rows("DROP FUNCTION refuse CASCADE")
    with socket_of(ann, room) as sock:
        sock.send(content="hello", role_id=role["id"])
        answer_of(sock, role)


def test_with_an_empty_list_a_room_takes_none(ann, bob, rows):
    """No role joins by @name, and no role of others by role_id; the sender's own role answers when named, without
    joining."""
    role, own = role_by_004(ann), role_by_004(bob)
    room = room_by_004(ann, role_ids=[])
    with socket_of(bob, room) as sock:
        sock.send(content=f"@{role['name']} hello")
        sock.send(content="hello", role_id=role["id"])
        assert sock.expect("error")["code"] == "not_found"
        sock.send(content="hello", role_id=own["id"])
        answer_of(sock, own)
        assert [f for f in sock.inbox if f.get("is_ai")] == []
    # an unwanted answer may end late, but it starts with its message
    assert [r[0] for r in rows(f"SELECT role_id FROM generations WHERE room_id = {room}")] == [own["id"]]
    assert ann.get(f"/api/rooms/{room}").json()["roles"] == []


def test_role_id_names_the_one_role_that_answers(ann, bob):
    """Only the attached role with this role_id answers, for anybody and any policy but off; an unknown or hidden role
    is an error, and the message is stored."""
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
    """A busy role that is not attached answers afterwards, like a role of the room."""
    own = role_by_004(bob)
    room = room_by_004(ann, role_ids=[])
    with socket_of(bob, room) as sock:
        sock.send(content="count to 300", role_id=own["id"])
        sock.send(content="hello", role_id=own["id"])
        answer_of(sock, own)
        answer_of(sock, own)


@pytest.mark.parametrize("name", [None, "Änn Example 漢字", "x" * 100])
def test_message_fields(shared, name):
    """Frames and history have user (the display name of the author), timestamp, and message_type besides the printed
    fields."""
    username = "n" + secrets.token_hex(5)
    made = shared.post("/api/auth/register", {"username": username, "email": username + "@example.org", "password": "correct horse 9", "name": name})
    assert made.status_code == 201, made.text
    ann = shared.login(username)
    role = role_by_004(ann, name="Product Manager " + secrets.token_hex(3))
    room = room_by_004(ann)
    with socket_of(ann, room) as sock:
        sock.send(content="hello", role_id=role["id"])
        frames = [sock.expect("message", is_ai=False), answer_of(sock, role)]
    # from both workers, with cached and uncached names
    pages = [ann.get(f"/api/rooms/{room}/messages").json() for _ in range(6)]
    history = pages[0]
    for said in (frames, *pages):
        assert [m["user"] for m in said] == [name or ann.name, role["name"]]
        assert said[0]["username"] == ann.name
        assert [m["message_type"] for m in said] == ["text", "ai_response"]
        assert all(m["timestamp"] == m["created_at"] for m in said)
    assert [m["id"] for m in frames] == [m["id"] for m in history]


PAGES = [("limit=2", [3, 4]), ("limit=2&offset=0", [3, 4]), ("limit=2&offset=1", [2, 3]), ("limit=2&offset=4", [0]), ("offset=5", []),
         ("after=0&limit=2&offset=1", [1, 2]), ("offset=2", [0, 1, 2])]


@pytest.mark.parametrize("query, want", PAGES, ids=[query for query, _ in PAGES])
def test_history_takes_limit_and_offset(ann, query, want):
    """offset skips the newest messages, so that the next page has earlier ones; each page starts with the oldest."""
    room = room_by_004(ann)
    for i in range(5):
        ann.say(room, str(i))
    assert [int(m["content"]) for m in ann.get(f"/api/rooms/{room}/messages?{query}").json()] == want
    assert ann.get(f"/api/rooms/{room}/messages?offset=-1").status_code == 422


def test_role_fields(ann, bob):
    """ai_instructions is another name of instructions; avatar, description, and user_id are returned."""
    name = "Chief of Everything " + secrets.token_hex(3)
    body = {"name": name, "ai_instructions": "Be the chief.", "avatar": "🦊", "description": "Decides."}
    made = ann.post("/api/roles/", body)
    assert made.status_code == 201, made.text
    role = made.json()
    listed = next(item for item in bob.get("/api/roles/?limit=200").json() if item["id"] == role["id"])
    for got in (role, listed, bob.get(f"/api/roles/{role['id']}").json()):
        assert {key: got[key] for key in body} == body
        assert got["instructions"] == "Be the chief." and got["user_id"] == ann.id
    assert ann.post("/api/roles/", body).status_code == 409
    assert bob.post("/api/roles/", body).json()["mention_name"] == role["mention_name"][:28] + "_2"
    plain = role_by_004(ann)
    assert (plain["avatar"], plain["description"], plain["ai_instructions"]) == (None, None, "Be brief.")


def test_a_role_with_blanks_is_mentioned_as_it_is_called(ann):
    role = role_by_004(ann, name="Office Dog " + secrets.token_hex(3))
    room = room_by_004(ann)
    with socket_of(ann, room) as sock:
        for text in (f"@{role['name']} sit", f"@{role['name'].lower()}, sit!", f"hey @{role['mention_name']}"):
            sock.send(content=text)
            assert answer_of(sock, role)["user"] == role["name"]


def test_models_and_rooms(ann):
    for model in ann.get("/api/llm/models").json():
        assert model["name"] == model["id"] and model["provider"] == "local"
    room = room_by_004(ann)
    assert ann.get(f"/api/rooms/{room}").json()["created_by"] == ann.id


def test_signaling_without_join(ann, bob):
    """offer, answer, and ice_candidate with data and without `to` are sent to all others in the room."""
    room = room_by_004(ann)
    bob.post(f"/api/rooms/{room}/join")
    with ann.ws(f"/ws/signaling/{room}", native=False) as one, bob.ws(f"/ws/signaling/{room}", native=False) as two:
        for sock in (one, two):     # an answer to the last frame: the socket is open
            sock.send("barrier")
            sock.expect("error")
        for kind, sender, hearer in (("offer", one, two), ("answer", two, one), ("ice_candidate", one, two)):
            sender.send(kind, data={"sdp": "v=0"})
            assert hearer.expect(kind)["data"] == {"sdp": "v=0"}


# ---- the page ----

@needs_browser
def test_page(parlour, browse, origin):  # noqa: F811
    """The page uses roles, a room, answers by role_id and by @name, and a call."""
    daemon = parlour(cors_origins=origin)
    user = daemon.register()
    page = browse("page_004.html", daemon, user=user.name, password=user.password)
    page.wait_list("#roles li", lambda texts: texts == [
        "\U0001f98a Product Manager: Be brief. Helps.", "\U0001f989 Night Watch: Be brief. Helps."])
    page.wait_text("#room", "board by me")
    assert page.text("#models").startswith("local/")
    page.type("#text", "@Product Manager hello" + ENTER)
    said = page.wait_list("#messages li", lambda texts: len(texts) == 2)
    assert said[0] == f"{user.name} [text] ok: @Product Manager hello"
    assert said[1].startswith("Product Manager [ai_response] ok: ")
    page.run("document.getElementById('who').selectedIndex = 2")
    page.type("#text", "anybody there?" + ENTER)
    said = page.wait_list("#messages li", lambda texts: len(texts) == 4)
    assert said[3].startswith("Night Watch [ai_response] ok: ")
    page.wait_text("#call", "stable")
    assert page.text("#errors") == ""
