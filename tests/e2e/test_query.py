# SPDX-License-Identifier: ISC
"""Questions in words: /api/query, its history, /api/suggestions."""

import httpx
import pytest

from parlour import PLAIN
from usagedata import analyst, day, send, session, unique


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
    assert set(answer) == {"id", "query", "intent", "columns", "rows", "truncated", "summary", "card", "created_at",
                           "understood", "partial", "query_id", "result", "visualization"}
    intent = answer["intent"]
    assert (intent["metric"], intent["dimensions"], intent["filters"], intent["period"]["text"]) == ("messages", ["user"], {}, "today")
    assert answer["columns"] == [{"name": "user", "type": "text", "unit": None},
                                 {"name": "messages", "type": "number", "unit": "messages"}]
    assert answer["rows"] == [[ann.name, 3]], "their own only"
    assert intent["sort"] == {"by": "messages", "order": "desc"} and answer["truncated"] is False
    assert answer["understood"] == f"Messages per user, yours, today ({answer['created_at'][:10]}, UTC, not over yet)"
    assert answer["summary"] == f"{answer['understood']}: 3 ({ann.name}); 3 in all."
    assert answer["partial"] == [] and intent["timezone"] == "UTC"
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
    hidden, absent = (ann.post("/api/query", {"query": f"messages of user {name} today"}) for name in (ben.name, "nobody-" + unique()))
    assert hidden.status_code == absent.status_code == 422, "somebody else's are not seen"
    assert ben.name in hidden.text and "there is no user" in hidden.text and "there is no user" in absent.text
    assert ask(ann, "messages yesterday")["rows"] == [[0]]
    days = ask(ann, "messages per day")
    assert len(days["rows"]) == 1 and days["rows"][0][1] == 3 and days["card"]["type"] == "line"
    assert days["columns"][0]["type"] == "date" and days["rows"][0][0] == days["created_at"][:10]
    assert ask(ann, "tokens per role")["rows"] == [[None, 800]]
    assert ask(ann, "tokens per room")["rows"] == [[None, 800]]


@pytest.fixture(name="work")
def fixture_work(boss):
    """Imports usage of three developers and two models on three days, under names that nobody else has. Each test
    imports again, because the days are relative to today."""
    tag = unique()
    plan = [(0, "a", "x", 10), (0, "a", "y", 20), (0, "b", "x", 5), (1, "a", "x", 7), (1, "c", "y", 30), (2, "b", "y", 1), (2, "b", "x", 2)]
    records = [session(i, day(back), session_id=f"{tag}-{i}", developer_id=f"{who}-{tag}", model=f"{model}-{tag}", total_tokens=tokens,
                       cost_usd=tokens / 100) for i, (back, who, model, tokens) in enumerate(plan)]
    assert send(boss, records)["imported"] == len(plan)
    return tag


def of(answer, tag):
    """Returns the rows about the developers and models of this module, without the tag, and with rounded figures."""
    return [[str(v).replace(f"-{tag}", "") if isinstance(v, str) else round(v, 6) for v in row] for row in answer["rows"]
            if any(isinstance(v, str) and v.endswith(tag) for v in row)]


def test_two_dimensions(boss, work):
    today, yesterday, before = (day(n).strftime("%Y-%m-%d") for n in range(3))
    answer = ask(boss, "tokens per user per day, last 3 days")
    assert answer["intent"]["dimensions"] == ["user", "day"] and answer["card"]["type"] == "table"
    assert answer["intent"]["sort"] == {"by": "day", "order": "asc"}
    assert [c["name"] for c in answer["columns"]] == ["user", "day", "tokens"]
    assert [c["type"] for c in answer["columns"]] == ["text", "date", "number"]
    assert of(answer, work) == [["b", before, 3], ["c", yesterday, 30], ["a", yesterday, 7], ["a", today, 30], ["b", today, 5]]
    answer = ask(boss, "daily tokens by model, last 3 days")
    assert of(answer, work) == [[before, "x", 2], [before, "y", 1], [yesterday, "y", 30], [yesterday, "x", 7], [today, "y", 20],
                                [today, "x", 15]]
    answer = ask(boss, "cost by user and model last 3 days")
    assert answer["intent"]["sort"] == {"by": "cost", "order": "desc"}
    assert of(answer, work) == [["c", "y", 0.3], ["a", "y", 0.2], ["a", "x", 0.17], ["b", "x", 0.07], ["b", "y", 0.01]]
    answer = ask(boss, f"sessions by model and month with model x-{work} last 3 days")
    assert sum(row[2] for row in of(answer, work)) == 4


def test_ranks(boss, work):
    only = f'with model x-{work} last 3 days'
    today, yesterday, before = (day(n).strftime("%Y-%m-%d") for n in range(3))
    assert of(ask(boss, f"top 1 users by tokens {only}"), work) == [["a", 17]]
    assert of(ask(boss, f"lowest 1 users by tokens {only}"), work) == [["b", 7]]
    answer = ask(boss, f"who had the fewest tokens {only}")
    assert of(answer, work) == [["b", 7], ["a", 17]]
    assert answer["summary"] == (f'Tokens per user with model "x-{work}", lowest first, last 3 days ({before} to {today}, UTC): '
                                 f"7 (b-{work}), 17 (a-{work}); 24 in all.")
    answer = ask(boss, f"top 2 days by tokens {only}")
    assert answer["rows"] == [[today, 15], [yesterday, 7]] and answer["card"]["type"] == "bar"
    assert answer["intent"]["sort"] == {"by": "tokens", "order": "desc"} and answer["intent"]["limit"] == 2
    assert answer["summary"].endswith(f"UTC): 15 ({today}), 7 ({yesterday}); 24 in all; not whole: {today}.")
    assert answer["partial"] == [today]
    assert answer["truncated"] is False, "what was not asked for is not missing"
    answer = ask(boss, f"top 1 users per day by tokens {only}")
    assert answer["intent"]["limit_per"] == "day"
    assert answer["rows"] == [[f"b-{work}", before, 2], [f"a-{work}", yesterday, 7], [f"a-{work}", today, 10]]
    answer = ask(boss, f"bottom 1 users per day by tokens {only}")
    assert answer["rows"] == [[f"b-{work}", before, 2], [f"a-{work}", yesterday, 7], [f"b-{work}", today, 5]]
    answer = ask(boss, f"top 2 users and days by tokens {only}")
    assert answer["rows"] == [[f"a-{work}", today, 10], [f"a-{work}", yesterday, 7]]


def test_users_are_counted_once(boss, work, shared, rows):
    """A user who was active on two days counts once; a sum over the days would count two."""
    only = f'with model x-{work} last 3 days'
    assert ask(boss, f"users {only}")["rows"] == [[2]], "those whose work was done with it"
    room = shared.register().room(name=f"room-{work}")["id"]
    people = [shared.register() for _ in range(2)]
    for who in people + people:
        who.post(f"/api/rooms/{room}/join")
        assert who.say(room, "here").status_code == 201
    assert ask(boss, f'users in room "room-{work}" today')["rows"] == [[2]]
    answer = ask(boss, f'users per day in room "room-{work}" today')
    assert [row[1] for row in answer["rows"]] == [2] and "in all" not in answer["summary"]
    assert ask(boss, f'rooms per user in room "room-{work}" today')["rows"] == [[name, 1] for name in sorted(w.name for w in people)]
    assert ask(boss, f'messages in room "room-{work}" today')["rows"] == [[4]]


def test_1000_rows(boss):
    tag = unique()
    assert send(boss, [session(i, day(0), session_id=f"{tag}-{i}", developer_id=f"d{i}-{tag}", model=tag) for i in range(1001)])["imported"] == 1001
    answer = ask(boss, f"sessions per user with model {tag} today")
    assert len(answer["rows"]) == 1000 and answer["truncated"] is True
    assert answer["summary"].endswith("; 1001 in all; there are more rows than are shown.")
    assert ask(boss, f"top 1000 users by sessions with model {tag} today")["truncated"] is False


def test_what_is_not_understood_is_noted(ann, rows):
    before = len(ann.get("/api/query/history?limit=200").json())
    text = "what is the airspeed of a swallow " + unique()
    assert ann.post("/api/query", {"query": text}).status_code == 422
    assert len(ann.get("/api/query/history?limit=200").json()) == before, "their asker sees what was answered"
    assert text not in [s["text"] for s in ann.get("/api/suggestions").json()]
    found = rows(f"SELECT username, understood, metric, dimensions, rows FROM v_questions WHERE query = '{text}'")
    assert [tuple(r) for r in found] == [(ann.name, False, None, None, 0)]
    answer = ask(ann, "tokens per model per day today")
    found = rows(f"SELECT username, understood, metric, dimensions, rows FROM v_questions WHERE id = '{answer['id']}'")
    assert [tuple(r) for r in found] == [(ann.name, True, "tokens", "model, day", len(answer["rows"]))]


def test_outcomes_are_counted(parlour):
    daemon = parlour(metrics_listen="127.0.0.1:0")
    user = daemon.register()
    for text, status in (("messages", 200), ("cost", 200), ("nonsense", 422)):
        assert user.post("/api/query", {"query": text}).status_code == status
    text = httpx.get(f"http://{daemon.listening('operator')[0]}/metrics", **PLAIN).text
    assert [f'parlour_queries_total{{outcome="{word}"}} {n}' in text
            for word, n in (("answered", 2), ("not_understood", 1), ("failed", 0))] == [True] * 3


def test_what_is_not_understood(ann):
    for text in ("what is the meaning of life", "today", "messages; DROP TABLE users", "messages next year", "messages per model",
                 "messages since 2999-01-01", "messages today yesterday", "tokens messages", '"', "per per", "messages last 0 days",
                 "messages per", "messages per day per week", "tokens per user per user", "cost by user and model and day",
                 "top 5 messages", "top 0 users by cost", "top 5 users with the lowest cost", "messages per 5 days"):
        refused = ann.post("/api/query", {"query": text})
        assert refused.status_code == 422, text
        detail = refused.json()["detail"][0]
        assert detail["loc"] == ["body", "query"] and "Ask for messages" in detail["msg"], text


def test_names_are_parameters(boss, data):
    for name in ("x' OR '1'='1", "%", "a\\", "Tea room';--", "ü"):
        refused = boss.post("/api/query", {"query": f'messages in room "{name}"'})
        assert refused.status_code == 422 and f'there is no room "{name}"' in refused.json()["detail"][0]["msg"], refused.text


def test_history_ends(ann, ben, data, rows):
    answer = ask(ben, "cost per day")
    history = ben.get("/api/query/history").json()
    assert history[0]["id"] == answer["id"] and history[0]["intent"] == answer["intent"] and history[0]["rows"] == 1
    assert answer["id"] not in [h["id"] for h in ann.get("/api/query/history?limit=200").json()]
    rows(f"UPDATE query_history SET expires_at = now() - interval '1 second' WHERE id = '{answer['id']}'")
    assert answer["id"] not in [h["id"] for h in ben.get("/api/query/history").json()]
    assert rows("SELECT query_purge(10)")[0][0] == 1 and rows("SELECT query_purge(10)")[0][0] == 0


def test_suggestions_can_be_asked(ann, data, shared):
    new = shared.register()
    first = new.get("/api/suggestions").json()
    assert first and {s["reason"] for s in first} == {"A first question."}
    for suggestion in first:
        answer = ask(new, suggestion["text"])
        assert answer["rows"] and answer["rows"][0][0] == 0 and "error" not in answer, "no data is a figure, not an empty table"
    ask(ann, "messages today")
    suggestions = ann.get("/api/suggestions").json()
    texts = [s["text"] for s in suggestions]
    assert "messages today" in texts and 'My messages in room "Tea room" per day, last 7 days' in texts
    assert all(s["reason"].startswith("You ") for s in suggestions)
    for text in texts:
        ask(ann, text)


def test_suggestions_have_answers(shared, rows):
    """Suggestions exclude questions without rows the last time, questions that a model translated, and days outside the
    period."""
    user = shared.register()
    room = user.room(name=f"The “Tea” room {unique()}")
    assert user.say(room["id"], "hello").status_code == 201
    assert ask(user, "messages per day today")["rows"] and not ask(user, "messages per day yesterday")["rows"]
    translated = ask(user, "messages per day this week")["id"]
    rows(f"""UPDATE query_history SET intent = (intent::jsonb || '{{"translated": true}}')::json WHERE id = '{translated}'""")
    texts = [s["text"] for s in user.get("/api/suggestions").json()]
    assert set(texts) == {"messages per day today", f'My messages in room "{room["name"]}" per day, last 7 days'}
    for text in texts:
        assert ask(user, text)["rows"], text
    rows(f"UPDATE messages SET created_at = created_at - interval '6 days 1 minute' WHERE room_id = {room['id']}")
    assert not [s for s in user.get("/api/suggestions").json() if not s["reason"].startswith("You asked this ")]


def test_suggestions_without_a_token(parlour):
    daemon = parlour(anonymous="query suggestions")
    found = daemon.get("/api/suggestions").json()
    assert len(found) > 2
    for suggestion in found:
        answer = daemon.post("/api/query", {"query": suggestion["text"]}).json()
        assert len(answer["rows"]) == 1 and isinstance(answer["rows"][0][0], (int, float)), suggestion


def test_vocabulary(ann, shared):
    words = ann.get("/api/query/vocabulary").json()
    assert {"messages", "cost", "acceptance", "error_rate"} <= {m["name"] for m in words["metrics"]}
    assert {"day", "quarter", "user", "role"} <= {d["name"] for d in words["dimensions"]}
    assert words["aggregates"] == ["sum", "average", "median", "share"] and "over" in words["thresholds"]
    for sample in words["samples"] + [f"cost {period}" for period in words["periods"]]:
        ask(ann, sample)
    assert shared.get("/api/query/vocabulary").status_code == 401


def test_who_asks(shared):
    assert shared.post("/api/query", {"query": "messages"}).status_code == 401


def test_how_often(parlour):
    eve = parlour(rate_ask="2/min").register()
    assert [eve.post("/api/query", {"query": "messages"}).status_code for _ in range(3)] == [200, 200, 429]
