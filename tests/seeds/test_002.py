# SPDX-License-Identifier: ISC
"""Document 002, ProdLens: its endpoint table, its response examples, its two streams."""

import json
import time

import pytest

from parlour import SLOW
from printed import ROUTES, needs
from usagedata import analyst, day, noise, send, session, settled

METRICS = json.loads('''{
  "ai_interaction_velocity": {
    "value": 4.5,
    "unit": "sessions/hour",
    "status": "good"
  },
  "acceptance_rate": {
    "value": 32.5,
    "unit": "%",
    "status": "good"
  },
  "timestamp": "2024-10-28T12:00:00"
}''')
SESSION = json.loads('''{
  "session_id": "sess-123",
  "developer_id": "dev-1",
  "timestamp": "2024-10-28T11:30:00",
  "model": "claude-3-sonnet",
  "total_tokens": 2500,
  "cost_usd": 0.45,
  "accepted_flag": true
}''')
INSIGHTS = json.loads('''{
  "key_findings": [
    "✓ High AI interaction velocity",
    "✓ Good acceptance rate"
  ],
  "correlations": [
    {
      "variable1": "ai_sessions",
      "variable2": "commits",
      "r": 0.65,
      "p_value": 0.032,
      "significant": true
    }
  ],
  "recommendations": [
    "Continue current practices - metrics are healthy"
  ]
}''')
STATUS = {"good", "warning", "bad", "unknown"}
# The table "REST API Endpoints": path, method, whether a token is required.
TABLE = [("/", "GET"), ("/health", "GET"), ("/auth/token", "POST"), ("/auth/refresh", "POST"), ("/api/metrics", "GET"),
         ("/api/metrics/raw", "GET"), ("/api/sessions", "GET"), ("/api/sessions/{id}", "GET"), ("/api/profile", "GET"),
         ("/api/insights", "GET"), ("/ws/metrics", "WS"), ("/ws/sessions", "WS")]
PRESENT = [row for row in TABLE if row[0] != "/api/profile" or "GET /api/profile" in ROUTES]


@pytest.fixture(scope="module")
def opened(request, workdir):
    """A daemon with the optional authentication of that document: the routes are public, without names."""
    from conftest import finish, maker  # pylint: disable=import-outside-toplevel
    make, made = maker(request, workdir)
    yield make(anonymous="metrics insights sessions profile", workers=1)
    finish(made, request.session.testsfailed > 0)


@pytest.fixture(scope="module")
def boss(opened, rows):
    """An analyst, after 40 days of usage in which commits follow sessions after a day."""
    user, random = analyst(opened, rows), noise(2)
    counts = [random.randint(5, 30) for _ in range(40)]
    records = [session(i * 100 + k, day(40 - i, k % 20), accepted_flag=random.random() < 0.4)
               for i, count in enumerate(counts) for k in range(count)]
    send(user, [SESSION] + records)
    path = opened.dir + "/series.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(f"{day(40 - i).date()},dev-1,commits,{3 * counts[i - 1] + random.randint(0, 5)}"
                             for i in range(1, 40)))
    opened.ctl("import", "series", path)
    return user


@pytest.mark.parametrize("path,method", PRESENT, ids=lambda value: value.strip("/") or "root")
def test_endpoint_table(opened, boss, path, method):
    if method == "WS":
        with opened.ws(path, protocols=()) as sock:
            assert set(sock.recv()) == {"type", "data", "timestamp"}
    elif path == "/auth/token":
        form = opened.post(path, data={"username": boss.name, "password": boss.password})
        assert form.status_code == 200 and form.json()["token_type"] == "bearer"
    elif path == "/auth/refresh":
        tokens = opened.post("/auth/token", {"username": boss.name, "password": boss.password}).json()
        assert opened.post(path, {"refresh_token": tokens["refresh_token"]}).json()["access_token"]
    elif path == "/api/sessions/{id}":
        assert boss.get("/api/sessions/sess-123").status_code == 200
        assert opened.register().get("/api/sessions/sess-123").status_code == 404, "other users' rows do not exist"
        shown = opened.get("/api/sessions/sess-123")
        assert shown.status_code == 200 and shown.json()["developer_id"] is None and "dev-1" not in shown.text
        assert shown.json()["total_tokens"] == SESSION["total_tokens"]
    elif path == "/api/profile":
        nobody = opened.get(path).json()
        assert nobody["user"] is None and nobody["preferences"] == {} and nobody["usage"]["sessions"] > 100
        assert boss.get(path).json()["user"]["username"] == boss.name
    else:
        assert opened.get(path).status_code == 200
        assert boss.get(path).status_code == 200


def test_metrics_as_printed(boss):
    got = boss.get("/api/metrics").json()
    for name, printed in METRICS.items():
        if name == "timestamp":
            assert got[name].startswith("20") and "T" in got[name]
        else:
            assert set(printed) <= set(got[name]) and got[name]["unit"] == printed["unit"] and got[name]["status"] in STATUS
    assert sum(isinstance(value, dict) and "unit" in value for name, value in got.items() if name != "commit_frequency") == 9


def test_session_as_printed(boss):
    got = boss.get("/api/sessions/sess-123").json()
    assert {name: got[name] for name in SESSION if name != "timestamp"} == {
        name: value for name, value in SESSION.items() if name != "timestamp"}
    assert got["timestamp"].startswith(SESSION["timestamp"])


def test_insights_as_printed(boss):
    got = settled(boss, "/api/insights", lambda a: a["correlations"])
    assert set(INSIGHTS) <= set(got)
    for name in ("key_findings", "recommendations"):
        assert got[name] and all(isinstance(text, str) for text in got[name])
    assert all(set(INSIGHTS["correlations"][0]) <= set(item) for item in got["correlations"])
    pairs = {(item["variable1"], item["variable2"]): item for item in got["correlations"]}
    assert pairs[("ai_sessions", "commits")]["significant"] is True
    assert "anomalies" in got


def test_advanced_querying(boss):
    """Sessions can be read by page size, filtered by developer_id, model, and date range, and sorted by timestamp,
    cost, and tokens."""
    page = boss.get("/api/sessions?page=2&page_size=5").json()
    assert len(page["items"]) == 5 and (page["page"], page["page_size"]) == (2, 5) and page["total"] > 10
    printed = boss.get("/api/sessions?developer_id=dev-1&model=claude-3-sonnet").json()
    assert [item["session_id"] for item in printed] == ["sess-123"]
    ranged = boss.get("/api/sessions?start=2024-10-28T00:00:00Z&end=2024-10-29T00:00:00Z").json()
    assert [item["session_id"] for item in ranged] == ["sess-123"]
    for sort, field in (("timestamp", "timestamp"), ("cost", "cost_usd"), ("tokens", "total_tokens")):
        values = [item[field] for item in boss.get(f"/api/sessions?sort={sort}&order=asc").json()]
        assert values == sorted(values) and len(values) > 1


def test_raw_metrics(boss):
    points = boss.get("/api/metrics/raw?bucket=day").json()
    assert points and all({"timestamp", "metric", "value", "developer_id", "model"} <= set(point) for point in points)
    csv = boss.get("/api/metrics/raw?format=csv")
    assert csv.headers["Content-Type"].startswith("text/csv") and "," in csv.text


def test_streams(boss):
    """Metrics arrive every 5 seconds; a ping of the client is answered; invalid frames get an error, and the socket
    stays open."""
    with boss.ws("/ws/metrics", native=False) as sock:
        assert sock.expect("metrics")["data"]["acceptance_rate"]["unit"] == "%"
        started = time.monotonic()
        sock.send("ping")
        sock.expect("pong")
        sock.send("nonsense")
        assert sock.expect("error")["code"]
        sock.recv(timeout=8)
        assert time.monotonic() - started < 8 * SLOW
    with boss.ws("/ws/sessions", native=False) as sock:
        assert sock.expect("sessions", timeout=12)["data"]["items"]


def test_cors(parlour):
    """CORS_ORIGINS=["http://localhost:5173"] and CORS_ALLOW_CREDENTIALS=true have equivalents."""
    daemon = parlour(cors_origins="http://localhost:5173", cors_credentials="on")
    answer = daemon.get("/api/auth/me", headers={"Origin": "http://localhost:5173"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    asked = daemon.http.options("/auth/token", headers={"Origin": "http://localhost:5173",
                                                        "Access-Control-Request-Method": "POST"})
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]


@needs("GET /api/profile")
def test_profile_has_usage(boss):
    assert boss.get("/api/profile").json()["usage"] is not None
