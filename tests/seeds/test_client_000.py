# SPDX-License-Identifier: ISC
"""Document 000's front end: what it reads and sends beyond what the document prints. Small clients, and a page in a browser."""

import datetime
import uuid

import pytest

from pages import browse, driver, needs_browser, origin  # noqa: F401  pylint: disable=unused-import
from parlour import wait_for

CONTEXT = {"context": {"previous": []}}
NONSENSE = "colourless green ideas"


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def ask(user, question, **more):
    answer = user.post("/api/query", {"query": question, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def talker(shared):
    """Creates a user who has sent a message today."""
    user = shared.register()
    room = user.room()["id"]
    for text in ("one", "two", "three"):
        assert user.say(room, text).status_code == 201
    return user


# ---- 000.query-reply ----

@pytest.mark.parametrize("question, level, hint, columns", [
    ("my messages per day", "day", "line", ["day", "messages"]), ("how many messages did I write", "total", "number", ["messages"]),
    ("my messages per room", "room", "bar", ["room", "messages"]), ("my messages per room and week", "week", "table", ["room", "week", "messages"])])
def test_query_reply(talker, question, level, hint, columns):
    got = ask(talker, question + ", last 7 days", **CONTEXT)
    assert got["query_id"] == got["id"] and uuid.UUID(got["query_id"]) and "error" not in got
    assert {k: got["intent"][k] for k in ("metric_type", "time_period", "aggregation_level", "filters", "visualization_hint")} == {
        "metric_type": "messages", "time_period": "last 7 days", "aggregation_level": level, "visualization_hint": hint,
        "filters": {"mine": True}}
    result, chart = got["result"], got["visualization"]
    assert set(result) == {"data", "columns", "row_count", "processing_time_ms"} and result["columns"] == columns
    assert result["row_count"] == len(result["data"]) == len(got["rows"]) > 0 and result["processing_time_ms"] >= 0
    assert [[row[name] for name in columns] for row in result["data"]] == got["rows"]
    assert sum(row["messages"] for row in result["data"]) == 3, "of one day, or of two around midnight"
    assert chart["chart_type"] == hint and chart["title"] == got["card"]["title"]
    assert chart["config"] == {"x": columns[0] if len(columns) > 1 else None, "y": "messages", "unit": "messages"}


# ---- 000.query-error ----

def test_query_error(talker):
    """With context, this client gets an object to show, with the members that it reads; without it, 422."""
    got = ask(talker, NONSENSE, **CONTEXT)
    assert set(got["error"]) == {"error_type", "message", "recovery_action", "suggestions"}
    assert got["error"]["error_type"] == "not_understood" and got["error"]["recovery_action"] == "rephrase"
    assert "colourless" in got["error"]["message"] and got["summary"] == got["error"]["message"]
    assert got["result"] == {"data": [], "columns": [], "row_count": 0, "processing_time_ms": 0}
    assert got["intent"]["visualization_hint"] == got["visualization"]["chart_type"] == "text" and uuid.UUID(got["query_id"])
    for suggestion in got["error"]["suggestions"]:
        assert "error" not in ask(talker, suggestion, **CONTEXT), suggestion
    assert talker.post("/api/query", {"query": NONSENSE}).status_code == 422
    assert talker.post("/api/query", {"query": "", **CONTEXT}).status_code == 422, "an empty question breaks the rule of its field"


@pytest.mark.parametrize("tail, ignored", [(" [1732791000123]", True), (" [7]", True), ("  [0]", True), ("[7]", False), (" [7a]", False),
                                           (" []", False), (" [7] [8]", False), (" 7]", False)])
def test_query_number_in_brackets(talker, tail, ignored):
    got = ask(talker, "my messages per day" + tail, **CONTEXT)
    assert ("error" not in got) is ignored
    if ignored:
        assert got["query"] == got["card"]["query"] == "my messages per day"


def test_query_of_brackets_alone(talker):
    assert "error" in ask(talker, "[7]", **CONTEXT) and "error" in ask(talker, " [7]", **CONTEXT)


# ---- 000.suggestions ----

def test_suggestions_of_a_new_user(shared):
    user = shared.register()
    texts = user.get("/api/suggestions?format=text").json()
    assert len(texts) >= 3 and all(isinstance(text, str) for text in texts)
    for text in texts:
        ask(user, text)
    fresh = shared.register().get("/api/suggestions").json()
    assert [item["text"] for item in fresh] == texts and all(item["reason"] for item in fresh)


def test_suggestions_as_text(parlour):
    """The query parameter has precedence over the profile of the caller, and the profile over the setting."""
    plain, text = parlour(), parlour(suggestions_format="text")

    def form(user, query=""):
        (kind,) = {type(item) for item in user.get("/api/suggestions" + query).json()}
        return "text" if kind is str else "objects"

    for daemon, usual in ((plain, "objects"), (text, "text")):
        user = daemon.register()
        assert [form(user), form(user, "?format=text"), form(user, "?format=objects")] == [usual, "text", "objects"]
        for kept in ("text", "objects"):
            user.request("PATCH", "/api/profile", {"preferences": {"suggestions_format": kept}})
            assert [form(user), form(user, "?format=text"), form(user, "?format=objects")] == [kept, "text", "objects"]
        user.request("PATCH", "/api/profile", {"preferences": {"suggestions_format": 7}})
        assert form(user) == usual
    assert user.get("/api/suggestions?format=html").status_code == 422
    page = user.get("/api/suggestions?format=text&page=1&page_size=2").json()
    assert page["total"] > 2 and [type(item) for item in page["items"]] == [str, str] and "format=text" in page["next"]


# ---- 000.feedback ----

def test_feedback(talker, shared):
    answered, refused = (ask(talker, question, **CONTEXT)["query_id"] for question in ("my messages per day", NONSENSE))
    for query in (answered, refused):
        made = talker.post("/api/feedback", {"query_id": query, "rating": 4, "feedback_text": "useful"})
        assert made.status_code == 201, made.text
        got = made.json()
        assert (got["query_id"], got["rating"], got["feedback_text"]) == (query, 4, "useful")
        assert (got["target"], got["score"], got["comment"]) == ({"kind": "query", "id": query}, 4, "useful")
    again = talker.post("/api/feedback", {"target": {"kind": "query", "id": answered.upper()}, "rating": 1})
    assert again.status_code == 200 and again.json()["id"] < got["id"] and again.json()["rating"] == 1
    assert [vote["rating"] for vote in talker.get("/api/feedback").json()] == [1, 4]
    for user, body, status in ((shared.register(), {"query_id": answered, "rating": 3}, 404),
                               (talker, {"query_id": str(uuid.uuid4()), "rating": 3}, 404)):
        assert user.post("/api/feedback", body).status_code == status


@pytest.mark.parametrize("body, field", [
    ({"rating": 0}, "rating"), ({"rating": 6}, "rating"), ({"rating": "5"}, "rating"), ({}, "rating"), ({"score": 1}, "rating"),
    ({"rating": 3, "feedback_text": "x" * 2001}, "feedback_text"), ({"rating": 3, "query_id": "1"}, "query_id"),
    ({"rating": 3, "query_id": None}, "target")])
def test_feedback_rules(talker, body, field):
    answer = talker.post("/api/feedback", {"query_id": str(uuid.uuid4()), **body})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", field], answer.text


# ---- 000.dashboard ----

def tile(number, **fields):
    """Returns a card as this client sends it."""
    return {"id": f"card-{number}", "card_type": "chart", "size": "medium", "position": {"x": 2 * number, "y": 0, "w": 2, "h": 2},
            "content": {"title": f"Card {number}", "chart_type": "bar", "query": "my messages per room", "data": [{"a": 1.50}, None]}, **fields}


def test_dashboard(shared):
    user = shared.register()
    sent = {"layout_id": "main", "layout_name": "Überblick", "grid_columns": 4, "user_id": user.id, "cards": [tile(0), tile(1, card_type="kpi")]}
    saved = user.post("/api/dashboard/main", sent)
    assert saved.status_code == 200, saved.text
    got = user.get("/api/dashboard/main").json()
    assert got == saved.json() and {name: got[name] for name in ("layout_id", "layout_name", "grid_columns", "user_id")} == {
        "layout_id": "main", "layout_name": "Überblick", "grid_columns": 4, "user_id": user.id}
    for card, given, kind in zip(got["cards"], sent["cards"], ("bar", "number")):
        assert {name: card[name] for name in given} == given, "everything that it sent"
        assert (card["type"], card["title"], card["query"]) == (kind, given["content"]["title"], "my messages per room")
        assert {name: card[name] for name in "xywh"} == given["position"]
    for moved in got["cards"]:
        moved["position"] = {**moved["position"], "y": 5}    # the previous x, y, w, h are sent, too
    again = user.post("/api/dashboard/main", {**got, "layout_name": "Moved"}).json()
    assert [card["y"] for card in again["cards"]] == [5, 5] and (again["version"], again["layout_name"]) == (2, "Moved")
    assert user.post("/api/dashboard/main", {"cards": []}).json()["layout_name"] == "Moved", "who sends no name keeps it"


@pytest.mark.parametrize("change, kind, title", [
    ({}, "bar", "Card 1"), ({"content": None}, "line", "card-1"), ({"content": "words"}, "line", "card-1"),
    ({"card_type": "kpi"}, "number", "Card 1"), ({"card_type": "metric", "content": {}}, "number", "card-1"),
    ({"card_type": "table"}, "table", "Card 1"), ({"card_type": "insight"}, "text", "Card 1"), ({"card_type": "bar", "content": {}}, "bar", "card-1"),
    ({"card_type": None, "type": "line"}, "line", "Card 1"), ({"title": "Mine"}, "bar", "Mine"),
    ({"content": {"title": "x" * 129}}, "line", "card-1"), ({"content": {"title": "a\u200bb"}}, "line", "card-1"),
    ({"content": {"chart_type": "pie", "query": 7}}, "line", "card-1")])
def test_dashboard_cards(ann, change, kind, title):
    answer = ann.post("/api/dashboard/cards", {"cards": [tile(1, **change)]})
    assert answer.status_code == 200, answer.text
    card = answer.json()["cards"][0]
    assert (card["type"], card["title"]) == (kind, title) and card["card_type"] and card["size"] and card["content"] is not None


@pytest.mark.parametrize("body, loc", [
    ({"cards": [tile(0, position={"x": 0, "y": 0, "w": 5, "h": 1})], "grid_columns": 4}, ["cards", "0", "position", "w"]),
    ({"cards": [tile(0, position={"x": 4, "y": 0, "w": 1, "h": 1})], "grid_columns": 4}, ["cards", "0", "position", "x"]),
    ({"cards": [tile(0, position={"x": 3, "y": 0, "w": 2, "h": 1})], "grid_columns": 4}, ["cards", "0", "position", "w"]),
    ({"cards": [tile(0, position={"x": 3, "y": 0, "w": 2})]}, ["cards", "0", "position", "h"]),
    ({"cards": [tile(0, position=[1, 2, 3, 4])]}, ["cards", "0", "position"]), ({"cards": [tile(0, position=None)]}, ["cards", "0", "x"]),
    ({"cards": [tile(0, card_type=7)]}, ["cards", "0", "card_type"]), ({"cards": [tile(0, size="x" * 65)]}, ["cards", "0", "size"]),
    ({"cards": [tile(0, card_type=None)]}, ["cards", "0", "type"]), ({"cards": [tile(0, type="pie")]}, ["cards", "0", "type"]),
    ({"cards": [tile(0), tile(1, position=tile(0)["position"])]}, ["cards", "1", "x"]),
    ({"cards": [], "grid_columns": 13}, ["grid_columns"]), ({"cards": [], "grid_columns": 0}, ["grid_columns"]),
    ({"cards": [], "layout_name": "\u200b"}, ["layout_name"]), ({"cards": [], "layout_name": ""}, ["layout_name"]),
    ({"cards": [], "user_id": True}, ["user_id"])])
def test_dashboard_rules(ann, body, loc):
    answer = ann.post("/api/dashboard/rules", body)
    assert answer.status_code == 422, answer.text
    assert [str(part) for part in answer.json()["detail"][0]["loc"]] == ["body", *loc]


def test_dashboard_owner(shared):
    user, other = shared.register(), shared.register()
    for owner in (user.id, str(user.id), user.name, user.name.upper(), None):
        assert user.post("/api/dashboard/mine", {"cards": [], "user_id": owner}).status_code == 200, owner
    for owner in (other.id, str(other.id), other.name, ""):
        assert user.post("/api/dashboard/mine", {"cards": [], "user_id": owner}).status_code == 403, owner
    assert user.get("/api/dashboard/mine").json()["version"] == 5
    assert other.get("/api/dashboard/mine").status_code == 404


def test_dashboard_never_saved(parlour):
    """The query parameter has precedence over the setting."""
    for daemon, usual in ((parlour(), 404), (parlour(dashboard_default="on"), 200)):
        user = daemon.register()
        answers = [user.get("/api/dashboard/main" + query) for query in ("", "?default=1", "?default=0")]
        assert [answer.status_code for answer in answers] == [usual, 200, 404]
        layout = answers[1].json()
        assert (layout["layout_id"], layout["layout_name"], layout["version"], layout["grid_columns"], layout["user_id"]) == (
            "main", "main", 0, 12, user.id) and moment(layout["created_at"]) and "ETag" not in answers[1].headers
        assert len(layout["cards"]) == 4
        for card in layout["cards"]:
            assert ask(user, card["query"])["card"]["type"] == card["type"] == card["content"]["chart_type"]
            assert card["position"] == {name: card[name] for name in "xywh"} and card["card_type"] == "chart" and card["size"] == "medium"
        assert user.get("/api/dashboards").json() == [] and user.get("/api/dashboard/a%20b?default=1").status_code == 404
        assert daemon.get("/api/dashboard/main?default=1").status_code == 401
        saved = user.post("/api/dashboard/main", layout)
        assert saved.status_code == 200 and saved.json()["version"] == 1 and saved.json()["cards"] == layout["cards"]
        plain = {"id": "n", "type": "number", "title": "Mine", "query": None, "x": 0, "y": 0, "w": 2, "h": 1}
        user.post("/api/dashboard/main", {"cards": [plain]})
        more = {"card_type": "kpi", "size": "small", "position": {"x": 0, "y": 0, "w": 2, "h": 1}, "content": {"title": "Mine", "chart_type": "number"}}
        cards = [user.get("/api/dashboard/main" + query).json()["cards"] for query in ("", "?default=1", "?default=0")]
        assert cards == [[{**plain, **(more if usual == 200 else {})}], [{**plain, **more}], [plain]]
        assert user.get("/api/dashboards").json()[0]["cards"] == cards[0]


# ---- 000.profile ----

def test_profile(shared):
    user = shared.register()
    got = user.get("/api/profile").json()
    assert (got["user_id"], got["chart_preferences"], got["color_scheme"], got["expertise_level"]) == (user.id, {}, "default", "intermediate")
    kept = {"chart_preferences": {"sessions": "bar"}, "color_scheme": "dark", "expertise_level": "expert", "mine": 1}
    got = user.request("PATCH", "/api/profile", {"preferences": kept}).json()
    assert {**kept, "mine": None} == {**{name: got.get(name) for name in kept}, "mine": None} and got["preferences"] == kept
    odd = user.request("PATCH", "/api/profile", {"preferences": {"chart_preferences": [1], "color_scheme": 5, "expertise_level": None}}).json()
    assert (odd["chart_preferences"], odd["color_scheme"], odd["expertise_level"]) == ({}, "default", "intermediate")


# ---- 000.socket ----

def test_socket(talker):
    with talker.ws("/ws/chat/me", native=False) as sock:
        assert moment(sock.expect("system")["timestamp"])
        for question, error in (("my messages per day", False), ("my messages per day [5]", False), (NONSENSE, True)):
            sock.send("query", message=question)
            got = sock.recv()
            assert set(got) == {"type", "query_id", "message", "data", "timestamp"} and got["type"] == "response"
            assert got["message"] and moment(got["timestamp"]) and got["data"]["query_id"] == got["query_id"]
            assert ("error" in got["data"]) is error and set(got["data"]["result"]) >= {"data", "columns"}
        sock.send("ping")
        assert sock.recv()["type"] == "pong", "exactly one frame each"
        sock.send("query", query="my messages per day", id="1")
        assert [sock.recv()["type"] for _ in range(4)] == ["progress"] * 3 + ["query_response"], "native questions are as they were"
        sock.send("query")
        assert sock.expect("error")["code"] == "validation_error"


# ---- 000.anonymous ----

@pytest.fixture(scope="module", name="open_daemon")
def fixture_open_daemon(request, workdir):
    """A daemon that answers questions without a token."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(anonymous="query suggestions", rate_ask="10000/min", rate_read="10000/s burst 10000", workers=1)
    finish(made, request.session.testsfailed > 0)


def figure(who, question, **more):
    answer = who.post("/api/query", {"query": question, **more})
    assert answer.status_code == 200, answer.text
    return sum(row[-1] for row in answer.json()["rows"])


QUESTIONS = ["messages", "users", "rooms", "tokens", "cost", "feedback", "messages per day",
             "users per week", "rooms per month", "tokens per model", "cost per model and day", "feedback per day"]


def test_anonymous_sees_nothing_of_private_rooms(open_daemon, rows):
    """Figures count events in public rooms and none in private rooms."""
    ann = open_daemon.register()

    def figures():
        return {question: figure(open_daemon, question, **CONTEXT) for question in QUESTIONS}

    def live(visibility):
        user = open_daemon.register()
        room = user.room(visibility=visibility)["id"]
        message = user.say(room, f"hello {visibility}").json()["id"]
        for kind, target in (("message", message), ("generation", str(uuid.uuid4()))):
            rows(f"INSERT INTO feedback (user_id, target_kind, target_id, score) VALUES ({user.id}, '{kind}', '{target}', 1)")
        rows("INSERT INTO usage (generation_id, room_id, role_id, user_id, model, prompt_tokens, completion_tokens, cost_micros, state) "
             f"VALUES ('{target}', {room}, 1, {user.id}, 'm', 30, 4, 1000000, 'done')")
        return room

    before = figures()
    private = live("private")
    assert figures() == before
    public = live("public")
    after = figures()
    assert {question: round(after[question] - before[question], 6) for question in QUESTIONS} == {
        question: {"tokens": 34, "feedback": 2}.get(question.split()[0], 1) for question in QUESTIONS}
    rows(f"UPDATE rooms SET visibility = 'private' WHERE id = {public}")
    assert figures() == before, "what is private by now"
    rows(f"DELETE FROM rooms WHERE id = {private}")
    assert figures() == before, "tokens outlive their room"
    assert figure(ann, "messages") == 0, "who has a token is answered as ever"


@pytest.mark.parametrize("question", [
    "messages per user", "messages per room", "tokens per role", "messages per user per day", "top 3 rooms by messages", "who wrote messages",
    "messages of user ann", 'messages in room "Tea room"', "tokens per model in room Tea", "my messages", "messages I wrote", "tokens per day and role",
    "the most active users", "sessions per developer", "users with the most tokens", "rooms by cost"])
def test_anonymous_asks_for_nobody(open_daemon, question):
    refused = open_daemon.post("/api/query", {"query": question})
    assert refused.status_code == 401 and "require a token" in refused.json()["detail"], refused.text
    got = open_daemon.post("/api/query", {"query": question, **CONTEXT})
    assert got.status_code == 200 and got.json()["rows"] == [] and got.json()["result"]["data"] == []
    error = got.json()["error"]
    assert (error["error_type"], error["recovery_action"]) == ("login_required", "login") and "require a token" in error["message"]
    assert error["suggestions"] == open_daemon.get("/api/suggestions?format=text").json()
    with open_daemon.ws("/ws/chat/me", protocols=()) as sock:
        sock.expect("system")
        sock.send("query", query=question)
        assert [sock.recv()["type"], sock.recv()["code"]] == ["progress", "unauthorized"]
        sock.send("query", message=question)
        answer = sock.expect("response")
        assert answer["data"]["rows"] == [] and answer["data"]["error"]["error_type"] == "login_required"


def test_anonymous_suggestions(open_daemon, rows):
    """Suggestions name no room and no person, whatever happens, and each can be answered."""
    user = open_daemon.register()
    room = user.room(name="Secret room")["id"]
    user.say(room, "hello")
    ask(user, "messages in room \"Secret room\"")
    before = rows("SELECT count(*) FROM query_history")[0][0]
    texts = open_daemon.get("/api/suggestions?format=text").json()
    assert len(texts) >= 3 and texts == [item["text"] for item in open_daemon.get("/api/suggestions").json()]
    for text in texts:
        assert "error" not in ask(open_daemon, text, **CONTEXT)
    assert "Secret" not in str(texts)
    assert "error" in ask(open_daemon, NONSENSE, **CONTEXT) and open_daemon.post("/api/query", {"query": NONSENSE}).status_code == 422
    assert rows("SELECT count(*) FROM query_history")[0][0] == before, "nothing is kept of what they ask"
    for method, path in (("GET", "/api/query/history"), ("POST", "/api/feedback"), ("GET", "/api/dashboard/main")):
        assert open_daemon.http.request(method, path).status_code == 401


def test_anonymous_socket(open_daemon):
    user, other = open_daemon.register(), open_daemon.register()
    user.say(user.room()["id"], "hello")
    for name in ("me", "somebody"):
        with open_daemon.ws(f"/ws/chat/{name}", protocols=()) as sock:
            assert "not logged in" in sock.expect("system")["message"]
            sock.send("query", message="Messages per day [3]")
            answer = sock.recv()
            assert answer["type"] == "response" and "error" not in answer["data"] and uuid.UUID(answer["query_id"])
            sock.send("ping")
            assert sock.expect("pong")["timestamp"]
    with open_daemon.ws(f"/ws/chat/{user.name}", protocols=()) as sock:
        sock.expect("system")
        sock.send("auth", token=user.access)
        assert user.name in sock.expect("system")["message"]
        sock.send("query", message="my messages today")
        assert sock.expect("response")["data"]["rows"] == [[1]]
    with open_daemon.ws(f"/ws/chat/{user.name}", protocols=()) as sock:
        sock.expect("system")
        sock.send("auth", token=other.access)
        assert sock.wait_closed() == 4403, "another's name"


def test_anonymous_is_off_by_default(parlour):
    daemon = parlour(workers=1, rate_ask="10000/min")
    for setting, query, suggestions in (("", 401, 401), ("metrics", 401, 401), ("query", 200, 401), ("suggestions", 401, 200)):
        daemon.configure(anonymous=setting)
        daemon.reload()
        wait_for(lambda: (daemon.post("/api/query", {"query": "messages"}).status_code, daemon.get("/api/suggestions").status_code) == (
            query, suggestions), 10, f"anonymous = {setting} holds")    # pylint: disable=cell-var-from-loop
    daemon.configure(anonymous="query")
    daemon.reload()
    wait_for(lambda: daemon.post("/api/query", {"query": "messages"}).status_code == 200, 10, "it is on")
    with daemon.ws("/ws/chat/me", protocols=()) as sock:
        sock.expect("system")
        daemon.configure(anonymous="")
        daemon.reload()
        wait_for(lambda: daemon.post("/api/query", {"query": "messages"}).status_code == 401, 10, "it is off again")
        sock.send("query", message="messages")
        assert sock.expect("error")["code"] == "unauthorized"


def test_anonymous_questions_are_limited_by_address(parlour):
    daemon = parlour(anonymous="query", rate_ask="2/h", workers=1)
    assert [daemon.post("/api/query", {"query": "messages"}).status_code for _ in range(3)] == [200, 200, 429]


@needs_browser
def test_page_without_a_token(parlour, browse, origin):  # noqa: F811
    daemon = parlour(cors_origins=origin, anonymous="query suggestions")
    user = daemon.register()
    user.say(user.room(visibility="public")["id"], "hello")
    page = browse("page_000.html", daemon)
    wait_for(lambda: page.texts("#suggestions li"), 10, "suggestions are listed")
    page.wait_text("#system", "You are not logged in.")
    page.type("#text", "messages per day, last 7 days")
    page.click("#send")
    page.wait_text("#intent", "messages by day, last 7 days, 0 filters, 1 rows, ")
    page.type("#text", "my messages")
    page.click("#send")
    page.wait_text("#error", "login_required (login): ")
    page.click("#by-socket")
    page.wait_text("#socket", "1 rows")


# ---- the page ----

@needs_browser
def test_page(parlour, browse, origin):  # noqa: F811
    daemon = parlour(cors_origins=origin)
    user = daemon.register()
    user.say(user.room()["id"], "hello")
    page = browse("page_000.html", daemon, token=user.access)
    page.wait_text("#profile", f"User {user.id}, DEFAULT, INTERMEDIATE, 0 charts")
    wait_for(lambda: page.texts("#suggestions li"), 10, "suggestions are listed")
    page.type("#text", "my messages per day, last 7 days")
    page.click("#send")
    page.wait_text("#intent", "messages by day, last 7 days, 1 filters, 1 rows, ")
    assert page.text("#chart") == "line: messages per day, last 7 days" and page.texts("#table th") == ["day", "messages"]
    assert page.texts("#table td")[1] == "1" and page.text("#error") == ""
    page.wait_text("#layout", "main of user ")
    assert len(page.texts("#layout li")) == 4 and page.texts("#layout li")[0] == "chart medium at 0, 0, 6 by 3: My messages"
    page.click("#save")
    page.wait_text("#layout", "Mine of user ")
    assert page.texts("#layout li")[0] == "chart medium at 0, 2, 6 by 1: My messages"
    page.click("#good")
    page.wait_text("#voted", "5 of 5, Useful")
    page.type("#text", NONSENSE)
    page.click("#send")
    page.wait_text("#error", "not_understood (rephrase): Understood: nothing. Not answered: ")
    assert "\"colourless\"" in page.text("#error")
    page.wait_text("#system", "You are ")
    page.click("#by-socket")
    page.wait_text("#socket", "1 rows")
    assert len(page.texts("#socket li")) == 1 and page.texts("#socket li")[0].startswith("response ")
