# SPDX-License-Identifier: ISC
"""Document 001, Interactive Agent Chat: its curl lines as printed, its lifetimes and limits."""

import pytest

from parlour import claims
from printed import curl, default

REGISTER = '''curl -X POST http://localhost:8000/api/auth/register \\
  -H "Content-Type: application/json" \\
  -d '{
    "email": "user@example.com",
    "username": "testuser",
    "password": "password123"
  }'
'''
LOGIN = '''curl -X POST http://localhost:8000/api/auth/login \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "username=testuser&password=password123"
'''
ME = '''curl -X GET http://localhost:8000/api/auth/me \\
  -H "Authorization: Bearer YOUR_ACCESS_TOKEN"
'''
REFRESH = '''curl -X POST http://localhost:8000/api/auth/refresh \\
  -H "Content-Type: application/json" \\
  -d '{"refresh_token": "YOUR_REFRESH_TOKEN"}'
'''
RESPONSE = {"access_token": "eyJ0eXAiOiJKV1QiLCJhbGc...", "refresh_token": "eyJ0eXAiOiJKV1QiLCJhbGc...",
            "token_type": "bearer"}


@pytest.fixture(scope="module")
def registered(shared):
    return curl(shared, REGISTER)


def like_printed(tokens):
    assert set(RESPONSE) <= set(tokens) and tokens["token_type"] == RESPONSE["token_type"]
    for name in ("access_token", "refresh_token"):
        assert tokens[name].startswith("eyJ") and tokens[name].count(".") == 2


def test_register_as_printed(registered):
    like_printed(registered)


def test_login_as_printed(shared, registered):
    like_printed(curl(shared, LOGIN))


def test_me_as_printed(shared, registered):
    me = curl(shared, ME, YOUR_ACCESS_TOKEN=registered["access_token"])
    assert me["email"] == "user@example.com" and me["username"] == "testuser"
    assert curl(shared, ME)["code"], "the printed placeholder is no token"


def test_refresh_as_printed(shared, registered):
    tokens = curl(shared, LOGIN)
    fresh = curl(shared, REFRESH, YOUR_REFRESH_TOKEN=tokens["refresh_token"])
    like_printed(fresh)
    assert curl(shared, ME, YOUR_ACCESS_TOKEN=fresh["access_token"])["username"] == "testuser"


def test_lifetimes_as_printed(registered):
    """The access token is valid for 25 minutes and the refresh token for 7 days, as printed."""
    access, refresh = claims(registered["access_token"]), claims(registered["refresh_token"])
    assert access["exp"] - access["iat"] == 25 * 60 and refresh["exp"] - refresh["iat"] == 7 * 86400


def test_pages_as_printed(shared):
    """The four addresses under "API Documentation" exist."""
    for path in ("/docs", "/redoc", "/health", "/"):
        assert shared.get(path).status_code == 200


def test_limits_as_printed():
    assert default("rate_ask") == "30/min" and default("rate_ask_session") == "10/min"
    assert default("rate_channel") == "20/min" and default("sessions_per_user") == "3"
    assert default("session_life") == "24h" and default("feedback_timeout") == "48h"


def test_three_sessions_per_user(shared):
    user = shared.register()
    codes = [user.post("/api/sessions") for _ in range(4)]
    assert [c.status_code for c in codes] == [201] * 3 + [429] and codes[3].json()["code"] == "session_limit"


def test_ten_per_minute_and_session(parlour):
    daemon = parlour(rate_ask_session="10/h", workers=1)
    user = daemon.register()
    session = user.post("/api/sessions").json()["id"]
    codes = [user.post("/api/chat", {"message": "yes", "session_id": session}).status_code for _ in range(11)]
    assert codes == [200] * 10 + [429]


def test_feedback_request_and_response(shared, ann):
    other = shared.register()
    made = ann.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": other.name},
                                               "question": "May it go out?", "options": ["yes", "no"]})
    assert made.status_code == 201, made.text
    path = "/api/feedback-requests/" + made.json()["id"]
    answered = other.post(path + "/respond", {"answer": "yes"})
    assert answered.status_code == 200, answered.text
    got = ann.get(path).json()
    assert (got["status"], got["answer"]) == ("answered", "yes")


def test_socket_authentication(shared, ann):
    """Sockets require authentication, which the document names as missing."""
    room = ann.room(visibility="private")["id"]
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send("auth", token="nonsense")
        assert sock.wait_closed() == 4401
    with shared.ws(f"/ws/chat/{room}", protocols=()) as sock:
        sock.send("auth", token=ann.access)
        sock.send_text('{"message": "in"}')
        assert sock.expect("message")["content"] == "in"
