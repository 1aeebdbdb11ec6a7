# SPDX-License-Identifier: ISC
"""Document 004, Virtual Company: its endpoint list with the trailing slashes it prints, its two sockets."""

from parlour import wait_for


def test_authentication(shared):
    """Users can register, log in, and read their account with email, username, name, and timestamps, but never the
    hash."""
    body = {"email": "ceo@example.com", "username": "ceo", "password": "password123", "name": "The Boss"}
    assert shared.post("/api/auth/register", body).status_code == 201
    tokens = shared.post("/api/auth/login", {"username": "ceo", "password": "password123"}).json()
    me = shared.get("/api/auth/me", headers={"Authorization": "Bearer " + tokens["access_token"]}).json()
    assert (me["email"], me["username"], me["name"]) == ("ceo@example.com", "ceo", "The Boss")
    assert me["created_at"] and not any("password" in name for name in me)


def test_roles(ann, bob):
    made = ann.post("/api/roles/", {"name": "Analyst", "instructions": "Answer with figures."})
    assert made.status_code == 201, "a trailing slash is no redirect"
    role = made.json()["id"]
    assert role in [item["id"] for item in bob.get("/api/roles/").json()]
    assert bob.get(f"/api/roles/{role}").json()["instructions"] == "Answer with figures."
    assert ann.delete(f"/api/roles/{role}").status_code == 204
    assert ann.get(f"/api/roles/{role}").status_code == 404


def test_rooms_and_history(ann, bob):
    made = ann.post("/api/rooms/", {"name": "board"})
    assert made.status_code == 201
    room = made.json()["id"]
    assert room in [item["id"] for item in ann.get("/api/rooms/").json()]
    assert ann.get(f"/api/rooms/{room}/messages").json() == []
    ann.say(room, "minutes")
    history = ann.get(f"/api/rooms/{room}/messages/").json()
    assert [(m["content"], m["user_id"], m["is_ai"]) for m in history] == [("minutes", ann.id, False)]


def test_models(ann):
    models = ann.get("/api/llm/models")
    assert models.status_code == 200 and {"id", "upstream"} <= set(models.json()[0])


def test_room_chat_and_ai_answer(ann, bob):
    """A message on /ws/chat/{room_id} reaches every member, and a role answers by itself with a message marked as
    such."""
    role = ann.role(name="Helper")
    room = ann.room(role_ids=[role["id"]], reply_policy="mention")["id"]
    with ann.ws(f"/ws/chat/{room}", native=False) as one, bob.ws(f"/ws/chat/{room}", native=False) as two:
        two.send_text('{"message": "we listen"}')
        for sock in (one, two):
            assert sock.expect("message", content="we listen")["user_id"] == bob.id
            sock.inbox.clear()
        one.send_text('{"message": "@Helper hello"}')
        for sock in (one, two):
            said = sock.expect("message")
            assert {"type", "id", "room_id", "content", "user_id", "username", "role_id", "is_ai", "created_at", "user", "timestamp",
                    "message_type"} == set(said)
            assert said["username"] == ann.name and said["is_ai"] is False
            answer = sock.expect("message", timeout=20)
            assert answer["is_ai"] is True and answer["role_id"] == role["id"] and answer["content"]
    stored = wait_for(lambda: [m for m in ann.get(f"/api/rooms/{room}/messages").json() if m["is_ai"]], 5)
    assert stored[0]["role_id"] == role["id"]


def test_signaling(ann, bob):
    """Members exchange join, offer, answer, candidate, and leave on /ws/signaling/{room_id}."""
    room = ann.room()["id"]
    assert bob.post(f"/api/rooms/{room}/join").status_code == 200
    path = f"/ws/signaling/{room}"
    with ann.ws(path, native=False) as one, bob.ws(path, native=False) as two:
        one.send("join")
        one.send("barrier")
        one.expect("error")
        two.send("join")
        peer = one.expect("join")["from"]
        one.send("offer", to=peer, sdp="v=0")
        offer = two.expect("offer")
        two.send("answer", to=offer["from"], sdp="v=0")
        assert one.expect("answer")["from"] == peer
        two.send("candidate", to=offer["from"], candidate={"candidate": "c"})
        assert one.expect("candidate")["candidate"] == {"candidate": "c"}
        two.send("leave")
        assert one.expect("leave")["from"] == peer


def test_provider_keys(ann, bob):
    """APIKey: the keys that users bring are stored encrypted."""
    for provider in ("openai", "anthropic", "openrouter"):
        stored = ann.put(f"/api/provider-keys/{provider}", {"key": "sk-test-0123456789abcdef"})
        assert stored.status_code == 200, stored.text
        assert "0123456789abcdef" not in stored.text and "0123456789abcdef" not in ann.get("/api/provider-keys").text
        assert bob.get(f"/api/provider-keys/{provider}").status_code == 404
        assert ann.delete(f"/api/provider-keys/{provider}").status_code == 204
