# SPDX-License-Identifier: ISC
"""Questions in words: /api/query, its history, /api/suggestions."""

import pytest

from usagedata import analyst


@pytest.fixture(scope="module")
def ann(shared):
    return shared.register()


@pytest.fixture(scope="module")
def ben(shared):
    return shared.register()


@pytest.fixture(scope="module")
def boss(shared, rows):
    return analyst(shared, rows)


@pytest.fixture(scope="module")
def data(ann, ben, rows):
    room = ann.room(name="Tea room")["id"]
    for i in range(3):
        assert ann.say(room, f"hello {i}").status_code == 201
    ben.post(f"/api/rooms/{room}/join")
    assert ben.say(room, "hi").status_code == 201
    for who, model, tokens in ((ann, "small", 100), (ann, "large", 700), (ben, "small", 30)):
        rows("INSERT INTO sessions (kind, user_id, model, total_tokens, cost_micros) "
             f"VALUES ('usage', {who.id}, '{model}', {tokens}, {tokens * 1000})")
    return room


def ask(user, text):
    answer = user.post("/api/query", {"query": text})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_in_full(ann, data):
    answer = ask(ann, "How many messages per user today?")
    assert set(answer) == {"id", "query", "intent", "columns", "rows", "truncated", "summary", "card", "created_at"}
    intent = answer["intent"]
    assert (intent["metric"], intent["dimensions"], intent["filters"], intent["period"]["text"]) == ("messages", ["user"], {}, "today")
    assert answer["columns"] == [{"name": "user", "type": "text", "unit": None},
                                 {"name": "messages", "type": "number", "unit": "messages"}]
    assert answer["rows"] == [[ann.name, 3]], "their own only"
    assert intent["sort"] == {"by": "messages", "order": "desc"} and answer["truncated"] is False
    assert answer["summary"] == f"The most messages per user, today: 3 ({ann.name}); 3 in all."
    assert answer["card"] == {"type": "bar", "title": "messages per user, today", "query": answer["query"]}


def test_everything_that_can_be_counted(ann, ben, boss, data):
    assert ask(ann, "tokens per model")["rows"] == [["large", 700], ["small", 100]]
    assert ask(ann, "cost this month")["rows"] == [[pytest.approx(0.8)]]
    assert ask(ann, "sessions with model large today")["rows"] == [[1]]
    assert ask(ann, "feedback last 7 days")["rows"] == [[0]]
    assert ask(boss, "rooms today")["rows"][0][0] >= 1 and ask(boss, "users today")["rows"][0][0] >= 2
    assert dict(ask(boss, 'messages per user in room "tea ROOM" last 7 days')["rows"]) == {ann.name: 3, ben.name: 1}
    assert ask(boss, f"messages of user {ben.name} today")["rows"] == [[1]]
    assert ask(boss, "my messages")["rows"] == [[0]]
    assert ask(ann, f"messages of user {ben.name} today")["rows"] == [[0]], "somebody else's are not seen"
    assert ask(ann, "messages yesterday")["rows"] == [[0]]
    days = ask(ann, "messages per day")
    assert len(days["rows"]) == 1 and days["rows"][0][1] == 3 and days["card"]["type"] == "line"
    assert days["columns"][0]["type"] == "date" and days["rows"][0][0] == days["created_at"][:10]
    assert ask(ann, "tokens per role")["rows"] == [[None, 800]]
    assert ask(ann, "tokens per room")["rows"] == [[None, 800]]


def test_what_is_not_understood(ann):
    for text in ("what is the meaning of life", "today", "messages; DROP TABLE users", "messages last year", "messages per model",
                 "messages since 2999-01-01", "messages today yesterday", "tokens messages", '"', "per per", "messages last 0 days"):
        refused = ann.post("/api/query", {"query": text})
        assert refused.status_code == 422, text
        detail = refused.json()["detail"][0]
        assert detail["loc"] == ["body", "query"] and "Ask for messages" in detail["msg"], text


def test_names_are_parameters(boss, data):
    for name in ("x' OR '1'='1", "%", "a\\", "Tea room';--", "ü"):
        assert ask(boss, f'messages in room "{name}"')["rows"] == [[0]]


def test_history_ends(ann, ben, data, rows):
    answer = ask(ben, "cost per day")
    history = ben.get("/api/query/history").json()
    assert history[0]["id"] == answer["id"] and history[0]["intent"] == answer["intent"] and history[0]["rows"] == 1
    assert answer["id"] not in [h["id"] for h in ann.get("/api/query/history?limit=200").json()]
    rows(f"UPDATE query_history SET expires_at = now() - interval '1 second' WHERE id = '{answer['id']}'")
    assert answer["id"] not in [h["id"] for h in ben.get("/api/query/history").json()]
    assert rows("SELECT query_purge(10)")[0][0] == 1 and rows("SELECT query_purge(10)")[0][0] == 0


def test_suggestions_can_be_asked(ann, data, shared):
    assert shared.register().get("/api/suggestions").json() == []
    ask(ann, "messages today")
    suggestions = ann.get("/api/suggestions").json()
    texts = [s["text"] for s in suggestions]
    assert "messages today" in texts and 'My messages in room "Tea room" per day, last 7 days' in texts
    assert all(s["reason"].startswith("You ") for s in suggestions)
    for text in texts:
        ask(ann, text)


def test_who_asks(shared):
    assert shared.post("/api/query", {"query": "messages"}).status_code == 401


def test_how_often(parlour):
    eve = parlour(rate_ask="2/min").register()
    assert [eve.post("/api/query", {"query": "messages"}).status_code for _ in range(3)] == [200, 200, 429]
