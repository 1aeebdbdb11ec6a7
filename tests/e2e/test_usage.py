# SPDX-License-Identifier: ISC
"""Usage: import, the nine figures, their series, permissions, and the live sockets."""

import csv
import datetime
import io
import json
import statistics
import time

import pytest

import usagedata
import wire
from parlour import SLOW, wait_for
from usagedata import analyst, day, lines, send, session, settled, unique

KPIS = ["ai_interaction_velocity", "acceptance_rate", "error_rate", "token_efficiency", "cost_per_session",
        "cost_per_accepted", "active_users", "median_session_minutes", "feedback_score"]
PRINTED = {"session_id": "sess-123", "developer_id": "dev-1", "timestamp": "2024-10-28T11:30:00", "model": "claude-3-sonnet",
           "total_tokens": 2500, "cost_usd": 0.45, "accepted_flag": True}


@pytest.fixture(name="boss", scope="module")
def fixture_boss(shared, rows):
    return analyst(shared, rows)


@pytest.fixture(autouse=True)
def clean(rows):
    yield
    rows("DELETE FROM sessions; DELETE FROM usage")


def post(user, text, kind="application/x-ndjson", **query):
    return user.request("POST", "/api/sessions/import", content=text, headers={"Content-Type": kind}, params=query)


# ---- import ----

def test_import_as_lines_array_and_again(boss, rows):
    assert post(boss, json.dumps(PRINTED)).json() == {"imported": 1, "duplicates": 0, "refused": []}
    both = [PRINTED, {**PRINTED, "session_id": "sess-124"}]
    assert post(boss, json.dumps(both), "application/json").json() == {"imported": 1, "duplicates": 1, "refused": []}
    assert post(boss, lines(both + both)).json() == {"imported": 0, "duplicates": 4, "refused": []}
    assert post(boss, lines(both), source="other").json()["imported"] == 2, "an id belongs to its source"
    assert post(boss, json.dumps({**PRINTED, "source": "third"})).json()["imported"] == 1
    row = rows("SELECT kind, source, developer, model, total_tokens, cost_micros, accepted_flag, user_id, "
               "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM sessions "
               "WHERE external_id = 'sess-123' AND source = 'import'")
    assert [tuple(r) for r in row] == [
        ("usage", "import", "dev-1", "claude-3-sonnet", 2500, 450000, True, None, "2024-10-28 11:30:00")]


def test_import_names_what_it_refuses(boss):
    bad = [PRINTED, {**PRINTED, "session_id": ""}, {k: v for k, v in PRINTED.items() if k != "timestamp"},
           {**PRINTED, "cost_usd": -1}, {**PRINTED, "accepted_flag": "yes"}]
    answer = post(boss, lines(bad) + "\n\n{broken\n[]").json()
    assert answer["imported"] == 1
    assert [r["line"] for r in answer["refused"]] == [2, 3, 4, 5, 7, 8]
    for refusal, word in zip(answer["refused"], ["session_id", "timestamp", "cost_usd", "accepted_flag"]):
        assert refusal["error"].startswith(word + " must be"), refusal


@pytest.mark.parametrize("access,status", [("user", 403), ("analyst", 200), ("operator", 200), ("admin", 200)])
def test_who_may_import(shared, rows, access, status):
    assert post(analyst(shared, rows, access), json.dumps(PRINTED)).status_code == status


def test_import_refuses_as_a_whole(shared, boss):
    assert shared.post("/api/sessions/import", PRINTED).status_code == 401
    assert post(boss, "").status_code == 422
    assert post(boss, " \n", "application/json").status_code == 422
    assert post(boss, json.dumps(PRINTED), "text/plain").status_code == 415
    assert post(boss, " " * 1048577).status_code == 413
    assert post(boss, json.dumps(PRINTED), source="").status_code == 422


# ---- figures ----

def test_nine_figures(boss):
    records = []
    for n in range(40):
        ended = {"ended_at": day(3, n // 10).isoformat()[:17] + "30+00:00"} if n < 20 else {}
        records.append(session(n, day(3, n // 10), accepted_flag=[True, False, False, None][n % 4], errors=int(n % 10 == 0),
                               feedback_score=4.5, **ended))
    records.append(session(99, day(31), accepted_flag=True))  # before the period
    send(boss, records)
    got = settled(boss, "/api/metrics", lambda a: a["ai_interaction_velocity"]["value"])
    assert list(got) == KPIS + ["timestamp"]
    tokens = sum(r["total_tokens"] for r in records[:40] if r["accepted_flag"] is not None)
    want = [(10, "sessions/hour", "good"), (100 / 3, "%", "good"), (10, "%", "warning"), (10000 / tokens, "accepted/1k tokens", "good"),
            (0.25, "USD", "good"), (0.75, "USD", "good"), (7, "users", "good"), (0.5, "minutes", "good"), (4.5, "of 5", "good")]
    for name, (value, unit, status) in zip(KPIS, want):
        assert got[name] == {"value": pytest.approx(value), "unit": unit, "status": status}, name
    only = boss.get("/api/metrics", params={"developer_id": "dev-3", "model": "mini"}).json()
    assert only["active_users"]["value"] == 1 and only["acceptance_rate"]["status"] == "unknown"
    old = boss.get("/api/metrics", params={"start": day(32).isoformat(), "end": day(30).isoformat()}).json()
    assert old["acceptance_rate"] == {"value": 100, "unit": "%", "status": "unknown"}, "one session is no sample"


def test_nothing_is_unknown(boss):
    got = boss.get("/api/metrics?start=2001-01-01T00:00:00Z&end=2001-02-01T00:00:00Z").json()
    assert all(got[k]["status"] == "unknown" for k in KPIS)
    assert got["acceptance_rate"]["value"] is None and got["active_users"]["value"] == 0


@pytest.mark.parametrize("query,field", [
    ("start=yesterday", "start"), ("start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "end"),
    ("start=2020-01-01T00:00:00Z&end=2026-01-01T00:00:00Z", "start"), ("developer_id=", "developer_id"),
    ("model=" + "x" * 129, "model"), ("start=1960-01-01T00:00:00Z&end=1960-02-01T00:00:00Z", "start")])
def test_bad_windows(boss, query, field):
    for path in ("/api/metrics", "/api/metrics/raw", "/api/insights"):
        answer = boss.get(f"{path}?{query}")
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", field], answer.text


def test_series(boss):
    send(boss, [session(n, day(2, n % 3), accepted_flag=n % 2 == 0) for n in range(30)])
    points = boss.get("/api/metrics/raw").json()
    assert sum(p["value"] for p in points if p["metric"] == "sessions") == 30
    assert {p["timestamp"] for p in points} == {day(2).strftime("%Y-%m-%dT00:00:00.000000Z")}
    assert set(points[0]) == {"timestamp", "metric", "value", "developer_id", "model"}
    assert {p["metric"] for p in points} == {"sessions", "tokens", "cost_usd", "accepted", "errors"}
    hours = boss.get("/api/metrics/raw?bucket=hour&model=mini&developer_id=dev-1").json()
    assert {p["developer_id"] for p in hours} == {"dev-1"} and {p["model"] for p in hours} == {"mini"}
    assert boss.get("/api/metrics/raw?bucket=month").status_code == 422
    paged, path = [], "/api/metrics/raw?bucket=hour&limit=40"
    while path:
        answer = boss.get(path)
        paged += answer.json()
        link = answer.headers.get("Link", "")
        path = link.partition(">")[0].strip("<") if link else None
    assert paged == boss.get("/api/metrics/raw?bucket=hour&limit=10000").json()
    assert len(paged) == int(answer.headers["X-Total-Count"]) > 40
    assert boss.get("/api/metrics/raw?bucket=week").json()


def test_series_as_csv(boss):
    send(boss, [session(1, day(2), developer_id="=1+1", model='a "b", c')])
    answer = boss.get("/api/metrics/raw?format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [r["metric"] for r in table] == ["sessions", "tokens", "cost_usd", "accepted", "errors"]
    assert table[0]["developer_id"] == "'=1+1" and table[0]["model"] == 'a "b", c' and table[2]["value"] == "0.25"


# ---- who sees what ----

def test_users_see_their_own_answers_of_models(shared, boss, rows):
    ann, bob = shared.register(), shared.register()
    role = ann.role(upstream="local")
    room = ann.room(role_ids=[role["id"]])
    assert ann.say(room["id"], "Hello, what is 2 and 2?").status_code == 201
    wait_for(lambda: rows(f"SELECT 1 FROM usage WHERE user_id = {ann.id}"))
    row = rows(f"SELECT g.model, u.model, u.upstream, u.state, u.cost_micros, u.role_id, u.room_id, u.completion_tokens "
               f"FROM usage u JOIN generations g ON g.id = u.generation_id WHERE u.user_id = {ann.id}")[0]
    assert row[0] == row[1] and tuple(row[2:7]) == ("local", "done", 0, role["id"], room["id"])
    assert settled(ann, "/api/metrics", lambda a: a["active_users"]["value"] == 1)
    assert [p["developer_id"] for p in ann.get("/api/metrics/raw").json() if p["metric"] == "sessions"] == [ann.name]
    send(boss, [session(5, day(1), developer_id=bob.name)])
    assert bob.get("/api/metrics/raw").json() == [], "a name in an import is no account"
    assert rows(f"SELECT answers, without_price FROM v_spend_today WHERE username = '{ann.name}'")[0][0] == 1
    assert rows(f"SELECT answers FROM v_usage WHERE username = '{ann.name}'")[0][0] == 1


def test_days_count_from_now_and_not_from_the_start_of_the_suite(monkeypatch):
    class Tomorrow(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + datetime.timedelta(days=1)

    before = usagedata.day(0)
    monkeypatch.setattr(usagedata, "datetime", Tomorrow)
    assert (usagedata.day(0) - before).days in (1, 2) and (usagedata.day(0) - usagedata.day(3, 2)) == datetime.timedelta(days=3, hours=-2)


def test_anonymous_is_off_by_default(shared):
    for path in ("/api/metrics", "/api/metrics/raw", "/api/insights", "/api/profile", "/api/sessions", "/api/sessions/x"):
        assert shared.get(path).status_code == 401
    with shared.ws("/ws/metrics", protocols=()) as sock:
        sock.send("ping")
        assert sock.recv()["code"] == "unauthorized"
    for path in ("/api/metrics", "/api/insights"):
        assert shared.get(path, headers={"Authorization": "Bearer x"}).status_code == 401


def test_anonymous_sees_sums_without_names(parlour, rows):
    daemon = parlour(anonymous="metrics insights sessions", workers=1)
    boss = analyst(daemon, rows)
    send(boss, [session(n, day(1), developer_id="secret-dev") for n in range(20)])
    assert daemon.get("/api/metrics").json()["active_users"]["value"] >= 1
    for path in ("/api/metrics/raw", "/api/metrics/raw?format=csv", "/api/insights", "/api/metrics"):
        answer = daemon.get(path)
        assert answer.status_code == 200 and "secret-dev" not in answer.text
        assert daemon.get(path, params={"developer_id": "secret-dev"}).status_code == 403
    assert daemon.post("/api/sessions/import", PRINTED).status_code == 401
    assert daemon.get("/api/metrics", headers={"Authorization": "Bearer x"}).status_code == 401, "a bad token stays bad"
    with daemon.ws("/ws/sessions", protocols=()) as sock:
        frame = sock.expect("sessions")
        assert frame["data"]["items"][0]["developer_id"] is None and "secret-dev" not in json.dumps(frame)
        sock.send("auth", token=boss.access)
        assert sock.expect("sessions")["data"]["items"][0]["developer_id"] == "secret-dev"


def test_anonymous_sees_one_session_as_the_list_shows_it(parlour, rows):
    daemon = parlour(anonymous="sessions", workers=1)
    boss, ann = analyst(daemon, rows), daemon.register()
    send(boss, [{**session(1, day(1), developer_id="secret-dev"), "session_id": "run-1"}])
    mine = ann.post("/api/sessions", {"kind": "chat"}).json()["id"]
    guests = rows("INSERT INTO sessions (kind, guest) VALUES ('chat', true) RETURNING id::text")[0][0]
    listed = daemon.get("/api/sessions").json()
    assert [s["session_id"] for s in listed] == ["run-1"]
    for key in ("run-1", listed[0]["id"], listed[0]["id"].upper()):
        one = daemon.get(f"/api/sessions/{key}")
        assert one.status_code == 200 and one.json()["developer_id"] is None, one.text
        assert one.json() == {**listed[0], "data": {}, "conversation_history": []}
        assert boss.get(f"/api/sessions/{key}").json()["developer_id"] == "secret-dev"
        assert ann.get(f"/api/sessions/{key}").status_code == 404
        assert daemon.delete(f"/api/sessions/{key}").status_code == 401
    for key in (mine, guests, "no-such", "x" * 200):
        assert daemon.get(f"/api/sessions/{key}").status_code == 404, key
    assert daemon.post("/api/chat", {"message": "hello", "session_id": mine}).status_code == 401
    assert daemon.get("/api/sessions/run-1", headers={"Authorization": "Bearer x"}).status_code == 401
    assert daemon.get("/api/profile").status_code == 401, "the setting does not name it"


def test_anonymous_profile_is_nobodys(parlour, rows):
    daemon = parlour(anonymous="profile", workers=1)
    ann, ben = daemon.register(), daemon.register()
    ann.patch("/api/profile", {"preferences": {"secret": "blue"}})
    for user, count in ((ann, 2), (ben, 1)):
        room = user.room(visibility="private")["id"]
        for _ in range(count):
            user.say(room, "hello")
    send(analyst(daemon, rows), [session(1, day(1), total_tokens=700, cost_usd=0.5)])
    got = daemon.get("/api/profile")
    said, rooms, votes = rows("SELECT count(*), (SELECT count(*) FROM rooms), (SELECT count(*) FROM feedback) FROM messages "
                              "WHERE author_kind = 'user'")[0]
    assert said >= 3 and "secret" not in got.text and ann.name not in got.text
    assert got.json() == {"user": None, "preferences": {}, "usage": {
        "messages": said, "rooms": rooms, "sessions": 1, "answers": 0, "tokens": 700, "cost_usd": 0.5, "votes": votes},
        "developer_id": None, "total_sessions": 1, "total_tokens_used": 700, "total_cost_usd": 0.5, "avg_latency_ms": 0, "acceptance_rate": 0,
        "most_used_models": [{"value": "mini", "count": 1}], "active_repos": [], "sessions_by_date": {day(1).date().isoformat(): 1},
        "user_id": None, "chart_preferences": {}, "color_scheme": "default", "expertise_level": "intermediate",
        "locale": None, "timezone": None}
    assert daemon.get("/api/profile").json() == got.json(), "kept for 3 s"
    assert ann.get("/api/profile").json()["preferences"] == {"secret": "blue"}
    assert daemon.http.patch("/api/profile", json={"preferences": {}}).status_code == 401
    assert daemon.get("/api/sessions").status_code == 401


def test_anonymous_takes_known_words_only(parlour):
    daemon = parlour(start=False, anonymous="metrics rooms")
    done = daemon.ctl("check", check=False)
    assert done.returncode != 0 and "rooms must be one of metrics, insights, sessions, profile, query, suggestions" in done.stderr


# ---- sockets ----

def test_metrics_socket(parlour, rows):
    daemon = parlour(workers=1)
    boss = analyst(daemon, rows)
    started = time.monotonic()
    with boss.ws("/ws/metrics", native=False) as sock:
        first = sock.recv()
        assert set(first) == {"type", "data", "timestamp"} and first["type"] == "metrics" and list(first["data"]) == KPIS
        assert sock.recv(timeout=8)["type"] == "heartbeat"
        assert 4.9 < time.monotonic() - started < 5 + 2 * SLOW
        sock.send("ping")
        assert set(sock.expect("pong")) == {"type", "timestamp"}
        send(boss, [session(n, day(1)) for n in range(20)])
        changed = sock.expect("metrics", timeout=12)
        assert changed["data"]["cost_per_session"]["value"] == 0.25
        sock.send("nonsense")
        assert sock.expect("error")["code"] == "unknown_type"
        sock.send_text("5")
        assert sock.expect("error")["code"] == "bad_frame"


def test_metrics_socket_with_the_newer_name(parlour):
    """With metrics_style = prodlens, each frame is sent under both names, with its nine figures."""
    daemon = parlour(anonymous="metrics", metrics_style="prodlens", workers=1)
    with daemon.ws("/ws/metrics", protocols=()) as sock:
        older, newer = sock.expect("metrics"), sock.expect("metrics_update")
    assert older["data"] == newer["data"] and len(newer["data"]) == 9 and newer["data"]["rework_rate"]["status"] == "warning"


def test_sessions_socket(shared, boss, rows):
    send(boss, [{**PRINTED, "timestamp": day(0).isoformat()}, session(2, day(4))])
    other = shared.register()
    rows(f"INSERT INTO sessions (kind, user_id) VALUES ('chat', {other.id})")
    rows("INSERT INTO sessions (kind, guest) VALUES ('chat', true)")
    with boss.ws("/ws/sessions", native=False) as sock:
        items = sock.expect("sessions", timeout=12)["data"]["items"]
    assert [i["session_id"] for i in items[2:]] == ["sess-123", "sess-2"]
    more = {"tokens_in": 0, "tokens_out": 0, "latency_ms": None, "status_code": None, "diff_ratio": None, "accepted_lines": None, "repo_slug": None}
    assert {k: v for k, v in items[2].items() if k != "timestamp"} == {**{k: v for k, v in PRINTED.items() if k != "timestamp"}, **more}
    assert len(items[0]["session_id"]) == 8, "a guest's id is a credential"
    assert len(items[1]["session_id"]) == 36 and items[1]["developer_id"] == other.name
    with other.ws("/ws/sessions", native=False) as sock:
        assert [i["session_id"] for i in sock.expect("sessions")["data"]["items"]] == [items[1]["session_id"]]


def test_sockets_take_a_token_in_the_first_frame(shared, boss):
    with shared.ws("/ws/metrics", protocols=()) as sock:
        sock.send("auth", token=boss.access)
        assert sock.recv()["type"] == "metrics"
    with shared.ws("/ws/sessions", protocols=()) as sock:
        sock.send("auth", token="nonsense")
        assert sock.wait_closed() == 4401
    with pytest.raises(wire.Refused):
        shared.ws("/ws/metrics", token="nonsense", protocols=())


# ---- parlourctl ----

def ctl_import(daemon, kind, text, *options, check=True):
    path = f"{daemon.dir}/{unique()}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return daemon.ctl("import", kind, path, *options, check=check)


def test_ctl_imports_usage(shared, rows):
    records = [session(n, day(2)) for n in range(2500)]
    assert ctl_import(shared, "usage", lines(records), "--dry-run").stdout == "dry run: 2500 imported, 0 duplicates, 0 refused\n"
    assert rows("SELECT count(*) FROM sessions")[0][0] == 0
    assert ctl_import(shared, "usage", json.dumps(records)).stdout == "2500 imported, 0 duplicates, 0 refused\n"
    assert ctl_import(shared, "usage", lines(records)).stdout == "0 imported, 2500 duplicates, 0 refused\n"
    done = ctl_import(shared, "usage", lines(records[:1]) + "\n{}", "--source", "second", check=False)
    assert done.returncode == 65 and done.stdout == "1 imported, 0 duplicates, 1 refused\n"
    assert ":2: session_id must be a string" in done.stderr
    assert rows("SELECT count(*) FROM sessions WHERE source = 'second'")[0][0] == 1


def test_ctl_imports_series(shared, rows):
    text = "day,developer,name,value\n2026-11-01,ann,commits,5\n2026-11-02,ann,commits,7\n"
    assert ctl_import(shared, "series", text).stdout == "2 new or changed, 0 unchanged, 0 refused\n"
    assert ctl_import(shared, "series", text.replace(",7", ",8")).stdout == "1 new or changed, 1 unchanged, 0 refused\n"
    assert [r[0] for r in rows("SELECT value FROM usage_series ORDER BY day")] == [5, 8]
    done = ctl_import(shared, "series", "2026-13-01,ann,commits,5\n", check=False)
    assert done.returncode == 65 and "day must be a date" in done.stderr


def test_ctl_import_says_what_is_wrong(shared):
    assert shared.ctl("import", "usage", "/nowhere/x", check=False).returncode == 66
    assert shared.ctl("import", "people", "/dev/null", check=False).returncode == 64
    assert shared.ctl("import", "usage", check=False).returncode == 64


# ---- figures of many rows ----

def test_ten_thousand_rows_are_fast(shared, boss):
    send(boss, [session(n, day(n % 28 + 1, n % 24), accepted_flag=n % 3 == 0, source=unique()) for n in range(10000)])
    for path in ("/api/metrics", "/api/insights"):
        settled(boss, path, lambda a: "10000 sessions" in a["key_findings"][0] if "key_findings" in a
                else a["cost_per_session"]["value"] == 0.25)
        first, times = [], []
        for n in range(6):
            start = time.monotonic()
            assert boss.get(path, params={"start": day(29).isoformat(), "end": day(0, n).isoformat()}).status_code == 200
            first.append(time.monotonic() - start)
        for _ in range(20):
            start = time.monotonic()
            assert boss.get(path).status_code == 200
            times.append(time.monotonic() - start)
        print(f"{path}: median {statistics.median(times) * 1000:.1f} ms; computed anew {statistics.median(first) * 1000:.1f} ms")
        assert statistics.median(times) < 0.050 * SLOW
