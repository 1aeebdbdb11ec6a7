# SPDX-License-Identifier: ISC
"""Document 001's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

import pytest

import page
from browser import ENTER, installed


def test_me_is_active(shared, ann):
    assert ann.get("/api/auth/me").json()["is_active"] is True
    assert shared.login(ann.name).tokens["user"]["is_active"] is True


def socket_of(user, session):
    return user.ws(f"/ws/{session}", native=False)


SESSION = {"id", "userId", "status", "createdAt", "updatedAt", "preferredChannel", "messages", "feedbackRequests", "metadata"}


def test_session_frames(ann):
    """start_session, send_message, ping; session_started, agent_status, session_update, pong, with every field."""
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
    """Its client tolerates the frame; the order is always this one."""
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


PAGE = """<!doctype html><meta charset=utf-8><title>Agent chat</title>
<p id=link></p><p id=status></p><p id=session></p><ol id=messages></ol><ul id=feedback></ul><p id=unknown></p>
<form id=form><input id=text></form>
<script type=module>
const { url, user, password } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const $ = (id) => document.getElementById(id);
const login = await fetch(url + "/api/auth/login", { method: "POST", body: new URLSearchParams({ username: user, password }) });
const { access_token: token } = await login.json();
const me = await (await fetch(url + "/api/auth/me", { headers: { Authorization: "Bearer " + token } })).json();
if (!me.is_active)
	throw new Error("this account is disabled");
function show(session) {
	$("session").textContent = `${session.status} ${session.preferredChannel} ${new Date(session.createdAt).getFullYear()}`;
	$("messages").replaceChildren(...session.messages.map((message) => {
		const item = document.createElement("li");
		const time = new Date(message.timestamp);
		item.textContent = `${message.type}: ${message.content} (${message.status}, ${Number.isNaN(time.getTime()) ? "Invalid Date" : "ok"})`;
		return item;
	}));
	$("feedback").replaceChildren(...session.feedbackRequests.map((request) => {
		const item = document.createElement("li");
		item.textContent = `${request.question} ${request.status}`;
		return item;
	}));
}
const socket = new WebSocket(url.replace("http", "ws") + "/ws/" + crypto.randomUUID());
const send = (type, payload) => socket.send(JSON.stringify({ type, payload }));
socket.onopen = () => {
	socket.send(JSON.stringify({ type: "auth", token }));
	send("start_session", { userId: String(me.id), preferredChannel: "web", metadata: {} });
};
socket.onmessage = ({ data }) => {
	const { type, payload } = JSON.parse(data);
	if (type === "session_started" || type === "session_update")
		show(payload);
	else if (type === "agent_status")
		$("status").textContent = payload.status;
	else if (type === "pong")
		$("link").textContent = "alive";
	else
		$("unknown").textContent += type + " ";
	if (type === "session_started")
		send("ping");
};
$("form").onsubmit = (event) => {
	event.preventDefault();
	send("send_message", { content: $("text").value });
	$("text").value = "";
};
</script>"""


@pytest.mark.skipif(not installed(), reason="chromium and chromedriver are not installed")
def test_page(parlour):
    """A browser with the page above: it shows a whole session, and tolerates the greeting."""
    with page.served(PAGE) as origin, page.chromium() as driver:
        daemon = parlour(cors_origins=origin)
        user, other = daemon.register(), daemon.register()
        with page.opened(driver, origin, url=daemon.url, user=user.name, password=user.password) as browser:
            browser.wait_text("#link", "alive")
            assert browser.text("#session").startswith("active web 20") and browser.text("#unknown").strip() == "message"
            browser.type("#text", "hello there" + ENTER)
            said = page.wait_list(browser, "#messages li", lambda texts: len(texts) == 2)
            assert said[0] == "user: hello there (sent, ok)" and said[1].startswith("agent: ") and said[1].endswith(" (sent, ok)")
            browser.wait_text("#status", "idle")
            session = user.get("/api/sessions").json()[0]["id"]
            other.post("/api/feedback-requests", {"channel": {"kind": "web", "destination": user.name}, "run_id": session,
                                                  "question": "Was it good?"})
            page.wait_list(browser, "#feedback li", lambda texts: texts == ["Was it good? pending"])
            assert "undefined" not in browser.text("body")
