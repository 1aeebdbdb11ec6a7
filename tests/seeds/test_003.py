# SPDX-License-Identifier: ISC
"""Document 003, the chatbot: its curl lines and its Python client as printed, each endpoint, both frames."""

import contextlib
import io
import json
import types

import pytest

from printed import curl, needs

HEALTH = "curl http://localhost:8000/health"
CREATE = "curl -X POST http://localhost:8000/api/sessions"
CHAT = '''curl -X POST http://localhost:8000/api/chat \\
  -H "Content-Type: application/json" \\
  -d '{"message": "Hello!", "session_id": "your-session-id"}'
'''
CLIENT = '''import asyncio
import websockets
import json

async def test_websocket():
    async with websockets.connect('ws://localhost:8000/ws/test-session-id') as websocket:
        # Receive greeting
        greeting = await websocket.recv()
        print(f"Received: {greeting}")
        
        # Send message
        await websocket.send(json.dumps({"message": "Hello!"}))
        
        # Receive response
        response = await websocket.recv()
        print(f"Received: {response}")

asyncio.run(test_websocket())
'''
SENDS = '''{
  "message": "What do you think about momentum trading?"
}'''
RESPONDS = json.loads('''{
  "type": "message",
  "message": "Bot response here...",
  "data_collected": {
    "name": false,
    "email": false,
    "income": false
  },
  "is_complete": false
}''')


@pytest.fixture
def session(guests):
    return curl(guests, CREATE)


def like_printed(frame, *more):
    assert set(frame) == set(RESPONDS) | set(more)
    assert isinstance(frame["message"], str) and frame["message"]
    assert {name: frame[name] for name in RESPONDS if name != "message"} == {
        name: value for name, value in RESPONDS.items() if name != "message"}


def test_health_as_printed(guests):
    assert curl(guests, HEALTH)["status"] == "healthy"


def test_create_session_as_printed(session):
    assert session["id"] == session["session_id"] and session["data_collected"] == RESPONDS["data_collected"]
    assert session["is_complete"] is False


def test_chat_as_printed(guests, session):
    assert curl(guests, CHAT)["code"] == "not_found", "the printed placeholder is nobody's session"
    answer = curl(guests, CHAT, **{"your-session-id": session["id"]})
    assert answer["response"] == answer["message"] != "" and answer["session_id"] == session["id"]
    assert answer["data_collected"] == RESPONDS["data_collected"] and answer["is_complete"] is False


def test_python_client_as_printed(guests):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(CLIENT.replace("localhost:8000", f"{guests.host}:{guests.port}"), "document 003", "exec"),  # pylint: disable=exec-used
             types.ModuleType("printed_client").__dict__)
    greeting, response = (json.loads(line.removeprefix("Received: ")) for line in output.getvalue().splitlines())
    like_printed(greeting, "session_id")
    like_printed(response)


def test_frames_as_printed(guests, session):
    with guests.ws(f"/ws/{session['id']}", protocols=()) as sock:
        like_printed(sock.recv(), "session_id")
        sock.send_text(SENDS)
        like_printed(sock.recv())
        assert not sock.inbox, "exactly one answer, no echo"


def test_get_session(guests, session):
    got = guests.get(f"/api/sessions/{session['id']}")
    assert got.status_code == 200 and got.json()["id"] == session["id"]
    assert guests.get("/api/sessions/no-such-session").status_code == 404


def test_list_sessions(guests):
    """The list is public in that system; here each caller sees only their own sessions."""
    assert guests.get("/api/sessions").status_code == 401
    user = guests.register()
    made = user.post("/api/sessions").json()["id"]
    assert [item["session_id"] for item in user.get("/api/sessions").json()] == [made]


def test_greeting(guests):
    greeting = guests.get("/api/greeting")
    assert greeting.status_code == 200 and greeting.json()["message"]


def test_four_workers(parlour):
    """With `--workers 4`, a session is the same in all workers."""
    daemon = parlour(guest="on", workers=4)
    ident = daemon.post("/api/sessions").json()["id"]
    for _ in range(12):
        assert daemon.once("POST", "/api/chat", json={"message": "Hello!", "session_id": ident}).status_code == 200
    assert daemon.get(f"/api/sessions/{ident}").json()["messages"] == 24


@needs("POST /api/knowledge", "POST /api/knowledge/search")
def test_knowledge(shared, rows):
    from usagedata import analyst  # pylint: disable=import-outside-toplevel
    admin = analyst(shared, rows, "admin")
    made = admin.post("/api/knowledge", {"title": "Momentum", "text": "Momentum trading follows the trend."})
    assert made.status_code in (200, 201), made.text
    found = admin.post("/api/knowledge/search", {"query": "momentum trading"})
    assert found.status_code == 200 and "trend" in found.text
