# SPDX-License-Identifier: ISC
"""Document 001's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

from browser import ENTER
from pages import browse, driver, needs_browser, origin  # noqa: F401  pylint: disable=unused-import


def test_me_is_active(shared, ann):
    assert ann.get("/api/auth/me").json()["is_active"] is True
    assert shared.login(ann.name).tokens["user"]["is_active"] is True


def socket_of(user, session):
    return user.ws(f"/ws/{session}", native=False)


SESSION = {"id", "userId", "status", "createdAt", "updatedAt", "preferredChannel", "messages", "feedbackRequests", "metadata"}


def test_session_frames(ann):
    """start_session, send_message, and ping get session_started, agent_status, session_update, and pong with every
    field."""
    with socket_of(ann, "new-tab") as sock:
        sock.send("start_session", payload={"userId": "me", "preferredChannel": "web", "metadata": {"source": "web"}})
        session = sock.expect("session_started")["payload"]
        assert set(session) == SESSION and session["status"] == "active" and session["metadata"] == {"source": "web"}
        sock.send("send_message", payload={"content": "hello"})
        assert sock.expect("agent_status", timeout=20)["payload"]["status"] == "thinking"
        update = sock.expect("session_update", timeout=20)["payload"]
        assert sock.expect("agent_status")["payload"]["status"] == "idle"
        assert set(update) == SESSION and [m["type"] for m in update["messages"]] == ["user", "agent"]
        for message in update["messages"]:
            assert {"id", "sessionId", "content", "type", "timestamp", "status", "channel"} == set(message)
        sock.send("ping")
        sock.expect("pong")


def test_the_greeting_comes_before_session_started(ann):
    """The greeting always comes before session_started; the client of that system ignores it."""
    with socket_of(ann, "new-tab") as sock:
        sock.send("start_session", payload={})
        assert [sock.recv()["type"] for _ in range(2)] == ["message", "session_started"]


def test_feedback_requests_of_the_session(ann, bob):
    with socket_of(ann, "new-tab") as sock:
        sock.send("start_session", payload={})
        session = sock.expect("session_started")["payload"]["id"]
        made = bob.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": ann.name}, "run_id": session,
                                                   "question": "Is it good?"})
        assert made.status_code == 201, made.text
        requests = sock.expect("session_update")["payload"]["feedbackRequests"]
        assert [(r["id"], r["sessionId"], r["question"], r["status"]) for r in requests] == [
            (made.json()["id"], session, "Is it good?", "pending")]


# ---- the page ----

@needs_browser
def test_page(parlour, browse, origin):  # noqa: F811
    """The page shows a whole session and ignores the greeting."""
    daemon = parlour(cors_origins=origin)
    user, other = daemon.register(), daemon.register()
    page = browse("page_001.html", daemon, user=user.name, password=user.password)
    page.wait_text("#link", "alive")
    assert page.text("#session").startswith("active web 20") and page.text("#unknown").strip() == "message"
    page.type("#text", "hello there" + ENTER)
    said = page.wait_list("#messages li", lambda texts: len(texts) == 2)
    assert said[0] == "user: hello there (sent, ok)" and said[1].startswith("agent: ") and said[1].endswith(" (sent, ok)")
    page.wait_text("#status", "idle")
    session = user.get("/api/sessions").json()[0]["id"]
    other.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": user.name}, "run_id": session,
                                          "question": "Was it good?"})
    page.wait_list("#feedback li", lambda texts: texts == ["Was it good? pending"])
