# SPDX-License-Identifier: ISC
"""Document 000, AGENT BI: its endpoints, its demo account, its limits, its chat socket."""

import time

import cluster
from printed import default, needs


def test_login_with_the_demo_account(shared, pg, database):
    """An operator creates the account of `POST /api/auth/login` (username: "cfo", password: "demo") on request, and it
    can log in."""
    printed = {"username": "cfo", "password": "demo"}
    assert shared.post("/api/auth/login", printed).status_code == 401, "nobody has it by default"
    shared.ctl("seed-demo", "--dsn", pg.dsn(database, cluster.OWNER))
    for answer in (shared.post("/api/auth/login", printed), shared.post("/api/auth/login", data=printed)):
        assert answer.status_code == 200 and answer.json()["token_type"] == "bearer"
    assert shared.get("/api/auth/me", headers={"Authorization": "Bearer " + answer.json()["access_token"]}
                      ).json()["username"] == "cfo"


def test_health_and_root(shared):
    health = shared.get("/health")
    assert health.status_code == 200 and health.json()["status"] == "healthy"
    assert health.json()["services"]["database"] == "up"
    root = shared.get("/").json()
    assert root["name"] and root["version"]


def test_docs(shared):
    """The address http://localhost:8000/docs returns a page."""
    page = shared.get("/docs")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")


def test_protected_endpoints(shared, ann):
    for path in ("/api/auth/me", "/api/rooms", "/api/feedback"):
        refused = shared.get(path)
        assert refused.status_code == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert ann.get(path).status_code == 200


def test_feedback(shared, ann):
    room = ann.room()["id"]
    message = ann.say(room, "judge me").json()["id"]
    vote = {"target": {"kind": "message", "id": message}, "score": 1, "comment": "good"}
    assert shared.post("/api/feedback", vote).status_code == 401
    assert ann.post("/api/feedback", vote).status_code == 201
    assert ann.get("/api/feedback").json()[0]["score"] == 1


def test_limits(parlour):
    """The limits of 5/min for login and 30/min for queries hold, as printed and as default."""
    assert (default("rate_login"), default("rate_ask")) == ("5/min", "30/min")
    daemon = parlour(rate_login="5/min", rate_ask="30/min", sessions_per_user="1000", workers=1)
    user = daemon.register()

    def admitted(most, interval_s, ask):
        """Returns the number of requests before the first 429: the burst, and one for each interval meanwhile."""
        began = time.monotonic()
        count = next(n for n in range(100) if ask().status_code == 429)
        return most <= count <= most + (time.monotonic() - began) / interval_s + 1

    assert admitted(30, 2, lambda: user.post("/api/chat", {"message": "yes"}))
    # the registration was the first of five
    assert admitted(4, 12, lambda: daemon.post("/api/auth/login", {"username": "cfo", "password": "x"}))


def test_security_headers(shared):
    for path in ("/health", "/nothing", "/api/auth/me"):
        headers = shared.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Request-Id"]


def test_several_connections_of_one_user(ann):
    room = ann.room()["id"]
    path = f"/ws/chat/{room}"
    with ann.ws(path, native=False) as one, ann.ws(path, native=False) as two:
        two.send_text('{"message": "we listen"}')
        one.expect("message", content="we listen")
        two.expect("message", content="we listen")
        one.send_text('{"message": "from the first"}')
        assert one.expect("message")["content"] == two.expect("message")["content"] == "from the first"


@needs("POST /api/query")
def test_query(shared, ann):
    assert shared.post("/api/query", {"query": "messages per day"}).status_code == 401
    answer = ann.post("/api/query", {"query": "messages per day"})
    assert answer.status_code == 200, answer.text
    assert {"id", "query", "intent", "columns", "rows", "summary", "card", "created_at"} <= set(answer.json())
    assert all({"name", "type", "unit"} <= set(column) for column in answer.json()["columns"])


@needs("GET /api/suggestions")
def test_suggestions(shared, ann):
    assert shared.get("/api/suggestions").status_code == 401
    answer = ann.get("/api/suggestions")
    assert answer.status_code == 200 and answer.json()
    assert all({"text", "reason"} <= set(item) for item in answer.json())


@needs("GET /api/dashboard/{layout_id}", "POST /api/dashboard/{layout_id}")
def test_dashboard(shared, ann):
    layout = {"cards": [{"id": "c1", "type": "number", "title": "Sessions", "query": "sessions per day", "x": 0, "y": 0,
                         "w": 4, "h": 2}]}
    assert shared.get("/api/dashboard/main").status_code == 401
    saved = ann.post("/api/dashboard/main", layout)
    assert saved.status_code == 200, saved.text
    got = ann.get("/api/dashboard/main").json()
    assert got["layout_id"] == "main" and got["version"] and got["cards"][0]["title"] == "Sessions"
    assert shared.register().get("/api/dashboard/main").json().get("cards") != got["cards"], "another user's layout is theirs"


@needs("GET /api/profile")
def test_profile(shared, ann):
    assert shared.get("/api/profile").status_code == 401
    profile = ann.get("/api/profile").json()
    assert {"user", "preferences", "usage"} <= set(profile) and profile["user"]["username"] == ann.name


@needs("POST /api/query", "WS /ws/chat/{username}")
def test_chat_socket_by_user(shared, ann):
    for name in ("me", ann.name):
        with ann.ws(f"/ws/chat/{name}", native=False) as sock:
            assert sock.expect("system")["message"]
            sock.send("ping")
            assert sock.expect("pong")["timestamp"]
            sock.send("query", query="messages per day")
            answer = sock.expect("query_response")
            assert {"query", "intent", "columns", "rows", "summary"} <= set(answer)
    with shared.register().ws(f"/ws/chat/{ann.name}", native=False) as sock:
        assert sock.wait_closed() == 4403


@needs("POST /api/query", "WS /ws/chat/{username}")
def test_progress(ann):
    """Loading indicators and progress (WebSocket real-time updates): the client receives stages, then the answer."""
    with ann.ws("/ws/chat/me", native=False) as sock:
        sock.expect("system")
        sock.send("query", query="messages per day")
        frames = [sock.recv() for _ in range(4)]
        assert [f["type"] for f in frames] == ["progress"] * 3 + ["query_response"]
        assert [f["stage"] for f in frames[:3]] == ["understanding", "querying", "answering"]


@needs("POST /api/query", "WS /ws/chat/{username}")
def test_chat_socket_errors_and_types(ann):
    """Message type validation, error scenarios and connection clean-up: the socket stays open after invalid
    messages."""
    with ann.ws("/ws/chat/me", native=False) as sock:
        sock.expect("system")
        for text in ("no JSON", "{}", '{"type":"unknown"}', '{"type":"query"}', '{"type":"query","query":"colourless green ideas"}'):
            sock.send_text(text)
            error = sock.expect("error")
            assert error["message"] and error["code"]
        sock.send("ping")
        assert sock.expect("pong")


@needs("POST /api/query", "WS /ws/chat/{username}")
def test_rest_and_socket_agree(ann):
    """Data consistency of the WebSocket and the REST API, and several connections of one user."""
    question = {"query": "messages per room and day"}
    rest = ann.post("/api/query", question).json()
    with ann.ws("/ws/chat/me", native=False) as one, ann.ws(f"/ws/chat/{ann.name}", native=False) as two:
        for sock in (one, two):
            sock.send("query", **question)
        for sock in (one, two):
            answer = sock.expect("query_response")
            assert set(answer) == set(rest) | {"type"}
            assert [answer[key] for key in ("query", "columns", "rows", "card")] == [rest[key] for key in ("query", "columns", "rows", "card")]
